"""Define messages, their deliveries and their limits. Pure. Times are in ns.

A message has one delivery for each recipient. ``PEOPLE`` is the recipient of what is for people: they share one inbox.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.agents.model import PERSON
from agtmuxd.core.json_codec import stamp, stamp_or_none

NS: Final = 1_000_000_000
PEOPLE: Final = ""
"""The agent id of people, who share one inbox."""
TO_PEOPLE: Final = PERSON
"""How a sender names them. No agent can have this name."""

MOST_SUBJECT: Final = 200
"""Characters of a subject."""
MOST_BODY: Final = 65_536
"""Bytes of a body, in UTF-8."""
MOST_RECIPIENTS: Final = 32
MOST_HOPS: Final = 8
"""Replies of agents in a row, without one of a person."""
QUEUE_DEPTH: Final = 50
"""Open deliveries that an agent may have."""
PEOPLE_DEPTH: Final = 500
"""The same for people."""
RATE: Final = 60 / 60
"""Messages a second from one agent to one recipient, on average."""
BURST: Final = 10
PREVIEW: Final = 120
"""Characters of a body that lists show."""


class Kind(StrEnum):
    """What a message is."""

    NOTE = "note"
    TASK = "task"
    RESULT = "result"
    QUESTION = "question"
    ANSWER = "answer"
    BLOCKER = "blocker"
    REVIEW_REQUEST = "review_request"
    REVIEW_RESULT = "review_result"
    STATUS = "status"
    PLAN = "plan"
    PROMPT = "prompt"  # a person's prompt in an agent's queue


REPLIES: Final[Mapping[Kind, Kind]] = {
    Kind.QUESTION: Kind.ANSWER, Kind.TASK: Kind.RESULT, Kind.REVIEW_REQUEST: Kind.REVIEW_RESULT,
}  # fmt: skip
"""What answers a kind. The reply to another kind is a note, and any reply answers it."""


class Priority(StrEnum):
    """Which message comes first in a queue."""

    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"


TTL: Final[Mapping[Priority, int]] = {
    Priority.URGENT: 2 * 3600 * NS, Priority.NORMAL: 24 * 3600 * NS, Priority.LOW: 24 * 3600 * NS,
}  # fmt: skip
"""How long a message may wait in a queue."""
BAND: Final = 1e9
BANDS: Final[Mapping[Priority, float]] = {Priority.URGENT: -BAND, Priority.NORMAL: 0.0, Priority.LOW: BAND}
"""Where the positions of a priority begin. Each band has ``BAND`` positions, so the position alone orders a queue."""


class DeliveryState(StrEnum):
    """How far a message has come on its way to one recipient."""

    QUEUED = "queued"
    HELD = "held"  # not typed yet; ``hold_reason`` says why
    CLAIMED = "claimed"  # it is being typed
    SUBMITTED = "submitted"
    SUBMITTED_UNCONFIRMED = "submitted_unconfirmed"  # typed, without evidence that it was accepted
    DELIVERED = "delivered"
    READ = "read"
    ACKED = "acked"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DEAD = "dead"  # all tries failed


S = DeliveryState
OPEN: Final = (S.QUEUED, S.HELD, S.CLAIMED, S.SUBMITTED, S.SUBMITTED_UNCONFIRMED)
"""States of deliveries that count for the depth of a queue."""
WAITING: Final = (S.QUEUED, S.HELD)
"""States before anything was typed: only these can be cancelled or expire."""
LOST: Final = (S.EXPIRED, S.CANCELLED, S.DEAD)
"""States in which a delivery ends without its recipient."""
REACHED: Final[Mapping[str, tuple[DeliveryState, ...]]] = {
    "delivered": (S.DELIVERED, S.READ, S.ACKED), "read": (S.READ, S.ACKED), "acked": (S.ACKED,),
}  # fmt: skip
"""For each receipt that one can wait for: the states in which it was given."""


class DeliveryRoute(StrEnum):
    """How a message reaches its recipient."""

    PANE = "pane"  # it is typed into the pane
    PULL = "pull"  # the recipient reads its inbox
    HOOK = "hook"


class Reaction(StrEnum):
    """A short answer that wakes no pane."""

    PLUS_ONE = "+1"
    LOOKING = "eyes"
    DONE = "done"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is stored. ``sender_agent_id`` None: a person. ``seq``: 0 until it is stored."""

    message_id: str
    sender_agent_id: str | None
    sender_label: str
    kind: Kind
    priority: Priority
    subject: str
    body: str
    thread_id: str
    request_ref: str
    request_digest: str
    created_at: int
    seq: int = 0
    parent_id: str | None = None
    channel_id: str | None = None
    refs: tuple[Mapping[str, Any], ...] = ()
    depends_on: tuple[str, ...] = ()
    reply_by: int | None = None
    overdue_at: int | None = None
    expires_at: int | None = None
    hop: int = 0
    cancelled_at: int | None = None

    def item(self, *, body: bool, channel: str | None = None, ready: bool | None = None) -> dict[str, Any]:
        """Convert to the item of answers, without its deliveries and reactions.

        ``body``: with its text. ``channel``: the channel's name. ``ready``: of a task, whether it can begin.
        """
        return {
            "message_id": self.message_id,
            "seq": self.seq,
            "sender": self.sender_label,
            "sender_agent_id": self.sender_agent_id,
            "kind": str(self.kind),
            "priority": str(self.priority),
            "subject": self.subject,
            "preview": preview(self.body),
            "body": self.body if body else None,
            "body_bytes": len(self.body.encode()),
            "parent_id": self.parent_id,
            "thread_id": self.thread_id,
            "channel": channel,
            "refs": [dict(one) for one in self.refs],
            "depends_on": list(self.depends_on),
            "ready": ready,
            "reply_by": stamp_or_none(self.reply_by),
            "overdue_at": stamp_or_none(self.overdue_at),
            "expires_at": stamp_or_none(self.expires_at),
            "hop": self.hop,
            "created_at": stamp(self.created_at),
            "cancelled_at": stamp_or_none(self.cancelled_at),
        }

    def change(self) -> dict[str, Any]:
        """Convert to the item of the stream. Everybody may read that, so it has no text of the sender's."""
        left_out = ("subject", "preview", "body", "refs", "channel", "ready")
        return {name: value for name, value in self.item(body=False).items() if name not in left_out}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What somebody wants to send. Either ``to`` (names, refs or ``TO_PEOPLE``), ``channel``, or ``parent`` (a reply).

    ``kind`` None: the usual one, which for a reply depends on its parent.
    """

    request_ref: str
    body: str
    subject: str = ""
    kind: Kind | None = None
    priority: Priority | None = None
    to: tuple[str, ...] = ()
    channel: str | None = None
    parent: str | None = None
    refs: tuple[Mapping[str, Any], ...] = ()
    depends_on: tuple[str, ...] = ()
    reply_by: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one recipient. ``agent_id`` is ``PEOPLE`` for people.

    ``position`` orders the agent's queue. ``runtime_id``: whom it was typed to. ``action_ref``: of the action that
    typed it. ``evidence``: what showed that it was delivered.
    """

    delivery_id: str
    message_id: str
    agent_id: str
    state: DeliveryState
    route: DeliveryRoute
    position: float
    updated_at: int
    hold_reason: str | None = None
    attempts: int = 0
    next_try_at: int | None = None
    runtime_id: str | None = None
    claimed_at: int | None = None
    action_ref: str | None = None
    submitted_at: int | None = None
    delivered_at: int | None = None
    evidence: str | None = None
    read_at: int | None = None
    acked_at: int | None = None
    error_code: str | None = None

    def item(self, agent: str | None) -> dict[str, Any]:
        """Convert to the item of answers and of the stream. ``agent``: the recipient's name now; None for people."""
        return {
            "delivery_id": self.delivery_id,
            "message_id": self.message_id,
            "agent_id": self.agent_id or None,
            "agent": agent,
            "state": str(self.state),
            "hold_reason": self.hold_reason,
            "route": str(self.route),
            "position": self.position,
            "attempts": self.attempts,
            "next_try_at": stamp_or_none(self.next_try_at),
            "runtime_id": self.runtime_id,
            "claimed_at": stamp_or_none(self.claimed_at),
            "action_ref": self.action_ref,
            "submitted_at": stamp_or_none(self.submitted_at),
            "delivered_at": stamp_or_none(self.delivered_at),
            "evidence": self.evidence,
            "read_at": stamp_or_none(self.read_at),
            "acked_at": stamp_or_none(self.acked_at),
            "error_code": self.error_code,
            "updated_at": stamp(self.updated_at),
        }


