"""Define signals, topics and cursors. Pure. Times are in ns."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.json_codec import stamp

TOPIC: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,7}")
"""A topic: up to eight parts with slashes between them."""
CONSUMER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal. ``payload``: its data as JSON text without secrets; None: it has none.

    ``payload_bytes``: of the data as it was sent. ``sender_agent_id`` None: a person sent it.
    """

    seq: int
    signal_id: str
    topic: str
    sender_agent_id: str | None
    sender: str
    payload: str | None
    payload_bytes: int
    created_at: int

    def head(self) -> dict[str, Any]:
        """Convert to the item of the stream, which has no data."""
        return {
            "signal_id": self.signal_id,
            "seq": self.seq,
            "topic": self.topic,
            "sender": self.sender,
            "sender_agent_id": self.sender_agent_id,
            "payload_bytes": self.payload_bytes,
            "created_at": stamp(self.created_at),
        }

    def item(self) -> dict[str, Any]:
        """Convert to the item of answers, with the data."""
        return {**self.head(), "data": None if self.payload is None else json.loads(self.payload)}


def checked_topic(text: str) -> str:
    """Return the topic if it is well-formed. Raises E_INVALID_REQUEST."""
    if len(text) > 256 or TOPIC.fullmatch(text) is None:
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"{text[:80]!r} is not a topic: write it like team/web/built, with letters, digits, ., - and _",
        )
    return text


def checked_range(text: str) -> str:
    """Return a topic, or the start of topics, which ends with a slash. Raises E_INVALID_REQUEST."""
    return f"{checked_topic(text[:-1])}/" if text.endswith("/") else checked_topic(text)


def payload_cap(topic: str, caps: Mapping[str, int], most: int) -> int:
    """Return how many bytes the data of a signal on this topic may have: by the first pattern that fits."""
    return next((cap for pattern, cap in caps.items() if fnmatchcase(topic, pattern)), most)


def digest(topic: str, payload: bytes) -> str:
    """Return what two equal requests share."""
    return hashlib.sha256(topic.encode() + b"\n" + payload).hexdigest()


def parse_operand(text: str) -> tuple[str, int | None]:
    """Return the topic and the sequence of ``TOPIC`` or ``TOPIC>SEQ``. Raises E_INVALID_REQUEST."""
    topic, sign, number = text.partition(">")
    if sign and not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"{number[:40]!r} is not a sequence: write signal:TOPIC or signal:TOPIC>NUMBER"
        )
    return checked_topic(topic), int(number) if sign else None
