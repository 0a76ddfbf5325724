"""Ask the daemon for an action, and say in one line what came back. Knows no widget and no thread.

The requests are those of the command line: the same kinds, the same guards, a name for each request.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.top.text import safe_line
from agtmux.transport import ConnectionLostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agtmux.client import Client
    from agtmux.top.model import Row

DONE = {
    "approve": "approved",
    "deny": "denied",
    "answer": "answered",
    "interrupt": "interrupted",
    "ack": "marked as seen",
}
DECISIONS = ("approve", "deny", "answer")
"""Actions on one prompt. They name its fingerprint and the version of the state."""


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One request for an action. Sent again under the same ``request_ref``, it is not done twice."""

    kind: str
    ref: str
    where: str
    body: Mapping[str, Any]
    request_ref: str = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. ``done``: the daemon did it. ``again``: nobody here knows whether it was done, and the
    same request may be sent again to find out.
    """

    done: bool
    again: bool
    text: str
    result: Mapping[str, Any] = field(default_factory=dict)


def request_for(kind: str, row: Row, **more: Any) -> ActionRequest:
    """Return the request for an action on a row, bound to what the row shows: its runtime, and for a decision the very
    prompt.
    """
    body: dict[str, Any] = {"if_runtime": row.runtime_id}
    if kind in DECISIONS:
        body["if_state_version"] = row.state_version
        body["if_fingerprint"] = row.request.fingerprint if row.request else None
    if kind == "interrupt":  # the key that ends a turn would deny a request
        body["if_state"] = [row.state]
    body |= more
    return ActionRequest(kind, row.ref, where(row), {name: value for name, value in body.items() if value is not None})


def where(row: Row) -> str:
    """Return an agent and its place as text."""
    who = f"{row.name} ({row.agent})" if row.given else row.agent
    return f"{who} in {row.target}/{row.place} {row.pane_id}"


def perform(client: Client, wanted: ActionRequest) -> Outcome:
    """Send one request. Never raises: an error is an outcome too."""
    request = {"request_ref": wanted.request_ref, "ref": wanted.ref, **wanted.body}
    try:
        body = client.act(wanted.kind, request, timeout=30.0 + float(wanted.body.get("timeout") or 0.0)).json()
    except OSError as error:
        return Outcome(False, True, f"it may or may not have been done: {safe_line(error)}")
    except AgtmuxError as error:
        again = isinstance(error, ConnectionLostError)
        unsure = again or error.code == "E_ACTION_INDETERMINATE"
        what = "it may or may not have been done" if unsure else "nothing was done"
        return Outcome(False, again, f"{what}: {safe_line(error.message)}")
    result = body.get("result") or {}
    return Outcome(True, False, _sentence(wanted, result, replayed=bool(body.get("replayed"))), result)


def _sentence(wanted: ActionRequest, result: Mapping[str, Any], *, replayed: bool) -> str:
    note = f" ({safe_line(result['note'])})" if result.get("note") else ""
    if replayed:
        note += " (done earlier, nothing was done now)"
    keys = " ".join(safe_line(key) for key in result.get("keys") or ())
    if result.get("delivery") == "unconfirmed":
        pressed = keys or "nothing"
        return f"not confirmed: {pressed} went to {wanted.where}; look at it{note}"
    if wanted.kind == "send":
        return f"{safe_line(result.get('delivery'))}: prompt to {wanted.where}{note}"
    if wanted.kind == "kill":
        ended = ", it ended" if result.get("ended") else ""
        how = "C-c" if wanted.body.get("mode") != "signal" else f"SIG{wanted.body.get('signal')}"
        return f"sent {how} to {wanted.where}{ended}{note}"
    return f"{DONE.get(wanted.kind, wanted.kind)}: {wanted.where}{note}"
