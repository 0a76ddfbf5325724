"""Decide whether a message may be typed into its recipient's pane now. Pure. Anything that is not known holds it.

The action runner reads the pane again before it types, and decides by what it sees. So this only keeps actions from
being asked for that would be refused, and knows two things that the runner does not: who types, and what was typed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agtmuxd.core.model import NS, State, TmuxClient

FRESH: Final = 10 * NS
"""How old the last reading of the pane may be."""
SETTLED: Final = 10 * NS
"""How long a state of low confidence must have lasted. An agent without hooks that has just begun has no other one."""
TYPED: Final = 10 * NS
"""For how long after somebody's last key in the pane nothing is typed there."""


class Hold(StrEnum):
    """Why a message waits."""

    NO_RUNTIME = "no_runtime"
    HEADLESS = "headless"
    TARGET_DOWN = "target_down"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    DIALOG = "dialog"
    ERROR = "error"
    UNKNOWN = "unknown"
    STALE = "stale"
    LOW_CONFIDENCE = "low_confidence"
    COPY_MODE = "copy_mode"
    DRAFT = "draft"
    NO_COMPOSER = "no_composer"
    NO_PROOF_YET = "no_proof_yet"
    TYPING = "typing"


WORDS: Final[dict[str, str]] = {
    Hold.NO_RUNTIME: "the agent does not run: it is typed once the name is bound to a runtime",
    Hold.HEADLESS: "the agent runs without a terminal interface",
    Hold.TARGET_DOWN: "the agent's tmux server is not reached",
    Hold.RUNNING: "the agent works: it is typed when the turn has ended",
    Hold.WAITING_APPROVAL: "the agent waits for an approval, and keys would answer it",
    Hold.DIALOG: "a dialog is open, and keys would answer it",
    Hold.ERROR: "the agent's turn failed: look at the pane",
    Hold.UNKNOWN: "the agent's state is not known",
    Hold.STALE: "the pane was not read in the last 10 seconds",
    Hold.LOW_CONFIDENCE: "the agent's state is only a guess, and less than 10 seconds old",
    Hold.COPY_MODE: "the pane is in copy mode, which would take the keys",
    Hold.DRAFT: "the input field holds a text: submit or remove it",
    Hold.NO_COMPOSER: "the input field is not seen to be empty",
    Hold.NO_PROOF_YET: "the message before it was typed a moment ago",
    Hold.TYPING: "somebody typed in the pane less than 10 seconds ago",
}
"""What each reason means, for people. A reason of an action's refusal stands for itself."""

_STATES: Final[dict[State | None, Hold]] = {
    State.RUNNING: Hold.RUNNING,
    State.WAITING_APPROVAL: Hold.WAITING_APPROVAL,
    State.ERROR: Hold.ERROR,
    State.UNKNOWN: Hold.UNKNOWN,
    None: Hold.UNKNOWN,
}
"""States in which nothing is ever typed."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is known of a recipient. The defaults are those of an agent without a runtime.

    ``since``: when its state began (ns).
    ``seen_at``: when its pane was last read (ns). ``waiting_kind``: of what it waits for. ``proof_due``: a message was
    typed and nothing shows yet that it arrived.
    """

    runtime_id: str | None = None
    headless: bool = False
    target_ok: bool = False
    state: State | None = None
    state_version: int | None = None
    confidence: str | None = None
    since: int = 0
    accepts_input: bool | None = None
    waiting_kind: str | None = None
    seen_at: int = 0
    in_mode: bool = False
    proof_due: bool = False


def why_held(one: Recipient, now: int) -> Hold | None:
    """Return why a message may not be typed now; None: it may, if nobody types there. ``now`` in ns."""
    if one.runtime_id is None:
        return Hold.NO_RUNTIME
    checks = (
        (one.headless, Hold.HEADLESS),
        (not one.target_ok, Hold.TARGET_DOWN),
        (one.state in _STATES, _STATES.get(one.state, Hold.UNKNOWN)),
        (one.state is State.WAITING_INPUT and not _has_composer(one), Hold.DIALOG),
        (now - one.seen_at > FRESH, Hold.STALE),
        (one.confidence not in ("high", "medium") and now < settled_at(one), Hold.LOW_CONFIDENCE),
        (one.in_mode, Hold.COPY_MODE),
        (one.accepts_input is False, Hold.DRAFT),
        (one.accepts_input is None, Hold.NO_COMPOSER),
        (one.proof_due, Hold.NO_PROOF_YET),
    )
    return next((reason for holds, reason in checks if holds), None)


def settled_at(one: Recipient) -> int:
    """Return from when on (ns) its state counts although its confidence is low."""
    return one.since + SETTLED


def _has_composer(one: Recipient) -> bool:
    """Whether it waits for a text in its input field, and not for an answer to a dialog."""
    return one.accepts_input is True and one.waiting_kind not in ("dialog", "approval")


def typed_until(clients: Iterable[TmuxClient], pane_id: str, now: int) -> int | None:
    """Return until when (ns) nothing may be typed because somebody types in the pane; None: nobody does.

    A client whose clock is ahead counts too, until its own time is over.
    """
    latest = max((one.activity for one in clients if one.pane_id == pane_id), default=None)
    if latest is None:
        return None
    until = latest * NS + NS + TYPED  # tmux cuts fractions of a second off
    return until if until > now else None
