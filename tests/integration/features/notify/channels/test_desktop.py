"""The desktop channel chooses the way that works on this machine, and says what to install if none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.desktop import DesktopChannel
from tests.integration.features.notify.channels.stubs import Stub, message, settings, tools

pytestmark = pytest.mark.tc("TC-412")


async def test_notify_send_is_used_where_it_is_installed(tmp_path: Path) -> None:
    stub = Stub(tmp_path / "bin", "notify-send")
    channel = DesktopChannel(settings("desktop"), tools({"PATH": str(stub.folder)}))
    assert (await channel.send(message())).ok
    assert len(stub.calls()) == 1
    await channel.close()


async def test_without_any_way_it_says_what_to_install(tmp_path: Path) -> None:
    channel = DesktopChannel(settings("desktop"), tools({"PATH": str(tmp_path)}))
    outcome = await channel.send(message())
    assert not outcome.ok
    assert "apt install libnotify-bin" in outcome.detail
