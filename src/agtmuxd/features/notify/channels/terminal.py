"""Tell somebody by the terminal itself: an escape sequence to the terminal that was used last.

It is written to the terminal of the tmux client, never to a pane: no agent's output gets foreign bytes. It works over
ssh, because such a terminal shows the notification where you sit.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from agtmuxd.config import ChannelSettings
from agtmuxd.features.notify.channels.clients import used_last
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.escapes import escape_for
from agtmuxd.features.notify.message import Message, Outcome

_FLAGS: Final = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC


class TerminalChannel:
    """Writes to the tty of a tmux client of this machine, once, without waiting. At most once."""

    repeatable = False

    def __init__(self, settings: ChannelSettings, tools: Tools) -> None:
        self.keeps_trying = False
        self._tools = tools

    async def send(self, message: Message) -> Outcome:
        found = used_last([one for one in await self._tools.terminals() if one.local])
        if found is None:
            return Outcome(ok=False, detail="no terminal of this machine is attached to tmux", absent=True)
        client = found.client
        text = " – ".join(message.body.splitlines())
        data = escape_for(client.termname, client.termtype, message.title, text, message.message_id)
        why = write_once(client.tty, data)
        return Outcome(ok=why is None, detail=why or "")

    async def close(self) -> None:
        """There is nothing to give back."""


def write_once(tty: str, data: bytes) -> str | None:
    """Write to a terminal that belongs to this user, without waiting. Return why not, or None."""
    try:
        fd = os.open(tty, _FLAGS)
    except OSError as error:
        return f"{tty} cannot be opened: {error.strerror}"
    try:
        status = os.fstat(fd)
        if not stat.S_ISCHR(status.st_mode) or not os.isatty(fd):
            return f"{tty} is not a terminal"
        if status.st_uid != os.getuid():
            return f"{tty} belongs to another user"
        written = os.write(fd, data)
    except OSError as error:
        return f"{tty} does not accept text now: {error.strerror}"
    finally:
        os.close(fd)
    return None if written == len(data) else f"{tty} accepted only part of the text"
