"""Tell somebody by a program of theirs: it gets the message as JSON on standard input."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agtmuxd.config import ChannelSettings
from agtmuxd.core.json_codec import encode
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.program import run_program
from agtmuxd.features.notify.message import Message, Outcome

SECONDS: Final = 5.0
"""How long the program may run."""


class CommandChannel:
    """Runs ``argv``, without a shell. Exit status 0: delivered."""

    repeatable = False

    def __init__(self, settings: ChannelSettings, tools: Tools) -> None:
        self.keeps_trying = False
        first, *rest = settings.argv or ("",)
        self._argv = [str(Path(first).expanduser()) if first.startswith("~") else first, *rest]
        self._environ = tools.environ

    async def send(self, message: Message) -> Outcome:
        try:
            ran = await run_program(self._argv, self._environ, encode(message.public()) + b"\n", SECONDS)
        except OSError as error:
            return Outcome(ok=False, detail=f"{self._argv[0]} cannot be started: {error.strerror}")
        if ran.status is None:
            return Outcome(
                ok=False, detail=f"{self._argv[0]} took longer than {SECONDS:g} s and was ended", unsure=True
            )
        if ran.status:
            why = f": {ran.errors}" if ran.errors else ""
            return Outcome(ok=False, detail=f"{self._argv[0]} ended with status {ran.status}{why}")
        return Outcome(ok=True)

    async def close(self) -> None:
        """There is nothing to give back."""
