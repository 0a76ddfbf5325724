"""Apply one round of a target to its panes and runtimes: begin, keep or end each. Works on a unit of work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from agtmuxd.core.ids import runtime_id
from agtmuxd.core.model import State
from agtmuxd.core.screen.title import published
from agtmuxd.core.state.observation import AgentExit, AgentObservation, Observation
from agtmuxd.ingest.apply_event import announced_exit
from agtmuxd.ingest.state_rows import CRASH_SHOWN, end_runtime, forget_crash
from agtmuxd.repository import Pane, PaneKey, Repository, Runtime, StateRow, UnitOfWork

TITLE_EVERY: Final = 1_000_000_000
"""A pane's title is published at most this often (ns)."""

_WORKING = frozenset({State.RUNNING, State.WAITING_APPROVAL, State.WAITING_INPUT})


def update_panes(unit: UnitOfWork, seen: Observation, title_at: dict[PaneKey, int]) -> None:
    """Update the target's panes to match this listing. ``title_at``: when each title was published last (ns)."""
    there = {row.pane_id: row for row in seen.panes}
    for key, pane in list(unit.panes.items()):
        if key[0] != seen.target_id or (key[1] in there and pane.boot_id == seen.boot_id):
            continue
        if pane.boot_id == seen.boot_id and seen.may_exist(key[1]):
            continue
        runtime = unit.active_runtime(key)
        if runtime is not None:
            end_runtime(
                unit, runtime, "pane_gone" if pane.boot_id == seen.boot_id else "server_gone", seen.at, crashed=False
            )
        forget_crash(unit, key)
        if key[1] not in there:
            unit.panes.drop(key)
            title_at.pop(key, None)
        unit.shown.add(key)
    boot = seen.boot_id or ""
    for pane_id, row in there.items():
        key = (seen.target_id, pane_id)
        before = unit.panes.get(key)
        if before is not None and before.boot_id == boot:
            if before.row is row or before.row == row or _visible(before) == _visible(replace(before, row=row)):
                continue
            if published(row.title) != published(before.row.title) and seen.at - title_at.get(key, 0) < TITLE_EVERY:
                row = replace(row, title=before.row.title)
                if _visible(before) == _visible(replace(before, row=row)):
                    continue
        if before is None or published(before.row.title) != published(row.title):
            title_at[key] = seen.at
        first = before.first_seen_at if before is not None and before.boot_id == boot else seen.at
        unit.panes.put(key, Pane(seen.target_id, boot, row, first, seen.at))
        unit.shown.add(key)


def same_panes(repository: Repository, seen: Observation) -> bool:
    """Whether everything that this listing shows is already published."""
    panes, target_id = repository.panes, seen.target_id
    for row in seen.panes:
        before = panes.get((target_id, row.pane_id))
        if before is None or before.boot_id != seen.boot_id:
            return False
        if before.row is not row and before.row != row and _visible(before) != _visible(replace(before, row=row)):
            return False
    return sum(1 for key in panes if key[0] == target_id) == len(seen.panes)


def same_agents(repository: Repository, seen: Observation) -> bool:
    """Whether the observed agents are exactly the active runtimes, with nothing new known about any of them."""
    for pane_id, agent in seen.agents.items():
        runtime_id = repository.active.get((seen.target_id, pane_id))
        runtime = repository.runtimes.get(runtime_id) if runtime_id is not None else None
        if runtime is None or not _is_same_process(runtime, agent):
            return False
        if agent.agent_version and agent.agent_version != runtime.agent_version:
            return False
    return sum(1 for key in repository.active if key[0] == seen.target_id) == len(seen.agents)


def _visible(pane: Pane) -> tuple[object, ...]:
    r = pane.row
    return (
        r.session_id, r.session_name, r.window_id, r.window_index, r.window_name, r.pane_index, published(r.title),
        r.command, r.cwd, r.pid, r.active, r.dead, r.other_sessions,
    )  # fmt: skip


