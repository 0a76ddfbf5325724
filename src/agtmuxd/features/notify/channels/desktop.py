"""Tell somebody by a banner on the desktop of this machine. Chooses the way that works here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from agtmuxd.config import ChannelSettings
from agtmuxd.features.notify.channels import notify_send
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.message import Message, Outcome


class DesktopChannel:
    """Shows banners. At most once: a banner that may have been shown before a crash is not shown again."""

    repeatable = False

    def __init__(self, settings: ChannelSettings, tools: Tools) -> None:
        self.keeps_trying = False
        self._environ = dict(tools.environ)
        bus = f"/run/user/{os.getuid()}/bus"
        if "DBUS_SESSION_BUS_ADDRESS" not in self._environ and Path(bus).exists():
            self._environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"

    async def send(self, message: Message) -> Outcome:
        program = shutil.which("notify-send", path=self._environ.get("PATH"))
        if program is None:
            return Outcome(
                ok=False, detail="no way to show banners: install notify-send (Debian: apt install libnotify-bin)"
            )
        return await notify_send.show(program, message, self._environ)

    async def close(self) -> None:
        """There is nothing to give back."""
