"""Define a wait and its conditions, and decide when it is over. Pure. Times are in ns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.json_codec import encode, stamp, stamp_or_none
from agtmuxd.core.model import State

MODES: Final = ("any", "all", "at_least")
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "done": ("completed", "idle"),
    "waiting": ("waiting_approval", "waiting_input"),
    "attention": ("waiting_approval", "waiting_input", "error"),
}
"""Names for several states at once, as the command line has them."""
_CONDITION: Final = re.compile(r"([a-z]+):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class WaitCondition:
    """One condition of a wait. ``text``: as it was asked for; ``operand``: as its feature keeps it.

    ``state``: ``open``, ``met`` (for good: it may be otherwise by now) or ``gone`` (it can never be met any more;
    ``reason`` says why). ``result``: JSON that says how it was met.
    """

    text: str
    kind: str
    operand: str
    state: str = "open"
    at: int | None = None
    result: dict[str, Any] | None = None
    reason: str | None = None

    def item(self) -> dict[str, Any]:
        """Convert to JSON for answers."""
        return {
            "condition": self.text,
            "watches": f"{self.kind}:{self.operand}",
            "state": self.state,
            "at": stamp_or_none(self.at),
            "result": self.result,
            "reason": self.reason,
        }

    def to_json(self) -> dict[str, Any]:
        """Convert for the database. ``from_json`` gives an equal condition."""
        return {
            "text": self.text, "kind": self.kind, "operand": self.operand, "state": self.state, "at": self.at,
            "result": self.result, "reason": self.reason,
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> WaitCondition:
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait. ``owner_agent_id`` None: a person waits. ``needed``: how many conditions have to be met.

    ``state``: ``open``, ``met``, ``timeout``, ``failed`` (too many conditions are gone) or ``cancelled``.
    """

    wait_id: str
    owner_agent_id: str | None
    owner: str
    mode: str
    needed: int
    conditions: tuple[WaitCondition, ...]
    deadline: int
    created_at: int
    state: str = "open"
    ended_at: int | None = None

    def item(self) -> dict[str, Any]:
        """Convert to the item of answers and of the stream."""
        return {
            "wait_id": self.wait_id,
            "owner": self.owner,
            "mode": self.mode,
            "needed": self.needed,
            "met": sum(one.state == "met" for one in self.conditions),
            "state": self.state,
            "conditions": [one.item() for one in self.conditions],
            "deadline": stamp(self.deadline),
            "created_at": stamp(self.created_at),
            "ended_at": stamp_or_none(self.ended_at),
        }

    def with_conditions(self, conditions: Sequence[WaitCondition], now: int) -> Wait:
        """Return this wait with these conditions, ended if they decide it, or if its time is over."""
        state = _outcome(conditions, self.needed)
        if state == "open" and now >= self.deadline:
            state = "timeout"
        return replace(self, conditions=tuple(conditions), state=state, ended_at=None if state == "open" else now)

    def cancelled(self, now: int) -> Wait:
        """Return this wait, ended without a result."""
        return replace(self, state="cancelled", ended_at=now)


def _outcome(conditions: Iterable[WaitCondition], needed: int) -> str:
    states = [one.state for one in conditions]
    if states.count("met") >= needed:
        return "met"
    return "open" if states.count("met") + states.count("open") >= needed else "failed"


def needed_of(mode: str, at_least: int | None, conditions: int) -> int:
    """Return how many conditions have to be met. Raises E_INVALID_REQUEST."""
    if mode != "at_least":
        if at_least is not None:
            raise AgtmuxError("E_INVALID_REQUEST", f"at_least: only the mode at_least takes it, not {mode}")
        return 1 if mode == "any" else conditions
    if at_least is None or not 1 <= at_least <= conditions:
        raise AgtmuxError("E_INVALID_REQUEST", f"at_least: give a number from 1 to {conditions}, the conditions")
    return at_least


def split_condition(text: str, known: Iterable[str]) -> tuple[str, str]:
    """Return the word before the colon, and what stands after it. Raises E_INVALID_REQUEST."""
    match = _CONDITION.fullmatch(text)
    words = sorted(known)
    if match is None or match[1] not in words:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"{text[:80]!r} is not a condition: begin with {', '.join(f'{w}:' for w in words)}"
        )
    return match[1], match[2]


def states_of(words: str) -> tuple[str, ...]:
    """Return the states of ``waiting,idle``. Raises E_INVALID_REQUEST."""
    found: dict[str, None] = {}
    for word in words.split(","):
        if word not in GROUPS and word not in list(State):
            known = ", ".join([*map(str, State), *GROUPS])
            raise AgtmuxError("E_INVALID_REQUEST", f"{word[:40]!r} is not a state: use {known}")
        found.update(dict.fromkeys(GROUPS.get(word, (word,))))
    return tuple(found)


def digest(mode: str, needed: int, conditions: Sequence[str], timeout: float) -> str:
    """Return what two equal requests share."""
    return hashlib.sha256(encode([mode, needed, list(conditions), timeout])).hexdigest()
