"""Build the state row of a pane from registers: state version, since, attention, last known state.

Works on a unit of work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agtmuxd.core.model import LEVELS, WAITING, Claim, Source, State, WaitingFor
from agtmuxd.core.state.registers import TURN_START, Register, Registers
from agtmuxd.core.state.resolve import Resolution, RuntimeFacts, resolve
from agtmuxd.repository import PaneKey, Runtime, StateRow, UnitOfWork

CRASH_SHOWN = 30 * 60 * 1_000_000_000
"""How long a crash is shown (ns)."""
_NEEDS = WAITING | {State.ERROR}
_ENDED = frozenset({State.COMPLETED, State.ERROR})
_HIDDEN = frozenset({"target_unreachable", "pane_unreadable", "stale_signal"})
"""Reasons for ``unknown`` that hide the state but do not change it. The row keeps the last known state, which comes
back if the agent still shows it afterwards."""


def _fingerprint(waiting: WaitingFor | None) -> str | None:
    return waiting.fingerprint if waiting is not None else None


def _decided_by(resolution: Resolution) -> tuple[dict[str, Any], ...]:
    return tuple(_evidence_of(c.register) for c in resolution.considered if c.used)


def _evidence_of(register: Register) -> dict[str, Any]:
    by = {"source": str(register.source), "subject": register.subject, "rule": register.entry.rule}
    return by | ({"detail": register.entry.detail} if register.entry.detail else {})


def _exit_evidence(registers: Registers) -> dict[str, Any]:
    """Describe that a process is gone, with the detail that its wrapper reported, if any."""
    by = {"source": "reconciler", "subject": "process", "rule": "process gone"}
    wrapper = registers.get((Source.WRAPPER, "turn"))
    failed = wrapper is not None and wrapper.entry.claim is Claim.ERROR and wrapper.entry.detail
    return by | ({"detail": failed} if failed else {})


def update_state(unit: UnitOfWork, runtime: Runtime, life: RuntimeFacts, now: int, *, looked_at: bool) -> Resolution:
    """Resolve the state of one active runtime and update its state row. ``looked_at``: somebody looks at the pane."""
    registers = unit.registers.get(runtime.runtime_id) or {}
    marks = unit.marks.get(runtime.runtime_id) or {}
    resolution = resolve(registers, marks, life, now)
    key = (runtime.target_id, runtime.pane_id)
    before = unit.states.get(key)
    version = before.state_version if before is not None else unit.versions.get(key) or 0
    row = _row(runtime, resolution, before, version, now, looked_at, marks.get(TURN_START, 0))
    if row.state in WAITING and row.state_version == unit.used.get(runtime.runtime_id):
        # an answer was sent for this version: what waits now is a new prompt
        row = replace(row, state_version=version + 1, updated_at=now)
    seen_at = life.pane_read_at or (before.last_seen_at if before is not None else now)
    row = replace(row, last_seen_at=min(now, seen_at))
    if before is None or replace(row, last_seen_at=before.last_seen_at) != before:
        unit.states.put(key, row)
        unit.shown.add(key)
    return resolution


def _row(
    runtime: Runtime, r: Resolution, before: StateRow | None, version: int, now: int, looked_at: bool, turn_start: int
) -> StateRow:
    """Build the new state row. ``version``: the pane's last state version, also of an earlier runtime.

    ``turn_start``: the mark (ns) up to which the start of a turn has retired claims.
    """
    previous = before if before is not None and before.runtime_id == runtime.runtime_id else None
    hidden = r.reason_code in _HIDDEN
    prompt = _fingerprint(r.waiting_for)
    same_state = previous is not None and previous.state is r.state and previous.reason_code == r.reason_code
    shown = _fingerprint(previous.waiting_for) if previous is not None else None
    same = same_state and shown == prompt
    last_known = previous.last_known if previous is not None else None
    resumed = previous.resumed if previous is not None and same else False
    returned = False
    since = min(r.since, now)
    # A whole turn may pass between two resolutions. Then the same ending state belongs to a new turn.
    again = previous is not None and same_state and r.state in _ENDED and previous.since < min(turn_start, since)
    if previous is not None and same_state and (same or r.state not in WAITING or shown is None):
        since = since if again else previous.since
    elif previous is not None and hidden:
        if previous.reason_code not in _HIDDEN:
            last_known = {
                "state": str(previous.state), "since": previous.since, "at": now, "fingerprint": shown
            }  # fmt: skip
    elif last_known is not None:
        if last_known["state"] == str(r.state) and last_known.get("fingerprint") == prompt:
            since, resumed, returned = last_known["since"], True, True
        last_known = None
    # A hook reports a prompt before the screen shows it: the same prompt only gets its fingerprint now.
    shows = same_state and previous is not None and previous.waiting_for is not None and shown is None
    moved = not same or previous is None or previous.accepts_input != r.accepts_input
    keep = hidden or returned or _is_same_completion(r, previous)
    attention, attention_since = _attention(r.state, previous, now, looked_at, keep, again, same or shows)
    steady = previous if same else None
    return StateRow(
        target_id=runtime.target_id,
        pane_id=runtime.pane_id,
        runtime_id=runtime.runtime_id,
        state=r.state,
        reason_code=r.reason_code,
        confidence=steady.confidence if steady is not None else r.confidence,
        state_version=version + (1 if moved else 0),
        since=since,
        source=steady.source if steady is not None else r.source,
        decided_by=_decided_by(r) if steady is None or _has_new_detail(r, steady) else steady.decided_by,
        waiting_for=r.waiting_for,
        accepts_input=r.accepts_input,
        background_tasks=r.background_tasks,
        last_known=last_known,
        resumed=resumed and not again,
        attention=attention,
        attention_since=attention_since,
        last_seen_at=now,
        updated_at=now if previous is None or moved or again else previous.updated_at,
    )


def _has_new_detail(r: Resolution, previous: StateRow) -> bool:
    """Whether an error that had no detail has one now."""
    if r.state is not State.ERROR or previous.detail is not None:
        return False
    return any(c.used and c.register.entry.detail for c in r.considered)


def _is_same_completion(r: Resolution, previous: StateRow | None) -> bool:
    """Whether this is the completion of before: only hidden by a level that claims running, or shown again."""
    if previous is None or previous.attention == "needs_action":
        return False
    if r.state is State.COMPLETED:
        return previous.state is State.RUNNING and r.since < previous.since
    behind = (c for c in r.considered if c.register.entry.claim is Claim.COMPLETED and not c.register.is_level)
    return r.state is State.RUNNING and r.source in LEVELS and any(c.fresh and c.retired_by is None for c in behind)


def _attention(
    state: State, previous: StateRow | None, now: int, looked_at: bool, keep: bool, again: bool, same: bool
) -> tuple[str, int | None]:
    """Give ``(attention, since)``: needs_action while a person is needed, review for a completion not looked at yet.

    ``keep``: nothing new is known, so the attention stays. ``again``: the same state, but of another turn.
    ``same``: the same state and prompt, so an acknowledgement stays.
    """
    old = previous.attention if previous is not None else "none"
    old_since = previous.attention_since if previous is not None else None
    if keep:
        return old, old_since
    if state in _NEEDS:
        new = old if same and not again else "needs_action"
    elif state is State.COMPLETED:
        fresh = again or previous is None or previous.state is not State.COMPLETED
        new = "review" if (fresh or old == "review") and not looked_at else "none"
    elif state is State.IDLE:
        new = "review" if old == "review" and not looked_at else "none"
    else:
        new = "none"
    if new == old and not again:
        return old, old_since
    return new, (now if new != "none" else None)


def end_runtime(unit: UnitOfWork, runtime: Runtime, reason: str, now: int, *, crashed: bool) -> None:
    """End a runtime at ``now`` (ns).

    After a crash, the pane shows error/agent_crashed. After an orderly end, the pane has no agent.
    """
    key: PaneKey = (runtime.target_id, runtime.pane_id)
    before = unit.states.get(key)
    version = before.state_version if before is not None else unit.versions.get(key) or 0
    if crashed and before is not None:
        version += 1  # the state that shows the crash
    unit.versions.put(key, version)
    ended = replace(
        runtime, ended_at=now, end_reason="agent_crashed" if crashed else reason, last_state_version=version
    )  # fmt: skip
    unit.active.drop(key)
    unit.shown.add(key)
    unit.touched.discard(runtime.runtime_id)
    if not crashed or before is None:
        unit.runtimes.drop(runtime.runtime_id)
        unit.registers.drop(runtime.runtime_id)
        unit.marks.drop(runtime.runtime_id)
        unit.changed_registers = {t for t in unit.changed_registers if t[0] != runtime.runtime_id}
        unit.marked.discard(runtime.runtime_id)
        unit.ended[runtime.runtime_id] = ended
        if before is not None and before.runtime_id == runtime.runtime_id:
            unit.states.drop(key)
        return
    unit.runtimes.put(runtime.runtime_id, ended)
    unit.states.put(
        key,
        replace(
            before, state=State.ERROR, reason_code="agent_crashed", confidence="high", source=Source.RECONCILER,
            state_version=version, since=now, waiting_for=None, accepts_input=False,
            background_tasks=0, decided_by=(_exit_evidence(unit.registers.get(runtime.runtime_id) or {}),),
            last_known={"state": str(before.state), "since": before.since, "at": now}, resumed=False,
            attention="needs_action", attention_since=now, last_seen_at=now, updated_at=now,
        ),
    )  # fmt: skip


def acknowledge(unit: UnitOfWork, key: PaneKey, runtime_id: str | None, now: int) -> str:
    """Clear a pane's attention until its state or prompt changes. Return the attention that it had.

    A crash is no longer shown.
    """
    state = unit.states.get(key)
    if state is None or state.runtime_id != runtime_id:
        return "none"
    if state.reason_code == "agent_crashed":
        forget_crash(unit, key)
    elif state.attention != "none":
        unit.states.put(key, replace(state, attention="none", attention_since=None, updated_at=now))
        unit.shown.add(key)
    return state.attention


def forget_crash(unit: UnitOfWork, key: PaneKey) -> None:
    """Stop showing a crash.

    Called when the pane is gone, a new runtime starts there, the crash is acknowledged, or its time is over.
    """
    state = unit.states.get(key)
    if state is None or state.reason_code != "agent_crashed":
        return
    crashed = unit.runtimes.get(state.runtime_id)
    if crashed is not None and crashed.ended_at is not None:
        unit.ended[state.runtime_id] = crashed  # a crash in this round is not stored as ended yet
    unit.states.drop(key)
    unit.runtimes.drop(state.runtime_id)
    unit.registers.drop(state.runtime_id)
    unit.marks.drop(state.runtime_id)
    unit.shown.add(key)
