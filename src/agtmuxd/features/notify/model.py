"""Define what notifications are made of, and find in a published row why an agent needs a person. Pure.

An *episode* is a time for which one agent needs you for one reason. It begins and ends with published changes. Times
are ns since the epoch by the daemon's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from agtmuxd.core.model import MS

Item = Mapping[str, Any]

HIDDEN: Final = frozenset({"target_unreachable", "pane_unreadable", "stale_signal"})
"""Reasons for ``unknown`` that hide the state: what was known before still counts."""
NEAR: Final = 2 * MS
"""Times in rows have milliseconds. Two that differ by this much are the same."""


class Kind(StrEnum):
    """Why somebody is told. The first six are what rules name."""

    WAITING_APPROVAL = "waiting_approval"
    WAITING_INPUT = "waiting_input"
    ERROR = "error"
    COMPLETED = "completed"
    STUCK = "stuck"
    MESSAGE = "message"  # a message needs a person: it asks people, has no answer in time, or was not delivered
    CHANNEL = "channel"  # a channel delivers nothing: told on another one


WAITS: Final = frozenset({Kind.WAITING_APPROVAL, Kind.WAITING_INPUT})


class Part(StrEnum):
    """A channel hears of an episode once, and once more if the rule says ``remind``."""

    FIRST = "first"
    REMIND = "remind"


@dataclass(frozen=True, slots=True)
class Sign:
    """What tells one reason from the next of the same kind. ``fingerprint``: of the prompt."""

    since: int | None
    attention_since: int | None
    version: int | None
    fingerprint: str | None = None
    accepts_input: bool | None = None
    reason: str | None = None
    hidden: bool = False

    @property
    def gap(self) -> int | None:
        """How long after the state's start it needed attention. It stays the same if the clock was set back."""
        if self.since is None or self.attention_since is None:
            return None
        return self.attention_since - self.since


@dataclass(frozen=True, slots=True)
class Subject:
    """The agent and its place, as they are named in messages.

    ``asks``, ``task`` and ``last_message`` hold text: what it asks for, what it was asked, its last message.
    """

    ref: str
    agent: str
    target: str
    session: str
    place: str  # session:window.pane
    pane_id: str
    cwd: str | None = None
    project: str | None = None
    task: str | None = None
    last_message: str | None = None
    asks: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A reason to tell somebody, as a row shows it now."""

    kind: Kind
    runtime_id: str
    pane_key: str
    sign: Sign
    subject: Subject


@dataclass(frozen=True, slots=True)
class Episode:
    """One reason, from its beginning to its end. ``turn``: how long (ns) the completed turn took; None: not known.

    ``seen_at``: when the pane was looked at since the episode began.
    """

    episode_id: str
    kind: Kind
    runtime_id: str
    pane_key: str
    opened_at: int
    sign: Sign
    subject: Subject
    turn: int | None = None
    seen_at: int | None = None
    closed_at: int | None = None
    close_reason: str | None = None

    def sign_json(self) -> dict[str, Any]:
        return asdict(self.sign)

    def subject_json(self) -> dict[str, Any]:
        return asdict(self.subject)


class State(StrEnum):
    """What became of one delivery: of one episode on one channel."""

    SENDING = "sending"  # its message is being sent, or will be sent again
    SENT = "sent"
    SKIPPED = "skipped"
    DEAD = "dead"  # all attempts failed
    UNKNOWN = "unknown"  # the daemon ended while it was sent


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of an episode on one channel. ``at``: when that was decided. ``rule``: its number, from 1."""

    episode_id: str
    channel: str
    part: Part
    state: State
    at: int
    rule: int | None = None
    reason: str | None = None
    message_id: str | None = None


