"""Tell from an action's answer and from the agent's state what became of a typed message. Pure.

``submitted`` is not ``delivered``: only a sign of the agent itself closes a delivery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import NS, State

PROOF_WITHIN: Final = 10 * NS
"""How long after the submission a sign of the agent may take."""


class Result(StrEnum):
    """What an attempt came to."""

    SUBMITTED = "submitted"  # the text went from the input field to the agent
    UNCONFIRMED = "unconfirmed"  # keys were sent, or may have been; nobody knows more
    REFUSED = "refused"  # nothing was typed, because of what the pane shows
    FAILED = "failed"  # nothing was typed, because something is broken
    REJECTED = "rejected"  # nothing was typed, and the same text never can be


_FAILED: Final = frozenset({"E_TARGET_UNREACHABLE", "E_STORE_UNAVAILABLE", "E_INTERNAL", "E_OVERLOADED"})
_REJECTED: Final = frozenset({"E_INVALID_REQUEST", "E_PAYLOAD_TOO_LARGE", "E_IDEMPOTENCY_CONFLICT", "E_FORBIDDEN"})
_BEGUN: Final = frozenset({State.RUNNING, State.WAITING_APPROVAL, State.WAITING_INPUT, State.COMPLETED, State.ERROR})
"""States that begin only with a turn. ``idle`` can also come from age."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to. ``reason``: why nothing was typed, or why nobody knows, in a word or code."""

    result: Result
    reason: str | None = None


def of_receipt(receipt: Mapping[str, Any]) -> Attempt:
    """Read the result of a ``send`` that was done."""
    if receipt.get("delivery") == "submitted":
        return Attempt(Result.SUBMITTED)
    if not receipt.get("bytes") and not receipt.get("entered"):
        return Attempt(Result.REFUSED, "field_mode")  # the field did not leave a mode, so nothing was typed
    return Attempt(Result.UNCONFIRMED, "no_sign" if receipt.get("entered") else "not_seen")


def of_error(code: str, details: Mapping[str, Any]) -> Attempt:
    """Read the error of a ``send``."""
    if code == "E_ACTION_INDETERMINATE":
        return Attempt(Result.UNCONFIRMED, "indeterminate")
    if code in _REJECTED:
        return Attempt(Result.REJECTED, code)
    if code in _FAILED:
        return Attempt(Result.FAILED, code)
    return Attempt(Result.REFUSED, str(details.get("reason") or code))


def of_exception(error: AgtmuxError) -> Attempt:
    """Read what ``act`` raised."""
    return of_error(error.code, error.details)


def of_record(code: str | None, error_code: str | None, metadata: Mapping[str, Any]) -> Attempt:
    """Read what the ledger has of a ``send`` that an earlier daemon asked for. ``code`` None: it did not end."""
    if code == "done":
        return of_receipt(metadata.get("result") or {})
    if code is None or code == "indeterminate":
        return Attempt(Result.UNCONFIRMED, "indeterminate")
    return of_error(error_code or "E_INTERNAL", (metadata.get("error") or {}).get("details") or {})


NEVER_ASKED: Final = Attempt(Result.REFUSED, "restart")
"""The ledger has no such action: the daemon ended before it asked, and so nothing was typed."""


def proof(*, since: int, state: State | None, state_since: int, turn_start: int) -> str | None:
    """Return what shows that the agent took a text typed after ``since`` (ns): ``turn`` or ``state``; None: nothing.

    ``state_since``: since when the agent is in its state. ``turn_start``: when it last reported a turn.
    """
    if turn_start > since:
        return "turn"
    return "state" if state in _BEGUN and state_since > since else None
