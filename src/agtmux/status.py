"""Print the counts of agents for a status bar (``agtmux status``), fast, without ever starting a daemon.

Owns the four formats. Imports neither click nor rich: bars run this again and again.
"""

from __future__ import annotations

import json
import os
import sys

from agtmux.client import Client
from agtmux.protocol import status_text
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TIMEOUT = 1.0
"""Seconds for each wait for the daemon. A bar must not hang."""


def run(argv: list[str]) -> bool:
    """Print the counts if ``argv`` is a plain request: ``[--format NAME]``. Return False for anything else."""
    words = argv[0].split("=", 1) if len(argv) == 1 else argv
    if sys.stdout is None or (words and (len(words) != 2 or words[0] != "--format" or words[1] not in FORMATS)):
        return False
    try:
        show(words[1] if words else "plain")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has left
    return True


def show(name: str) -> None:
    """Print the counts in a format of ``FORMATS``, or that they are not known."""
    body, counts, why = b"", None, ""
    try:
        reply = Client(timeout=TIMEOUT).status()
        body, counts = reply.body, reply.json()
    except AgtmuxError as error:
        body, why = json.dumps(error.envelope()).encode(), error.message
    text = body.decode("utf-8", "replace") if name == "json" else FORMATS[name](counts, why)
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def _plain(counts: Mapping[str, Any] | None, _why: str) -> str:
    return status_text.UNKNOWN if counts is None else status_text.plain(counts)


def _tmux(counts: Mapping[str, Any] | None, _why: str) -> str:
    return status_text.UNKNOWN if counts is None else status_text.tmux(counts)


def _waybar(counts: Mapping[str, Any] | None, why: str) -> str:
    kind = "unknown"
    if counts is not None:
        kind = next((name for name, _, _ in status_text.SIGNS if counts.get(name)), "idle")
    bar = {"text": _plain(counts, why), "tooltip": _tooltip(counts) if counts is not None else why, "class": kind}
    return json.dumps(bar)


def _tooltip(counts: Mapping[str, Any]) -> str:
    words = {
        "needs_action": "need you", "error": "failed", "review": "to review", "running": "running",
        "unanswered_targets": "targets that do not answer",
    }  # fmt: skip
    return "\n".join([f"{word}: {counts[name]}" for name, word in words.items() if counts.get(name)]) or "all quiet"


FORMATS: dict[str, Callable[[Mapping[str, Any] | None, str], str]] = {
    "plain": _plain,
    "tmux": _tmux,
    "waybar": _waybar,
    "json": _plain,  # printed as it came
}
