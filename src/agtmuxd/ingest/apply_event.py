"""Apply events and levels to registers.

Covers binding, order and marks. All changes go into a unit of work; the caller's transaction commits them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from agtmuxd.core.model import Phase, RawEvent, Signal, Source, Write
from agtmuxd.core.state.binding import Binding, Candidate, bind
from agtmuxd.core.state.debounce import DebounceResult
from agtmuxd.core.state.event_sender import Sender
from agtmuxd.core.state.ordering import Stamp, effective_time
from agtmuxd.core.state.registers import Marks, Registers, find_obsolete, put, raise_marks, refresh, retired, to_entry
from agtmuxd.repository import NO_TEXT, Runtime, UnitOfWork

SESSION = "session"
"""Subject of the register that holds an agent's announcement that its session ends."""


def candidate(runtime: Runtime, declared: Collection[str] = ()) -> Candidate:
    """Describe a runtime for binding. ``declared``: ids of the runtimes whose agent the user named."""
    return Candidate(
        runtime.runtime_id, runtime.target_id, runtime.pane_id, runtime.agent_type, runtime.agent_session_id,
        runtime.pid, runtime.process_start, runtime.started_at, runtime.headless, runtime.runtime_id in declared,
    )  # fmt: skip


def active(unit: UnitOfWork) -> Iterator[Runtime]:
    """Yield every active runtime."""
    for runtime_id in unit.active.values():
        runtime = unit.runtimes.get(runtime_id)
        if runtime is not None:
            yield runtime


def find(
    unit: UnitOfWork,
    event: RawEvent,
    signal: Signal,
    target_id: str | None,
    sender: Sender,
    declared: Collection[str] = (),
) -> Binding:
    """Find the runtime that an event belongs to. An event that names its pane is compared with one runtime only."""
    if target_id is not None and event.pane_id is not None and not signal.ambient:
        runtime = unit.active_runtime((target_id, event.pane_id))
        pool: Iterable[Runtime] = () if runtime is None else (runtime,)
    else:
        pool = active(unit)
    return bind(event, signal, target_id, (candidate(r, declared) for r in pool), sender)


def apply_event(unit: UnitOfWork, runtime: Runtime, event: RawEvent, signal: Signal, *, skew_budget: int) -> bool:
    """Apply one bound event to the registers; False if it was late for all of them.

    A late event changes no register, but the claims that it retires stay retired. Marks only grow, so the result is
    the same in whatever order events arrive.
    """
    at = effective_time(event.event_time, event.ingested_at, skew_budget=skew_budget, spooled=event.spooled)
    stamp = Stamp(at, event.ingested_at, event.event_id)
    writes = () if runtime.headless else signal.writes  # a headless run is one turn; its process shows when it ends
    if signal.session_ended:
        writes = (*writes, Write(claim=None, rule=event.event_type, subject=SESSION, detail="ended"))
    changed_any = _apply_writes(unit, runtime.runtime_id, event.source, writes, at, stamp, event.source_seq)
    update = {
        "agent_session_id": signal.session_id,
        "transcript_path": signal.transcript_path,
        "task": signal.task,
        "agent_version": signal.agent_version,
    }
    changed = {k: v for k, v in update.items() if v and getattr(runtime, k) != v}
    if not changed_any:  # its order is unknown, so it only adds what was not known
        changed = {k: v for k, v in changed.items() if getattr(runtime, k) is None}
    if changed:
        unit.runtimes.put(runtime.runtime_id, replace(runtime, **changed))  # type: ignore[arg-type]
    text = unit.agent_texts.get(runtime.runtime_id) or NO_TEXT
    if signal.message is not None and at >= text.message_at and signal.message != text.message:
        unit.agent_texts.put(runtime.runtime_id, replace(text, message=signal.message, message_at=at))
        unit.shown.add((runtime.target_id, runtime.pane_id))
    unit.touched.add(runtime.runtime_id)
    return changed_any or not writes


