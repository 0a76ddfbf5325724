"""Which runtime an event belongs to: exactly one that fits all the event carries, or none.

Pure. docs/reference/events.md, binding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agtmuxd.core.model import NS, RawEvent, Signal, Source
from agtmuxd.core.state.event_sender import KindOf, Sender

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
    headless: bool = False
    declared: bool = False  # its user named the agent, which the process in the pane hides


@dataclass(frozen=True, slots=True)
class Binding:
    """``runtime_id`` where exactly one fits; else ``reason``: bind_no_candidate, bind_ambiguous or bind_nested."""

    runtime_id: str | None
    reason: str | None


def _process_fits(event: RawEvent, candidate: Candidate, sender: Sender) -> bool | None:
    """True/False where event and runtime both name a process, None where one of them does not."""
    if candidate.pid is None:
        return None
    for link in sender.links or sender.above:
        if link.pid == candidate.pid:
            # Another start: the pid was given to another process. None told: it lives, as those above a hook do.
            return link.start in ("", candidate.process_start)
    if sender.links:
        return False  # another agent sent it
    if event.pid is not None:
        return event.pid == candidate.pid
    return False if event.chain else None


def _is_lost(signal: Signal, candidate: Candidate) -> bool:
    """Whether the event names no process, as one does whose sender has just ended, and another session than this one.

    The pane alone is then no proof: an agent that was run as a tool has the same. Where starts are no ticks, hooks may
    not be able to tell their processes at all, and the pane has to do.
    """
    ticks = candidate.process_start is not None and candidate.process_start.isdecimal()
    known = signal.session_id is not None and candidate.agent_session_id is not None
    return ticks and known and signal.session_id != candidate.agent_session_id


def _fits(event: RawEvent, signal: Signal, target_id: str | None, candidate: Candidate, sender: Sender) -> bool:
    if candidate.agent_type != event.agent_type:
        return False
    if event.start_hint is not None and abs(event.start_hint - candidate.started_at) > START_TOLERANCE:
        return False
    if (sender.headless or signal.headless) and not candidate.headless:
        return False
    if signal.ambient:
        # A shared daemon sent it: pane, pid and chain are the daemon's (whose parent may well be another pane's agent).
        if event.target_id is not None and event.target_id != candidate.target_id:
            return False  # but the machine it came from is certain
        return signal.session_id is not None and signal.session_id == candidate.agent_session_id
    process = _process_fits(event, candidate, sender)
    if event.apart and process is not True:
        return _is_named(event, target_id, candidate, sender)
    if process is False:
        return False
    if target_id is not None and candidate.target_id != target_id:
        return False
    if process is None and _is_lost(signal, candidate):
        return False
    if event.pane_id is not None:
        return candidate.pane_id == event.pane_id and (target_id is not None or process is True)
    if process is True:
        return True
    return signal.session_id is not None and signal.session_id == candidate.agent_session_id


def _is_named(event: RawEvent, target_id: str | None, candidate: Candidate, sender: Sender) -> bool:
    """Whether an agent in a container, none of whose processes is the runtime's, is the one that the user named there.

    The event has to name the pane, and its chain, as this machine sees it, that very agent and no other above it.
    """
    if not candidate.declared or event.source is Source.WRAPPER:
        return False
    if target_id is None or (target_id, event.pane_id) != (candidate.target_id, candidate.pane_id):
        return False
    if any(link.pid == candidate.pid for link in sender.above):
        return False  # it is there for all to see, and is listed itself in a moment
    return sender.agent_type == candidate.agent_type and not sender.nested


def bind(
    event: RawEvent, signal: Signal, target_id: str | None, candidates: Iterable[Candidate], sender: Sender
) -> Binding:
    """Find the one active runtime. ``target_id``: the target named by the event's tmux socket and server, if any.

    ``sender``: the agent that sent it, by its chain.
    """
    fitting = [c.runtime_id for c in candidates if _fits(event, signal, target_id, c, sender)]
    if len(fitting) == 1:
        return Binding(fitting[0], None)
    return Binding(None, "bind_ambiguous" if fitting else "bind_no_candidate")


def is_nested(
    sender: Sender, kind_of: KindOf, target_id: str | None, lives: Iterable[Candidate], *, apart: bool = False
) -> bool:
    """Whether the sender runs below the agent of one of ``lives``, as its tool: then it is no pane's agent itself.

    ``apart``: it runs in a container, where the agent above it may be hidden from the table: any one there counts.

    What gives way to an agent below it is no such agent: the sender may be listed in its place in a moment.
    """
    if not sender.links:
        return False
    if apart and sender.nested:
        return True
    above = {link.pid: link for link in sender.above}
    for life in lives:
        link = above.get(life.pid or 0)
        if (
            link is not None
            and link.start in ("", life.process_start)
            and (target_id is None or life.target_id == target_id)
        ):
            kind = kind_of(link)
            return kind is not None and not kind.gives_way
    return False
