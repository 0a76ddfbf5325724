"""Tell somebody by one of the services that Apprise knows. It runs in a program of its own."""

from __future__ import annotations

import sys
from typing import Final

from agtmuxd.config import ChannelSettings
from agtmuxd.core.json_codec import encode
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.program import run_program
from agtmuxd.features.notify.channels.secret import SecretError, read_secret_lines
from agtmuxd.features.notify.message import Message, Outcome

SECONDS: Final = 30.0
HELPER: Final = f"{__package__}.apprise_helper"


class AppriseChannel:
    """Hands a message to the helper. At most once: Apprise knows no ids."""

    repeatable = False

    def __init__(self, settings: ChannelSettings, tools: Tools) -> None:
        self.keeps_trying = False
        self._settings = settings
        self._environ = tools.environ

    async def send(self, message: Message) -> Outcome:
        settings = self._settings
        try:
            urls = [settings.url] if settings.url is not None else read_secret_lines(settings.secret_file or "")
        except SecretError as error:
            return Outcome(ok=False, detail=str(error))
        given = {"urls": urls, "title": message.title, "body": message.body, "kind": message.kind}
        ran = await run_program([sys.executable, "-P", "-m", HELPER], self._environ, encode(given), SECONDS)
        if ran.status is None:
            return Outcome(ok=False, detail=f"Apprise took longer than {SECONDS:g} s and was ended", unsure=True)
        if ran.status == 0:
            return Outcome(ok=True)
        # Apprise logs addresses, which hold secrets: only the helper's own last words are shown
        why = ran.errors if ran.status in (2, 3) else "it could not deliver the message"
        return Outcome(ok=False, detail=f"Apprise: {why}")

    async def close(self) -> None:
        """There is nothing to give back."""
