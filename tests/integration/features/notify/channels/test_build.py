"""Each kind of channel of the configuration can be made, by a module of its own."""

from __future__ import annotations

import pytest

from agtmuxd.features.notify.channels.build import CLASSES, channel_of
from tests.integration.features.notify.channels.stubs import settings, tools

pytestmark = pytest.mark.tc("TC-411")
MORE: dict[str, dict[str, object]] = {
    "command": {"argv": ["true"]},
    "apprise": {"url": "json://localhost"},
    "ntfy": {"url": "https://ntfy.sh/t"},
    "webhook": {"url": "https://x.example/hook"},
}


@pytest.mark.parametrize("kind", sorted(CLASSES))
async def test_a_channel_of_each_kind_is_made(kind: str) -> None:
    channel = channel_of(settings(kind, **MORE.get(kind, {})), tools())
    assert isinstance(channel.repeatable, bool) and isinstance(channel.keeps_trying, bool)
    await channel.close()
    await channel.close()