def _apply_writes(
    unit: UnitOfWork, runtime_id: str, source: Source, writes: Iterable[Write], at: int, stamp: Stamp, seq: int | None
) -> bool:
    registers = dict(unit.registers.get(runtime_id) or {})
    marks = unit.marks.get(runtime_id) or {}
    changed_any = False
    for write in writes:
        entry = to_entry(write, at, stamp, seq)
        raised = raise_marks(marks, source, entry, at)
        if raised is not None:
            marks = raised
            unit.marks.put(runtime_id, raised)
            unit.marked.add(runtime_id)
        new = put(registers.get((source, write.subject)), source, write.subject, entry)
        if new is not None:
            registers[(source, write.subject)] = new
            unit.changed_registers.add((runtime_id, source, write.subject))
            if retired(new, marks) is not None:
                unit.marked.add(runtime_id)  # its mark may have grown since it was stored
            changed_any = True
    for key in find_obsolete(registers, marks):
        del registers[key]
        unit.changed_registers.add((runtime_id, *key))
        unit.marked.add(runtime_id)  # store the marks that made them obsolete
    unit.registers.put(runtime_id, registers)
    return changed_any


def apply_level(
    unit: UnitOfWork, runtime: Runtime, source: Source, settled: DebounceResult, at: int, event_id: str
) -> Write | None:
    """Apply one settled sample of a level. Return the write if its claim changed, which counts as an event, else None.

    ``at``: when the level was read (ns).
    """
    registers = unit.registers.get(runtime.runtime_id) or {}
    current = registers.get((source, "turn"))
    if settled.changed is not None:
        stamp = Stamp(settled.since, at, event_id)
        _apply_writes(unit, runtime.runtime_id, source, (settled.changed,), settled.since, stamp, None)
        registers = unit.registers.get(runtime.runtime_id) or {}
        current = registers.get((source, "turn"))
    if current is None or not (settled.refreshed or settled.changed):
        return settled.changed
    seen = refresh(current, at)
    if seen is not current:
        unit.registers.put(runtime.runtime_id, {**registers, (source, "turn"): seen})
    marks = unit.marks.get(runtime.runtime_id) or {}
    raised = raise_marks(marks, source, seen.entry, at)
    if raised is not None:
        unit.marks.put(runtime.runtime_id, raised)
        if settled.changed is not None or _retires(registers, marks, raised):
            unit.marked.add(runtime.runtime_id)
    unit.touched.add(runtime.runtime_id)
    return settled.changed


def refresh_levels(unit: UnitOfWork, runtime_id: str, sources: Collection[Source], at: int) -> None:
    """Record that these levels of a runtime were read at ``at`` (ns) with unchanged claims.

    This makes up for the rounds that ``core.state.unchanged`` allowed to skip.
    """
    registers = dict(unit.registers.get(runtime_id) or {})
    marks = before = unit.marks.get(runtime_id) or {}
    raised: dict[str, int] | None = None
    for key, register in registers.items():
        if register.source in sources:
            registers[key] = refresh(register, at)
            more = raise_marks(marks, register.source, register.entry, at)
            if more is not None:
                marks = raised = more
    unit.registers.put(runtime_id, registers)
    if raised is not None:
        unit.marks.put(runtime_id, raised)
        if _retires(registers, before, raised):
            unit.marked.add(runtime_id)


def _retires(registers: Registers, before: Marks, after: Marks) -> bool:
    """Whether the raised marks retire an edge that was not retired before. Only then they have to be stored."""
    return any(
        not r.is_level and retired(r, after) is not None and retired(r, before) is None for r in registers.values()
    )


def announced_exit(unit: UnitOfWork, runtime: Runtime) -> bool:
    """Whether the agent announced the end of its session and did no work since."""
    registers = unit.registers.get(runtime.runtime_id) or {}
    ends = [r.entry.since for (_, subject), r in registers.items() if subject == SESSION]
    if not ends:
        return False
    works = [r.entry.since for r in registers.values() if r.entry.phase in (Phase.START, Phase.DURING)]
    return max(ends) >= max(works, default=0)
