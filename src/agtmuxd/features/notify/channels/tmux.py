"""Tell somebody by a message in tmux's status line, on the terminal that was used last."""

from __future__ import annotations

from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import ChannelSettings
from agtmuxd.features.notify.channels.clients import used_last
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.message import Message, Outcome

SHOWN_FOR: Final = "4000"
"""Milliseconds. Any key ends it sooner."""


class TmuxChannel:
    """Shows a message by ``display-message``. At most once."""

    repeatable = False

    def __init__(self, settings: ChannelSettings, tools: Tools) -> None:
        self.keeps_trying = False
        self._tools = tools

    async def send(self, message: Message) -> Outcome:
        tmux = self._tools.tmux
        found = used_last(await self._tools.terminals())
        if tmux is None or found is None:
            return Outcome(ok=False, detail="no terminal is attached to tmux", absent=True)
        text = " – ".join([message.title, *message.body.splitlines()])
        words = ["display-message", "-c", found.client.name, "-d", SHOWN_FOR, tmux.message(text)]
        try:
            await tmux.run(found.target_id, [words])
        except AgtmuxError as error:
            return Outcome(ok=False, detail=error.message, unsure="did not answer" in error.message)
        return Outcome(ok=True)

    async def close(self) -> None:
        """There is nothing to give back."""
