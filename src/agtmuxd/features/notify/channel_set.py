"""Keep the channels of the current configuration, and make new ones when it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog

from agtmuxd.config import ChannelSettings, NotifySettings
from agtmuxd.features.notify.channels.build import channel_of
from agtmuxd.features.notify.channels.contract import Channel, Tools

_LOG = structlog.get_logger("notify")


class ChannelSet:
    """The channels by name. A channel whose settings stay the same stays the same object."""

    def __init__(
        self,
        settings: Callable[[], NotifySettings],
        tools: Tools,
        make: Callable[[ChannelSettings, Tools], Channel] = channel_of,
    ) -> None:
        self._settings = settings
        self._tools = tools
        self._make = make
        self._made: dict[str, tuple[ChannelSettings, Channel]] = {}
        self._old: list[Channel] = []

    def __iter__(self) -> Iterator[ChannelSettings]:
        """The settings of all channels, in the order of the configuration."""
        return iter(self._settings().channels)

    def settings_of(self, name: str) -> ChannelSettings | None:
        return next((one for one in self._settings().channels if one.name == name), None)

    def get(self, name: str) -> Channel | None:
        """Return a channel; None if the configuration has none of that name."""
        settings = self.settings_of(name)
        held = self._made.get(name)
        if held is not None and held[0] == settings:
            return held[1]
        if held is not None:
            self._old.append(held[1])
            del self._made[name]
        if settings is None:
            return None
        made = self._make(settings, self._tools)
        self._made[name] = settings, made
        return made

    async def close_old(self) -> None:
        """Close channels that the configuration no longer has."""
        for name in [name for name in self._made if self.settings_of(name) is None]:
            self._old.append(self._made.pop(name)[1])
        while self._old:
            await _close(self._old.pop())

    async def close(self) -> None:
        """Close all channels. Idempotent."""
        self._old += [channel for _, channel in self._made.values()]
        self._made.clear()
        while self._old:
            await _close(self._old.pop())


async def _close(channel: Channel) -> None:
    try:
        await channel.close()
    except Exception:  # noqa: BLE001 a connection that cannot be closed must not stop the daemon
        _LOG.exception("a channel could not be closed")
