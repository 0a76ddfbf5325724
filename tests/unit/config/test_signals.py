"""The settings of signals and waits."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import parse

pytestmark = pytest.mark.tc("TC-742")


def test_caps_are_given_by_topic() -> None:
    settings = parse('[signals]\nburst = 3\npayload_caps = {"team/web/*" = 1024}', "c.toml")
    assert (settings.signals.burst, settings.signals.payload_caps) == (3, {"team/web/*": 1024})
    with pytest.raises(AgtmuxError, match="signals"):
        parse('[signals]\npayload_caps = {"a" = 0}', "c.toml")
    with pytest.raises(AgtmuxError, match="open"):
        parse("[waits]\nopen = 0", "c.toml")
