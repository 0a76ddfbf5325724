"""Tell somebody by a banner on the desktop of this machine. Chooses the way that works here."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from agtmuxd.config import ChannelSettings
from agtmuxd.features.notify.channels import macos, notify_send
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.message import Message, Outcome

if TYPE_CHECKING:
    from agtmuxd.features.notify.channels.dbus import Banners

_LOG = structlog.get_logger("notify")


class DesktopChannel:
    """Shows banners. At most once: a banner that may have been shown is not shown again."""

    repeatable = False

    def __init__(self, settings: ChannelSettings, tools: Tools, platform: str = sys.platform) -> None:
        self.keeps_trying = False
        self._settings = settings
        self._tools = tools
        self._platform = platform
        self._environ = dict(tools.environ)
        bus = f"/run/user/{os.getuid()}/bus"
        if "DBUS_SESSION_BUS_ADDRESS" not in self._environ and Path(bus).exists():
            self._environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
        self._banners = self._by_dbus()

    def _by_dbus(self) -> Banners | None:
        address = self._environ.get("DBUS_SESSION_BUS_ADDRESS")
        if self._platform == "darwin" or not address:
            return None
        try:
            from agtmuxd.features.notify.channels.dbus import Banners
        except ImportError:  # the extra agtmux[desktop] is not installed
            return None
        return Banners(address, self._pressed)

    async def send(self, message: Message) -> Outcome:
        if self._platform == "darwin":
            return await macos.show(message, self._environ)
        if self._banners is not None:
            return await self._banners.show(message, buttons=self._settings.actions and self._settings.full)
        program = shutil.which("notify-send", path=self._environ.get("PATH"))
        if program is None:
            why = "no way to show banners: install agtmux[desktop], or notify-send (Debian: apt install libnotify-bin)"
            if "DBUS_SESSION_BUS_ADDRESS" not in self._environ:
                why = "no desktop: the daemon has no session bus (DBUS_SESSION_BUS_ADDRESS is not set)"
            return Outcome(ok=False, detail=why)
        return await notify_send.show(program, message, self._environ)

    async def retract(self, handle: str) -> None:
        """Remove a banner, where the way that showed it can."""
        if self._platform == "darwin":
            await macos.remove(handle, self._environ)
        elif self._banners is not None:
            await self._banners.remove(handle)

    async def close(self) -> None:
        if self._banners is not None:
            await self._banners.close()

    async def _pressed(self, message_id: str, verb: str) -> None:
        """Do what a button says. If that is refused, say so where the banner was."""
        try:
            why = await self._tools.press(message_id, verb)
            if why is not None and self._banners is not None:
                await self._banners.replace(message_id, "agtmux: nothing was done", why)
        except Exception:  # noqa: BLE001 the outermost edge of this task
            _LOG.exception("a press on a banner failed", verb=verb)
