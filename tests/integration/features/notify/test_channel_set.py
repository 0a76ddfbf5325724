"""The channels follow the configuration: kept while their settings stay, closed when they go."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.config import ChannelSettings, NotifySettings
from agtmuxd.features.notify.channel_set import ChannelSet
from agtmuxd.features.notify.channels.contract import Channel, Tools
from tests.integration.features.notify.stand import FakeChannel, Wall

pytestmark = pytest.mark.tc("TC-411")


async def press(_message_id: str, _verb: str) -> str | None:
    return None


class Config:
    def __init__(self, *names: str) -> None:
        self.name(*names)

    def name(self, *names: str, kind: str = "desktop") -> None:
        self.settings = NotifySettings.model_validate({"channels": [{"name": name, "kind": kind} for name in names]})


def made(config: Config, make: Any = None) -> ChannelSet:
    def fake(settings: ChannelSettings, _tools: Tools) -> Channel:
        return FakeChannel(settings, Wall())

    return ChannelSet(lambda: config.settings, Tools({}, lambda: 0, press), make or fake)


async def test_a_channel_stays_the_same_while_its_settings_do() -> None:
    config = Config("a", "b")
    channels = made(config)
    first, other = channels.get("a"), channels.get("b")
    config.name("a", "b")
    assert channels.get("a") is first
    config.name("a", kind="tmux")
    new = channels.get("a")
    assert new is not first
    await channels.close_old()
    assert isinstance(first, FakeChannel) and first.closed
    assert isinstance(other, FakeChannel) and other.closed
    assert isinstance(new, FakeChannel) and not new.closed
    await channels.close()
    assert new.closed


async def test_a_name_that_the_configuration_lacks_is_no_channel() -> None:
    channels = made(Config("a"))
    assert channels.get("b") is None
    assert [one.name for one in channels] == ["a"]


async def test_a_channel_that_cannot_be_closed_stops_nothing() -> None:
    class Stubborn(FakeChannel):
        async def close(self) -> None:
            raise RuntimeError("no")

    config = Config("a")
    channels = made(config, lambda settings, _tools: Stubborn(settings, Wall()))
    assert channels.get("a") is not None
    config.name()
    await channels.close_old()
    await channels.close()
