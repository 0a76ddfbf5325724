"""Which runtime an event belongs to: exactly one that fits all the event carries, or none.

Pure. docs/spec.md §6, binding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agtmuxd.core.model import NS, RawEvent, Signal

START_TOLERANCE = 5 * NS


@dataclass(frozen=True, slots=True)
class Candidate:
    """What binding needs to know of one active runtime."""

    runtime_id: str
    target_id: str
    pane_id: str
    agent_type: str
    agent_session_id: str | None
    pid: int | None
    process_start: str | None
    started_at: int


@dataclass(frozen=True, slots=True)
class Bound:
    """``runtime_id`` where exactly one fits; else ``reason``: bind_no_candidate or bind_ambiguous."""

    runtime_id: str | None
    reason: str | None


def _process_fits(event: RawEvent, candidate: Candidate) -> bool | None:
    """True/False where event and runtime both name a process, None where one of them does not."""
    if candidate.pid is None:
        return None
    for link in event.chain:
        if link.pid == candidate.pid:
            return link.start == candidate.process_start  # another start: the pid was given to another process
    if event.pid is not None:
        return event.pid == candidate.pid
    return False if event.chain else None


def _fits(event: RawEvent, signal: Signal, target_id: str | None, candidate: Candidate) -> bool:
    if candidate.agent_type != event.agent_type:
        return False
    if event.start_hint is not None and abs(event.start_hint - candidate.started_at) > START_TOLERANCE:
        return False
    if signal.ambient:
        # A shared daemon sent it: pane, pid and chain are the daemon's (whose parent may well be another pane's agent).
        if event.target_id is not None and event.target_id != candidate.target_id:
            return False  # but the machine it came from is certain
        return signal.session_id is not None and signal.session_id == candidate.agent_session_id
    process = _process_fits(event, candidate)
    if process is False:
        return False
    if target_id is not None and candidate.target_id != target_id:
        return False
    if event.pane_id is not None:
        return candidate.pane_id == event.pane_id and (target_id is not None or process is True)
    if process is True:
        return True
    return signal.session_id is not None and signal.session_id == candidate.agent_session_id


def bind(event: RawEvent, signal: Signal, target_id: str | None, candidates: Iterable[Candidate]) -> Bound:
    """Find the one active runtime. ``target_id``: the target named by the event's tmux socket and server, if any."""
    fitting = [c.runtime_id for c in candidates if _fits(event, signal, target_id, c)]
    if len(fitting) == 1:
        return Bound(fitting[0], None)
    return Bound(None, "bind_ambiguous" if fitting else "bind_no_candidate")