def known_fields(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return those entries that the dataclass ``kind`` has. A row may be of another version."""
    names = {one.name for one in fields(kind)}
    return {name: one for name, one in value.items() if name in names}


def at(stamp: object) -> int | None:
    """Return the moment of an RFC 3339 text in ns, or None."""
    if not isinstance(stamp, str):
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return round(moment.timestamp() * 1000) * MS


def occurrences(pane_key: str, item: Item) -> tuple[Occurrence, ...]:
    """Find why this pane's agent needs a person: its state, that it is stuck, and a message."""
    runtime_id = item.get("runtime_id")
    if runtime_id is None:
        return ()
    found = []
    kind = _attention_kind(item)
    if kind is not None:
        found.append(Occurrence(kind, runtime_id, pane_key, _sign(item), _subject(item)))
    stuck = item.get("stuck")
    if isinstance(stuck, Mapping) and not stuck.get("seen"):
        sign = Sign(at(stuck.get("since")), at(stuck.get("since")), None)
        found.append(Occurrence(Kind.STUCK, runtime_id, pane_key, sign, _subject(item, stuck.get("reason"))))
    message = _message(item)
    if message is not None:
        since, text = message
        found.append(Occurrence(Kind.MESSAGE, runtime_id, pane_key, Sign(since, since, None), _subject(item, text)))
    return tuple(found)


def is_hidden(item: Item) -> bool:
    """Whether the row's state cannot be seen now, so that the last known one counts."""
    return item.get("state") == "unknown" and item.get("reason_code") in HIDDEN and item.get("last_known") is not None


def state_of(item: Item) -> str | None:
    """Return the state that counts: the last known one while the state cannot be seen."""
    return str(item["last_known"]["state"]) if is_hidden(item) else item.get("state")


def _attention_kind(item: Item) -> Kind | None:
    attention = item.get("attention")
    if attention != "none" and _is_annotated(item):
        return None
    state = state_of(item)
    if attention == "review" and state in ("completed", "idle"):
        return Kind.COMPLETED
    if attention == "needs_action" and state in ("waiting_approval", "waiting_input", "error"):
        return Kind(state)
    return None


def _is_annotated(item: Item) -> bool:
    """Whether a feature gave the row its attention, not the state."""
    notes = [value for value in item.values() if isinstance(value, Mapping) and not value.get("seen")]
    since = item.get("attention_since")
    return any(note.get("attention") == item["attention"] and note.get("since") == since for note in notes)


def _message(item: Item) -> tuple[int, str] | None:
    """Return since when (ns) a message of this agent needs a person, and why. None: none does.

    ``asks`` is what it asks of people. ``mail`` is what could not be delivered.
    """
    asks, mail = item.get("asks"), item.get("mail")
    found = []
    if isinstance(asks, Mapping) and asks.get("attention") == "needs_action" and not asks.get("seen"):
        kind = str(asks.get("kind")).replace("_", " ")
        words = f"no answer in time to its {kind}" if asks.get("overdue") else f"it sent people a {kind}"
        found.append((at(asks.get("since")) or 0, f"{words}: agtmux msg show {asks.get('message_id')}"))
    if isinstance(mail, Mapping) and mail.get("failed_at") and not (mail.get("seen") or mail.get("failed_seen")):
        dead, unsure = int(mail.get("dead") or 0), int(mail.get("unconfirmed") or 0)
        counts = [f"{dead} not delivered"] * bool(dead) + [f"{unsure} not confirmed"] * bool(unsure)
        found.append((at(mail["failed_at"]) or 0, f"messages: {', '.join(counts)}: agtmux dead list"))
    return max(found, default=None)


def _sign(item: Item) -> Sign:
    hidden = is_hidden(item)
    waiting = item.get("waiting_for") or {}
    return Sign(
        since=at(item["last_known"]["since"] if hidden else item.get("since")),
        attention_since=at(item.get("attention_since")),
        version=item.get("state_version"),
        fingerprint=waiting.get("fingerprint"),
        accepts_input=item.get("accepts_input"),
        reason=item.get("reason_code"),
        hidden=hidden,
    )


def _subject(item: Item, reason: object = None) -> Subject:
    identity = item["identity"]
    waiting = item.get("waiting_for") or {}
    asked = ": ".join(str(waiting[key]) for key in ("subject", "text") if waiting.get(key))
    return Subject(
        ref=str(item["ref"]),
        agent=str(item.get("agent_type") or "agent"),
        target=identity["target"],
        session=identity["session_name"],
        place=f"{identity['session_name']}:{item.get('window_index')}.{item.get('pane_index')}",
        pane_id=identity["pane_id"],
        cwd=item.get("cwd"),
        project=item.get("project"),
        task=item.get("task"),
        last_message=item.get("message"),
        asks=str(reason) if reason else asked or item.get("detail") or None,
        fingerprint=waiting.get("fingerprint"),
    )


def is_same(before: Sign, now: Sign, kind: Kind) -> bool:
    """Whether two signs of one runtime and kind belong to the same episode.

    A prompt that a hook reported gets its fingerprint later, from the screen. A prompt that was answered and then asked
    again with the same words is another one: only its version tells. Of messages only a newer one is another.
    """
    if kind is Kind.MESSAGE:
        return (now.since or 0) <= (before.since or 0) + NEAR
    if now.hidden or before.hidden:
        return before.fingerprint == now.fingerprint or not (before.fingerprint and now.fingerprint)
    if kind in WAITS:
        return _is_same_prompt(before, now)
    return _near(before.attention_since, now.attention_since) or _moved_back(before, now)


def _is_same_prompt(before: Sign, now: Sign) -> bool:
    if before.fingerprint and now.fingerprint and before.fingerprint != now.fingerprint:
        return False
    if before.version == now.version:
        return _near(before.since, now.since) or _moved_back(before, now)
    if not _near(before.since, now.since):
        return False
    asked_again = (
        before.fingerprint is not None
        and before.fingerprint == now.fingerprint
        and (before.accepts_input, before.reason) == (now.accepts_input, now.reason)
        and before.version is not None
        and now.version == before.version + 1
    )
    return not asked_again


def _moved_back(before: Sign, now: Sign) -> bool:
    """Whether only the clock was set back between two daemons: then all times of the rows moved back together."""
    if before.since is None or now.since is None or now.since >= before.since:
        return False
    return before.version == now.version and _near(before.gap, now.gap)


def _near(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= NEAR
