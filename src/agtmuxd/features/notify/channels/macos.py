"""Show a banner on macOS: by terminal-notifier, by SwiftBar if it runs, or else by osascript.

macOS shows banners of signed programs only. Python from pipx or Homebrew is none, so one of these has to do it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from agtmuxd.features.notify.channels.program import run_program
from agtmuxd.features.notify.message import Message, Outcome

SECONDS: Final = 5.0
_SCRIPT: Final = (
    "on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run",
)  # fmt: skip
_HANDLE: Final = "terminal-notifier:"


async def show(message: Message, environ: Mapping[str, str]) -> Outcome:
    """Show a banner by the first way that works here."""
    path = environ.get("PATH")
    notifier = shutil.which("terminal-notifier", path=path)
    if notifier is not None:
        argv = [notifier, "-title", _word(message.title), "-message", _word(message.body or message.title)]
        argv += ["-group", message.message_id]
        return await _run(argv, environ, f"{_HANDLE}{message.message_id}")
    if await _runs("SwiftBar", environ):
        url = f"swiftbar://notify?plugin=agtmux&title={quote(message.title)}&body={quote(message.body)}"
        return await _run(["open", "-g", url], environ)
    script = [word for line in _SCRIPT for word in ("-e", line)]
    return await _run(["osascript", *script, message.title, message.body], environ)


async def remove(handle: str, environ: Mapping[str, str]) -> None:
    """Remove a banner of terminal-notifier. The other ways cannot."""
    notifier = shutil.which("terminal-notifier", path=environ.get("PATH"))
    if notifier is not None and handle.startswith(_HANDLE):
        await _run([notifier, "-remove", handle.removeprefix(_HANDLE)], environ)


def _word(text: str) -> str:
    """Return a value that terminal-notifier does not read as a list or an option."""
    return f"\\{text}" if text[:1] in "[({<-" and text else text


async def _runs(program: str, environ: Mapping[str, str]) -> bool:
    try:
        return (await run_program(["pgrep", "-x", program], environ, b"", SECONDS)).status == 0
    except OSError:
        return False


async def _run(argv: Sequence[str], environ: Mapping[str, str], handle: str | None = None) -> Outcome:
    try:
        ran = await run_program(argv, environ, b"", SECONDS)
    except OSError as error:
        return Outcome(ok=False, detail=f"{argv[0]} cannot be started: {error.strerror}")
    if ran.status is None:
        return Outcome(ok=False, detail=f"{argv[0]} took longer than {SECONDS:g} s", unsure=True)
    if ran.status:
        return Outcome(ok=False, detail=f"{argv[0]} ended with status {ran.status}: {ran.errors}")
    return Outcome(ok=True, handle=handle)