def update_runtimes(unit: UnitOfWork, seen: Observation) -> None:
    """End runtimes whose process is gone, begin new ones, and note a changed version or headless flag."""
    exits = {(g.pane_id, g.pid, g.process_start): g for g in seen.gone}
    listed = {row.pane_id for row in seen.panes} if seen.unread else frozenset()
    for key, current_id in list(unit.active.items()):
        if key[0] != seen.target_id:
            continue
        runtime = unit.runtimes.get(current_id)
        agent = seen.agents.get(key[1])
        if runtime is None or (agent is not None and _is_same_process(runtime, agent)):
            continue
        if agent is None and key[1] not in listed and runtime.boot_id == seen.boot_id and seen.may_exist(key[1]):
            continue
        exit_ = exits.get((key[1], runtime.pid or 0, runtime.process_start or ""))
        end_runtime(unit, runtime, "replaced" if agent else "exited", seen.at, crashed=_crashed(unit, runtime, exit_))
    for pane_id, agent in seen.agents.items():
        key = (seen.target_id, pane_id)
        if unit.panes.get(key) is None:
            continue
        current = unit.active_runtime(key)
        if current is None:
            _begin(unit, seen, pane_id, agent)
        else:
            version = agent.agent_version or current.agent_version
            if (version, agent.headless) != (current.agent_version, current.headless):
                known = replace(current, agent_version=version, headless=agent.headless)
                unit.runtimes.put(current.runtime_id, known)
                unit.shown.add(key)


def _is_same_process(runtime: Runtime, agent: AgentObservation) -> bool:
    return (
        runtime.pid == agent.pid
        and runtime.process_start == agent.process_start
        and runtime.agent_type == agent.agent_type
    )


def _crashed(unit: UnitOfWork, runtime: Runtime, exit_: AgentExit | None) -> bool:
    """Whether the runtime crashed.

    It crashed if its process vanished during a turn with no sign of an orderly exit, or if its state was ``error`` and
    its exit is known to be disorderly.
    """
    state = unit.states.get((runtime.target_id, runtime.pane_id))
    if state is None or state.runtime_id != runtime.runtime_id or runtime.headless:
        return False
    last = state.state
    if last is State.UNKNOWN and state.last_known is not None:
        last = State(state.last_known["state"])
    if announced_exit(unit, runtime):
        return False
    if last is State.ERROR:
        return exit_ is not None and exit_.in_order is False
    if last not in _WORKING:
        return False
    return exit_ is None or exit_.in_order is not True


def _begin(unit: UnitOfWork, seen: Observation, pane_id: str, agent: AgentObservation) -> None:
    key = (seen.target_id, pane_id)
    forget_crash(unit, key)
    pane = unit.panes.get(key)
    epoch = (unit.epochs.get(key) or 0) + 1
    unit.epochs.put(key, epoch)
    boot = seen.boot_id or ""
    name = runtime_id(seen.target_id, boot, pane_id, epoch, agent.agent_type, agent.process_started_at)
    unit.runtimes.put(
        name,
        Runtime(
            runtime_id=name, target_id=seen.target_id, pane_id=pane_id, boot_id=boot, pane_epoch=epoch,
            agent_type=agent.agent_type, agent_version=agent.agent_version, agent_session_id=None,
            transcript_path=None, pid=agent.pid, process_start=agent.process_start,
            process_started_at=agent.process_started_at, headless=agent.headless,
            cwd=pane.row.cwd if pane is not None else None, task=None, started_at=agent.process_started_at,
        ),
    )  # fmt: skip
    unit.active.put(key, name)
    unit.registers.put(name, {})
    unit.marks.put(name, {})
    unit.touched.add(name)
    unit.shown.add(key)


def forget_old_crashes(unit: UnitOfWork, now: int) -> None:
    """Stop showing crashes older than ``CRASH_SHOWN``."""
    for key, state in list(unit.states.items()):
        if state.reason_code == "agent_crashed" and state.since + CRASH_SHOWN <= now:
            forget_crash(unit, key)


def crash_due(states: Iterable[StateRow | None], due: int | None) -> int | None:
    """Give the time (ns) at which the next of these crashes is no longer shown, or ``due`` if that is earlier."""
    moments = [s.since + CRASH_SHOWN for s in states if s is not None and s.reason_code == "agent_crashed"]
    return min(moments if due is None else [*moments, due], default=None)
