"""Registers into the state of a pane: versions, since, attention, what was last known. Works on a unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agtmuxd.core.model import LEVELS, WAITING, Claim, Source, State, WaitingFor
from agtmuxd.core.state.registers import TURN_START, Register, Registers
from agtmuxd.core.state.resolve import Resolution, RuntimeFacts, resolve
from agtmuxd.repository import PaneKey, Runtime, StateRow, UnitOfWork

CRASH_SHOWN = 30 * 60 * 1_000_000_000
_NEEDS = WAITING | {State.ERROR}
_ENDED = frozenset({State.COMPLETED, State.ERROR})
_VEILED = frozenset({"target_unreachable", "pane_unreadable", "stale_signal"})
"""Why a state is unknown although nothing is known to have changed: what was known is kept for when it shows again."""


def _print(waiting: WaitingFor | None) -> str | None:
    return waiting.fingerprint if waiting is not None else None


def _decided_by(resolution: Resolution) -> tuple[dict[str, Any], ...]:
    return tuple(_said_by(c.register) for c in resolution.considered if c.used)


def _said_by(register: Register) -> dict[str, Any]:
    by = {"source": str(register.source), "subject": register.subject, "rule": register.entry.rule}
    return by | ({"detail": register.entry.detail} if register.entry.detail else {})


def _gone(registers: Registers) -> dict[str, Any]:
    """Its process is gone; how it ended, where its wrapper said so."""
    by = {"source": "reconciler", "subject": "process", "rule": "process gone"}
    wrapper = registers.get((Source.WRAPPER, "turn"))
    failed = wrapper is not None and wrapper.entry.claim is Claim.ERROR and wrapper.entry.detail
    return by | ({"detail": failed} if failed else {})


def update_state(unit: UnitOfWork, runtime: Runtime, life: RuntimeFacts, now: int, *, looked_at: bool) -> Resolution:
    """Resolve one active runtime and keep its state row."""
    registers = unit.registers.get(runtime.runtime_id) or {}
    marks = unit.marks.get(runtime.runtime_id) or {}
    resolution = resolve(registers, marks, life, now)
    key = (runtime.target_id, runtime.pane_id)
    before = unit.states.get(key)
    version = before.state_version if before is not None else unit.versions.get(key) or 0
    row = _row(runtime, resolution, before, version, now, looked_at, marks.get(TURN_START, 0))
    if row.state in WAITING and row.state_version == unit.used.get(runtime.runtime_id):
        row = replace(row, state_version=version + 1, updated_at=now)  # what stands there now was seen by nobody
    seen_at = life.pane_read_at or (before.last_seen_at if before is not None else now)
    row = replace(row, last_seen_at=min(now, seen_at))
    if before is None or replace(row, last_seen_at=before.last_seen_at) != before:
        unit.states.put(key, row)
        unit.shown.add(key)
    return resolution


def _row(
    runtime: Runtime, r: Resolution, before: StateRow | None, version: int, now: int, looked_at: bool, turn_start: int
) -> StateRow:
    """``version``: the last one that this pane had, of whatever runtime."""
    mine = before if before is not None and before.runtime_id == runtime.runtime_id else None
    veiled = r.reason_code in _VEILED
    prompt = _print(r.waiting_for)
    same_state = mine is not None and mine.state is r.state and mine.reason_code == r.reason_code
    same = same_state and mine is not None and _print(mine.waiting_for) == prompt
    last_known = mine.last_known if mine is not None else None
    resumed = mine.resumed if mine is not None and same else False
    returned = False
    since = min(r.since, now)
    # A whole turn may pass between two looks at the registers: its end is another one than that which is shown.
    again = mine is not None and same_state and r.state in _ENDED and mine.since < min(turn_start, since)
    if mine is not None and same_state and (same or r.state not in WAITING or _print(mine.waiting_for) is None):
        since = since if again else mine.since
    elif mine is not None and veiled:
        if mine.reason_code not in _VEILED:
            last_known = {
                "state": str(mine.state), "since": mine.since, "at": now, "fingerprint": _print(mine.waiting_for)
            }  # fmt: skip
    elif last_known is not None:
        if last_known["state"] == str(r.state) and last_known.get("fingerprint") == prompt:
            since, resumed, returned = last_known["since"], True, True
        last_known = None
    # what an agent reported shows on its screen a moment later: no other prompt, only now it has its fingerprint
    shows = same_state and mine is not None and mine.waiting_for is not None and _print(mine.waiting_for) is None
    moved = not same or mine is None or mine.accepts_input != r.accepts_input
    kept = veiled or returned or _is_same_end(r, mine)
    attention, attention_since = _attention(r.state, mine, now, looked_at, kept, again, same or shows)
    steady = mine if same else None
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
        decided_by=_decided_by(r) if steady is None or _says_more(r, steady) else steady.decided_by,
        waiting_for=r.waiting_for,
        accepts_input=r.accepts_input,
        background_tasks=r.background_tasks,
        last_known=last_known,
        resumed=resumed and not again,
        attention=attention,
        attention_since=attention_since,
        last_seen_at=now,
        updated_at=now if mine is None or moved or again else mine.updated_at,
    )


def _says_more(r: Resolution, mine: StateRow) -> bool:
    """Whether somebody says now what an error is about that was only seen."""
    if r.state is not State.ERROR or mine.detail is not None:
        return False
    return any(c.used and c.register.entry.detail for c in r.considered)


def _is_same_end(r: Resolution, mine: StateRow | None) -> bool:
    """Whether a completion of before only went out of sight, behind a level that says running, or came back."""
    if mine is None or mine.attention == "needs_action":
        return False
    if r.state is State.COMPLETED:
        return mine.state is State.RUNNING and r.since < mine.since
    behind = (c for c in r.considered if c.register.entry.claim is Claim.COMPLETED and not c.register.is_level)
    return r.state is State.RUNNING and r.source in LEVELS and any(c.fresh and c.retired_by is None for c in behind)


def _attention(
    state: State, mine: StateRow | None, now: int, looked_at: bool, kept: bool, again: bool, same: bool
) -> tuple[str, int | None]:
    """needs_action while a person is needed; review for a completion nobody has looked at since.

    ``kept``: nothing new was learned, what was asked for stands. ``again``: the same state, but of another turn.
    ``same``: the same state and prompt; what was acknowledged of it stays so.
    """
    had = mine.attention if mine is not None else "none"
    had_since = mine.attention_since if mine is not None else None
    if kept:
        return had, had_since
    if state in _NEEDS:
        want = had if same and not again else "needs_action"
    elif state is State.COMPLETED:
        fresh = again or mine is None or mine.state is not State.COMPLETED
        want = "review" if (fresh or had == "review") and not looked_at else "none"
    elif state is State.IDLE:
        want = "review" if had == "review" and not looked_at else "none"
    else:
        want = "none"
    if want == had and not again:
        return had, had_since
    return want, (now if want != "none" else None)


def end(unit: UnitOfWork, runtime: Runtime, reason: str, now: int, *, crashed: bool) -> None:
    """End a runtime. A crash stays listed as error/agent_crashed; an orderly end leaves a pane without an agent."""
    key: PaneKey = (runtime.target_id, runtime.pane_id)
    before = unit.states.get(key)
    version = before.state_version if before is not None else unit.versions.get(key) or 0
    if crashed and before is not None:
        version += 1  # of the state that shows the crash
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
        unit.told = {t for t in unit.told if t[0] != runtime.runtime_id}
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
            background_tasks=0, decided_by=(_gone(unit.registers.get(runtime.runtime_id) or {}),),
            last_known={"state": str(before.state), "since": before.since, "at": now}, resumed=False,
            attention="needs_action", attention_since=now, last_seen_at=now, updated_at=now,
        ),
    )  # fmt: skip


def acknowledge(unit: UnitOfWork, key: PaneKey, runtime_id: str | None, now: int) -> str:
    """Let a pane want nobody any more until its state or prompt is another one; the attention that it had.

    A crash that was shown is forgotten.
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
    """Stop showing a crash: the pane went, a new runtime starts there, it was acknowledged, or its time is over."""
    state = unit.states.get(key)
    if state is None or state.reason_code != "agent_crashed":
        return
    crashed = unit.runtimes.get(state.runtime_id)
    if crashed is not None and crashed.ended_at is not None:
        unit.ended[state.runtime_id] = crashed  # it may have crashed in this very round, and is not stored as ended yet
    unit.states.drop(key)
    unit.runtimes.drop(state.runtime_id)
    unit.registers.drop(state.runtime_id)
    unit.marks.drop(state.runtime_id)
    unit.shown.add(key)
