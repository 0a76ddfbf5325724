"""Find the runtime that an event belongs to: exactly one that fits everything in the event, or none.

Pure. Source: docs/reference/events.md, binding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agtmuxd.core.model import NS, RawEvent, Signal, Source
from agtmuxd.core.state.event_sender import KindOf, Sender

START_TOLERANCE = 5 * NS


@dataclass(frozen=True, slots=True)
class Candidate:
    """The facts about one active runtime that binding needs."""

    runtime_id: str
    target_id: str
    pane_id: str
    agent_type: str
    agent_session_id: str | None
    pid: int | None
    process_start: str | None
    started_at: int
    headless: bool = False
    declared: bool = False  # the user named the agent, because the process in the pane hides it


@dataclass(frozen=True, slots=True)
class Binding:
    """The result.

    ``runtime_id`` if exactly one fits, else ``reason``: bind_no_candidate, bind_ambiguous or bind_nested.
    """

    runtime_id: str | None
    reason: str | None


def _process_fits(event: RawEvent, candidate: Candidate, sender: Sender) -> bool | None:
    """Return whether event and runtime name the same process. None if one of them names none."""
    if candidate.pid is None:
        return None
    for link in sender.links or sender.above:
        if link.pid == candidate.pid:
            # Another start time: the pid was reused. No start time: an ancestor of a hook is alive, so it is the same.
            return link.start in ("", candidate.process_start)
    if sender.links:
        return False  # another agent sent it
    if event.pid is not None:
        return event.pid == candidate.pid
    return False if event.chain else None


def _is_other_session(signal: Signal, candidate: Candidate) -> bool:
    """Return whether the event names no process and names another session than the runtime's.

    A sender that has just ended names no process. The pane alone is then no proof: an agent that was run as a tool has
    the same pane. If start times are not in ticks, hooks may be unable to name their processes at all. Then the pane
    must be enough.
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
        # A shared daemon sent it: pane, pid and chain are the daemon's. Its parent may be another pane's agent.
        if event.target_id is not None and event.target_id != candidate.target_id:
            return False  # but the target is certain
        return signal.session_id is not None and signal.session_id == candidate.agent_session_id
    process = _process_fits(event, candidate, sender)
    if event.apart and process is not True:
        return _is_named(event, target_id, candidate, sender)
    if process is False:
        return False
    if target_id is not None and candidate.target_id != target_id:
        return False
    if process is None and _is_other_session(signal, candidate):
        return False
    if event.pane_id is not None:
        return candidate.pane_id == event.pane_id and (target_id is not None or process is True)
    if process is True:
        return True
    return signal.session_id is not None and signal.session_id == candidate.agent_session_id


def _is_named(event: RawEvent, target_id: str | None, candidate: Candidate, sender: Sender) -> bool:
    """Return whether the event comes from the agent that the user named for the candidate's pane.

    For an event from a container whose processes do not include the runtime's. The event must name the pane. Its chain,
    as this machine sees it, must hold that agent and no other agent above it.
    """
    if not candidate.declared or event.source is Source.WRAPPER:
        return False
    if target_id is None or (target_id, event.pane_id) != (candidate.target_id, candidate.pane_id):
        return False
    if any(link.pid == candidate.pid for link in sender.above):
        return False  # the agent is visible after all, and the next round lists it
    return sender.agent_type == candidate.agent_type and not sender.nested


def bind(
    event: RawEvent, signal: Signal, target_id: str | None, candidates: Iterable[Candidate], sender: Sender
) -> Binding:
    """Find the one active runtime of an event.

    ``target_id``: the target with the event's tmux socket and server, if there is one. ``sender``: the agent that sent
    the event, found by its chain.
    """
    fitting = [c.runtime_id for c in candidates if _fits(event, signal, target_id, c, sender)]
    if len(fitting) == 1:
        return Binding(fitting[0], None)
    return Binding(None, "bind_ambiguous" if fitting else "bind_no_candidate")


def is_nested(
    sender: Sender, kind_of: KindOf, target_id: str | None, lives: Iterable[Candidate], *, apart: bool = False
) -> bool:
    """Return whether the sender runs as a tool below the agent of one of ``lives``. Then it is not the agent of a pane.

    ``apart``: the sender runs in a container. The agent above it may be missing from the process table, so any agent in
    the chain counts.

    An agent that gives way to an agent below it does not count: the next round may list the sender in its place.
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
