"""The linked devices, the single-use codes that link them, and the limit for bad attempts. Pure: time is an argument.

Knows neither HTTP nor the database. Tokens and codes are kept as digests only.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Final

from agtmuxd.api.route import WebScope
from agtmuxd.core.model import NS

CODE_FOR: Final = 90 * NS
"""How long a code may be exchanged."""
MOST_CODES: Final = 16
"""Codes that wait at the same time. A further one replaces the oldest."""
MOST_DEVICES: Final = 64
BAD_ATTEMPTS: Final = 5
BAD_FOR: Final = 60 * NS
"""``BAD_ATTEMPTS`` bad tokens or codes within ``BAD_FOR`` are refused by name. Further ones wait."""


def digest(secret: str) -> str:
    """Return what is stored of a token or a code. Both are random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Device:
    """A browser that was linked. Times in ns. ``seen_at`` None: it has sent no request yet."""

    device_id: str
    name: str
    scope: WebScope
    token_digest: str
    created_at: int
    seen_at: int | None = None


@dataclass(frozen=True, slots=True)
class PendingLink:
    """A code that was made and not exchanged yet. ``expires_at`` in ns."""

    name: str
    scope: WebScope
    expires_at: int


class LinkCodes:
    """The codes that wait to be exchanged, by digest. Each can be taken once."""

    def __init__(self) -> None:
        self._waiting: dict[str, PendingLink] = {}

    def add(self, code: str, name: str, scope: WebScope, now: int) -> PendingLink:
        """Accept ``code`` from now on. An older code for the same name is void."""
        link = PendingLink(name, scope, now + CODE_FOR)
        kept = {one: other for one, other in self._waiting.items() if other.name != name and other.expires_at > now}
        while len(kept) >= MOST_CODES:
            del kept[next(iter(kept))]
        self._waiting = {**kept, digest(code): link}
        return link

    def take(self, code: str, now: int) -> PendingLink | None:
        """Return the link of this code and make the code void. None if it is unknown, used or too old."""
        link = self._waiting.pop(digest(code), None)
        return link if link is not None and now < link.expires_at else None

    def names(self, now: int) -> set[str]:
        """Return the names that wait for a device."""
        return {link.name for link in self._waiting.values() if link.expires_at > now}

    def clear(self) -> None:
        self._waiting.clear()


class BadAttempts:
    """Bad tokens and codes of the last minute. A good one is never counted and never waits."""

    def __init__(self) -> None:
        self._at: deque[int] = deque(maxlen=BAD_ATTEMPTS)
        self.total = 0

    def add(self, now: int) -> int | None:
        """Count one. Return None, or the seconds during which further ones are refused."""
        self.total += 1
        first = self._at[0] if len(self._at) == BAD_ATTEMPTS else None
        if first is not None and now - first < BAD_FOR:
            return max(1, -(-(first + BAD_FOR - now) // NS))
        self._at.append(now)
        return None


def free_name(taken: set[str]) -> str:
    """Return a name for a device that was given none."""
    number = 1
    while (name := "browser" if number == 1 else f"browser-{number}") in taken:
        number += 1
    return name