@dataclass(frozen=True, slots=True)
class Channel:
    """A named group of recipients. ``team`` None: of no team."""

    channel_id: str
    name: str
    created_at: int
    team: str | None = None
    team_id: str | None = None
    members: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def full_name(self) -> str:
        return f"{self.team}/{self.name}" if self.team else self.name

    def item(self) -> dict[str, Any]:
        """Convert to the item of answers and of the stream."""
        return {
            "channel_id": self.channel_id,
            "name": self.name,
            "team": self.team,
            "created_at": stamp(self.created_at),
            "members": [dict(member) for member in self.members],
        }


def preview(body: str) -> str:
    """Return the beginning of a body on one line, at most ``PREVIEW`` characters."""
    text = " ".join(one_line(body[: 4 * PREVIEW]).split())
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


def digest(operation: str, request: Mapping[str, Any]) -> str:
    """Return the digest of a request without its ``request_ref``: two requests with one ref must agree in it."""
    text = json.dumps({**request, "operation": operation, "request_ref": None}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_new(new: NewMessage, now: int) -> None:
    """Raise E_INVALID_REQUEST for fields that do not fit together, and E_PAYLOAD_TOO_LARGE."""
    check_size(new.subject, new.body)
    if new.reply_by is not None and new.reply_by <= now:
        raise AgtmuxError("E_INVALID_REQUEST", "reply_by: this time is past: give one to come")
    if new.reply_by is not None and new.parent is None and new.kind not in REPLIES:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"reply_by: only {', '.join(REPLIES)} wait for an answer: give one of these as kind"
        )
    if new.depends_on and new.kind is not Kind.TASK:
        raise AgtmuxError("E_INVALID_REQUEST", "depends_on: only a task depends on others: give task as kind")


