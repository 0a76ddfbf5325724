"""Show a banner on a Linux desktop by the program notify-send. It cannot be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agtmuxd.features.notify.channels.program import run_program
from agtmuxd.features.notify.message import Message, Outcome

SECONDS: Final = 5.0
URGENT: Final = frozenset({"waiting_approval", "waiting_input", "error", "channel"})
"""Kinds of messages that stay on the screen until somebody has seen them."""


def markup(text: str) -> str:
    """Escape text for the body of a banner, which desktops read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def show(program: str, message: Message, environ: Mapping[str, str]) -> Outcome:
    """Run notify-send once."""
    urgency = "critical" if message.kind in URGENT else "normal"
    argv = [program, "--app-name=agtmux", f"--urgency={urgency}", "--", message.title, markup(message.body)]
    try:
        ran = await run_program(argv, environ, b"", SECONDS)
    except OSError as error:
        return Outcome(ok=False, detail=f"notify-send cannot be started: {error.strerror}")
    if ran.status is None:
        why = f"notify-send took longer than {SECONDS:g} s: does a notification service run?"
        return Outcome(ok=False, detail=why, unsure=True)
    if ran.status:
        return Outcome(ok=False, detail=f"notify-send ended with status {ran.status}: {ran.errors}")
    return Outcome(ok=True)
