"""What adapters whose agents write a transcript share: times, texts, the last message of a run of lines.

Owns no agent's facts, reads no file: files are the daemon's (``agtmuxd.targets.local.file_tail``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agtmuxd.adapters.contract import TranscriptEvent

MESSAGE_CHARS: Final = 64 * 1024
"""More of a message is cut off at its end."""

Reader = Callable[[Mapping[str, Any]], TranscriptEvent | None]


def moment(line: Mapping[str, Any], key: str = "timestamp") -> int | None:
    """A line's own time in ns; None where there is none that can be read."""
    value = line.get(key)
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    if read.tzinfo is None:
        return None
    return int(read.timestamp() * 1000) * 1_000_000


def texts(content: Any, kind: str) -> str | None:
    """The texts of all blocks of one kind, joined by blank lines; a plain text is itself. None where there is none."""
    if isinstance(content, str):
        found = [content]
    elif isinstance(content, Sequence):
        blocks = [b for b in content if isinstance(b, Mapping) and b.get("type") == kind]
        found = [b["text"] for b in blocks if isinstance(b.get("text"), str)]
    else:
        return None
    whole = "\n\n".join(t.strip("\n") for t in found if t.strip())
    return whole[:MESSAGE_CHARS] or None


def joined(before: str | None, part_of: str | None, told: TranscriptEvent) -> str | None:
    """A message with what one more line tells: a further piece of it, or another one."""
    if told.message is None:
        return before
    if before is None or told.part_of is None or told.part_of != part_of or before.endswith(told.message):
        return told.message
    return f"{before}\n\n{told.message}"[:MESSAGE_CHARS]


def last_message(lines: Sequence[Mapping[str, Any]], read: Reader) -> str | None:
    """The last message in ``lines``, oldest first."""
    message: str | None = None
    part_of: str | None = None
    for line in lines:
        told = read(line)
        if told is not None and told.message is not None:
            message, part_of = joined(message, part_of, told), told.part_of
    return message