def check_size(subject: str, body: str) -> None:
    """Raise E_PAYLOAD_TOO_LARGE, with the limit, for a subject or a body that is too long."""
    if len(subject) > MOST_SUBJECT:
        raise AgtmuxError(
            "E_PAYLOAD_TOO_LARGE",
            f"the subject has {len(subject)} characters: {MOST_SUBJECT} are allowed; put the rest into the body",
            {"field": "subject", "cap": MOST_SUBJECT},
        )
    size = len(body.encode("utf-8", "replace"))
    if size > MOST_BODY:
        raise AgtmuxError(
            "E_PAYLOAD_TOO_LARGE",
            f"the body has {size} bytes: {MOST_BODY} are allowed; write it to a file and name its path",
            {"field": "body", "cap": MOST_BODY},
        )


def next_hop(parent: Message, *, by_agent: bool) -> int:
    """Count one more reply of an agent; a reply of a person begins at 0. Raises E_POLICY_DENIED above the limit."""
    if not by_agent:
        return 0
    if parent.hop >= MOST_HOPS:
        raise AgtmuxError(
            "E_POLICY_DENIED",
            f"agents have replied to each other {MOST_HOPS} times in a row: only a person may reply now",
            {"rule": "hop", "hop": parent.hop, "cap": MOST_HOPS},
        )
    return parent.hop + 1


def route_of(*, by_person: bool, deliver: str | None, notify: str | None = None) -> DeliveryRoute:
    """Decide how a message reaches an agent.

    ``deliver``: the setting of the recipient's team. ``notify``: the recipient's choice in a channel; None: it was
    addressed by name.
    """
    if notify not in (None, "pane"):
        return DeliveryRoute.PULL
    return DeliveryRoute.PANE if by_person or deliver == "pane" else DeliveryRoute.PULL


def expiry(priority: Priority, now: int, reply_by: int | None) -> int:
    """Return when a message expires: never before its answer is due."""
    return max(now + TTL[priority], reply_by or 0)


def reached(states: Iterable[DeliveryState], receipt: str) -> bool | None:
    """Return whether all deliveries have this receipt. None: at least one never will."""
    wanted = REACHED[receipt]
    missing = [state for state in states if state not in wanted]
    return None if any(state in LOST for state in missing) else not missing


def is_answer(question: Message, reply: Message) -> bool:
    """Whether ``reply`` answers ``question``: by the parent's id and the kind, and never from the sender itself."""
    if reply.parent_id != question.message_id or reply.cancelled_at is not None:
        return False
    if reply.sender_agent_id == question.sender_agent_id:
        return False
    wanted = REPLIES.get(question.kind)
    return wanted is None or reply.kind is wanted


def quoted(text: str) -> str:
    """Turn what a person searches for into an FTS5 query: every word must occur, the last one may be a beginning.

    Each word is quoted, so no text can be a syntax error. "" if there is no word.
    """
    words = ['"{}"'.format(word.replace('"', '""')) for word in text.replace("\0", " ").split()]
    return " ".join(words[:32]) + ("*" if words else "")


def ready(results: Sequence[bool]) -> bool:
    """Whether a task can begin. ``results``: of each message that it depends on, whether its results were acked."""
    return all(results)
