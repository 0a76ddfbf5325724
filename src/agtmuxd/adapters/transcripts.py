"""Share code among adapters that read transcripts: times, texts, the last message of several lines.

Owns no facts about any agent. Reads no file: the daemon does (``agtmuxd.targets.local.file_tail``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agtmuxd.adapters.contract import TranscriptEvent

MESSAGE_CHARS: Final = 64 * 1024
"""Characters of a message that are kept. The rest is cut off."""

Reader = Callable[[Mapping[str, Any]], TranscriptEvent | None]


def moment(line: Mapping[str, Any], key: str = "timestamp") -> int | None:
    """Return the time in a line, in ns since the epoch. None if there is none or it cannot be read."""
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
    """Return the texts of all blocks of one kind, joined by blank lines. A plain string is returned as it is. None if
    there is no text.
    """
    if isinstance(content, str):
        found = [content]
    elif isinstance(content, Sequence):
        blocks = [b for b in content if isinstance(b, Mapping) and b.get("type") == kind]
        found = [b["text"] for b in blocks if isinstance(b.get("text"), str)]
    else:
        return None
    whole = "\n\n".join(t.strip("\n") for t in found if t.strip())
    return whole[:MESSAGE_CHARS] or None


def join_message(before: str | None, part_of: str | None, event: TranscriptEvent) -> str | None:
    """Return the message after one more line: with a further piece of it, or another message."""
    if event.message is None:
        return before
    if before is None or event.part_of is None or event.part_of != part_of or before.endswith(event.message):
        return event.message
    return f"{before}\n\n{event.message}"[:MESSAGE_CHARS]


def last_message(lines: Sequence[Mapping[str, Any]], read: Reader) -> str | None:
    """Return the last message in ``lines`` (oldest first), or None."""
    message: str | None = None
    part_of: str | None = None
    for line in lines:
        event = read(line)
        if event is not None and event.message is not None:
            message, part_of = join_message(message, part_of, event), event.part_of
    return message
