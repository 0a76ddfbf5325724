"""Run every change of state in order, one transaction at a time.

Owns the queue, the batches, the order (write, commit, publish) and the timers. The sibling modules implement the
operations; ``core`` decides what a claim does to a state.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import MS, NS, Ancestor, Project, RawEvent, Source, Write
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.core.state.ordering import SKEW_BUDGET
from agtmuxd.core.state.registers import Marks, Register, Registers
from agtmuxd.core.state.resolve import RuntimeFacts
from agtmuxd.ingest.annotations import acknowledge as acknowledge_annotations
from agtmuxd.ingest.annotations import annotate
from agtmuxd.ingest.commit import publish, save, update_states
from agtmuxd.ingest.context import GRACE, PENDING_TTL, IngestContext, SessionCopy, SessionState
from agtmuxd.ingest.events import EventAdapters, EventInbox, EventResult
from agtmuxd.ingest.feature_write import PublishChange, RefusedWrite, write
from agtmuxd.ingest.labels import label
from agtmuxd.ingest.observations import ObservationIntake
from agtmuxd.ingest.refresh_budget import RefreshBudget
from agtmuxd.ingest.runtimes import crash_due
from agtmuxd.ingest.state_rows import acknowledge
from agtmuxd.repository import AgentText, FolderKey, PaneKey, Repository, Runtime, Target, UnitOfWork
from agtmuxd.store.db import Store
from agtmuxd.stream.published import Changes, PublishedRows

_LOG = structlog.get_logger("ingest")
T = TypeVar("T")

BATCH = 512
"""Operations in one transaction, at most."""

AGAIN = 1 * NS
"""ns until the alarm runs again after its work could not be stored."""

OVERDUE = 1 * NS
"""An alarm that is late by so many ns runs now: the machine slept, or the clock was set forward."""


Publish = Callable[[int, int, Changes], None]
"""``publish(sequence, committed_at, changes)``: called in the loop's thread after each commit with published changes.
``committed_at``: ns."""

RequestRefresh = Callable[[str, int, bool], None]
"""``request_refresh(target_id, at, table)``: request a round of a target at ``at`` (ns). ``table``: also read its
processes."""


@dataclass(slots=True)
class _Operation:
    apply: Callable[[IngestContext], Any]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class _Completion:
    results: list[Any]
    unit: UnitOfWork
    changes: Changes
    sequence: int
    wakes: dict[str, int | None]
    looks: dict[str, int]
    run: IngestContext


class Pipeline:
    """Apply every change: ``submit`` events, ``observe`` rounds, ``report_health`` changes of health.

    Read ``repository`` from the event loop's thread only.
    """

    def __init__(
        self,
        store: Store,
        repository: Repository,
        view: PublishedRows,
        adapters: EventAdapters,
        publish_batch: Publish,
        clock: Callable[[], int],
        *,
        pending: dict[int, RawEvent],
        skew_budget: int = SKEW_BUDGET,
        lives: Callable[[Ancestor], bool] = lambda _link: True,
    ) -> None:
        """``skew_budget``: ns. ``lives``: whether a process of this machine still runs."""
        self.repository = repository
        self.view = view
        self.counters: Counter[str] = Counter()
        self.passes = 0
        """Transactions so far. While this number stays the same, nothing in the repository has changed."""
        self._refresh_budget = RefreshBudget()
        self.on_refresh_request: RequestRefresh = lambda _target, _at, _table: None
        self.on_changes: Callable[[Changes], None] = lambda _changes: None
        """Called with each published change, like ``publish_batch``, for parts that are built after this one."""
        self._store = store
        self._publish_batch = publish_batch
        self._clock = clock
        self._queue: asyncio.Queue[_Operation] = asyncio.Queue(maxsize=10_000)
        down = {t.target_id for t in repository.targets.values() if t.health == "down"}
        self._session_state = SessionState(clock(), pending, down)
        self._session_state.crash_due = crash_due(repository.states.values(), None)
        self._inbox = EventInbox(repository, self._session_state, adapters, skew_budget, lives)
        self._rounds = ObservationIntake(repository, self._session_state)
        self._serving = False
        self._read: dict[str, asyncio.Event] = {}
        self._before: SessionCopy | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0

    @property
    def pending(self) -> dict[int, RawEvent]:
        """Events that wait for their runtime, by inbox id."""
        return self._session_state.pending

    @property
    def servers(self) -> dict[tuple[str, int], str]:
        """Target ids by ``(socket, server pid)`` of this machine's tmux servers."""
        return self._session_state.servers

    # ---------------------------------------------------------------- public operations

    async def submit(self, events: Sequence[RawEvent]) -> list[EventResult]:
        """Take in events and return one result each. They are durable when this returns. Raises E_STORE_UNAVAILABLE."""
        done: list[EventResult] = await self._do(lambda run: [self._inbox.post(run, event) for event in events])
        return done

    async def observe(self, seen: Observation) -> None:
        """Apply one good round. A round that shows nothing new needs no transaction."""
        idle = not self._serving and self._queue.empty()
        if not (idle and self._rounds.nothing_new(seen)):
            await self._do(lambda run: self._rounds.apply_round(run, seen))
        if self._alarm is not None and seen.at >= self._alarm_at + OVERDUE:
            self._alarm.cancel()
            self._ring()
        self._read.setdefault(seen.target_id, asyncio.Event()).set()
        target = self.repository.targets.get(seen.target_id)
        if target is not None:
            self.view.touch(target.name, seen.at)

    async def report_health(self, change: HealthChange) -> None:
        """Apply a change of a target's health."""
        await self._do(lambda run: self._rounds.apply_health(run, change))

    async def add_target(self, target: Target) -> None:
        """Add a target, or replace its row."""
        await self._do(lambda run: run.unit.targets.put(target.target_id, target))

    async def remove_target(self, target_id: str) -> None:
        """Remove a target with everything that was known about it."""
        await self._do(lambda run: self._rounds.remove(run, target_id))

    async def acknowledge(self, key: PaneKey, runtime_id: str | None) -> str:
        """Clear a pane's attention because somebody looked at it. Return the attention that it had."""

        def apply(run: IngestContext) -> str:
            noted = acknowledge_annotations(run, key, runtime_id)
            had = acknowledge(run.unit, key, runtime_id, run.now)
            return noted if had == "none" else had

        had: str = await self._do(apply)
        return had

    async def annotate(self, runtime_id: str, name: str, value: Any) -> bool:
        """Set (or, with None, remove) what a feature adds to the row of a runtime's pane, as JSON.

        Returns False if the runtime has ended. Raises E_STORE_UNAVAILABLE.
        """
        lives: bool = await self._do(lambda run: annotate(run, runtime_id, name, value))
        return lives

    async def write(self, work: Callable[[sqlite3.Connection, PublishChange], T]) -> T:
        """Run a feature's write in its turn: ``work(connection, publish)`` on the store's thread, in one transaction.

        Its changes are published once they are committed. ``work`` must be short, and may run again if the database
        was locked. An AgtmuxError of ``work`` undoes only this write and is raised here. Raises E_STORE_UNAVAILABLE.
        """
        result = await self._do(lambda run: write(run, work))
        if isinstance(result, RefusedWrite):
            raise result.error
        done: T = result
        return done

    async def label(self, projects: Mapping[FolderKey, Project | None], texts: Mapping[str, AgentText]) -> None:
        """Set what people recognise panes by: see ``ingest.labels``. Raises E_STORE_UNAVAILABLE."""
        await self._do(lambda run: label(run, projects, texts))

    def last_levels(self, target_id: str, pane_id: str, pid: int, start: str) -> dict[Source, DebounceState]:
        """Give the last claim of each level about this process, so that an observer goes on from it after a restart."""
        runtime_id = self.repository.active.get((target_id, pane_id))
        runtime = self.repository.runtimes.get(runtime_id) if runtime_id else None
        if runtime is None or runtime.pid != pid or runtime.process_start != start:
            return {}
        out: dict[Source, DebounceState] = {}
        for (source, subject), register in self.repository.registers.get(runtime.runtime_id, {}).items():
            if subject == "turn" and register.is_level:
                out[source] = DebounceState(current=write_of(register), current_since=register.entry.since)
        return out

    def registers_of(self, runtime_id: str) -> tuple[Registers, Marks]:
        """Give the registers and marks of a runtime, up to its last reading."""
        unit = UnitOfWork(self.repository)
        self._session_state.quiet_runtimes.update_registers(unit, runtime_id)
        return unit.registers.get(runtime_id) or {}, unit.marks.get(runtime_id) or {}

    def runtime_facts(self, runtime: Runtime) -> RuntimeFacts:
        """Give the facts about a runtime that are not claims, as they were used to resolve its state."""
        return self._session_state.runtime_facts(runtime)

    async def first_round(self, target_id: str) -> None:
        """Wait for the first good round of a target since the start."""
        await self._read.setdefault(target_id, asyncio.Event()).wait()

    async def run(self) -> None:
        """Serve the queue until cancelled."""
        self._schedule(self._session_state.opened_at + GRACE)
        while True:
            first = await self._queue.get()
            batch = [first]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            self._serving = True
            try:
                await self._serve(batch)
            finally:
                self._serving = False

    @property
    def depth(self) -> int:
        """Operations that wait in the queue."""
        return self._queue.qsize()

    # ---------------------------------------------------------------- transactions and timers

    async def _do(self, apply: Callable[[IngestContext], Any]) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Operation(apply, future))
        return await future

    async def _serve(self, batch: list[_Operation]) -> None:
        try:
            done = await self._store.run(lambda connection: self._transact(connection, batch), undo=self._roll_back)
        except Exception as error:  # noqa: BLE001 every caller of this batch gets it
            code = error.code if isinstance(error, AgtmuxError) else None
            if len(batch) > 1 and code != "E_STORE_UNAVAILABLE":
                for op in batch:  # one bad operation must not make the others fail
                    await self._serve([op])
                return
            _LOG.error("operation failed", error=str(error), operations=len(batch), exc_info=code is None)
            self.counters["failed_operations"] += len(batch)
            for op in batch:
                if not op.future.cancelled():
                    op.future.set_exception(error)
            if self._alarm is None:
                self._schedule(self._clock() + AGAIN)  # states also change with time, without any event
            return
        self._finish(done)
        for op, result in zip(batch, done.results, strict=True):
            if not op.future.cancelled():
                op.future.set_result(result)

    def _transact(self, connection: sqlite3.Connection, batch: list[_Operation]) -> _Completion:
        """Try once. If this or the commit fails, ``_roll_back`` undoes the changes in memory."""
        self._before = self._session_state.copy()
        run = IngestContext(connection, UnitOfWork(self.repository), self._clock())
        results = [op.apply(run) for op in batch]
        if run.rebind:
            self._inbox.bind_pending(run)
        wakes, looks = update_states(run, self._session_state)
        save(run)
        changes, sequence = publish(run, self._session_state, self.view)
        return _Completion(results, run.unit, changes, sequence, wakes, looks, run)

    def _roll_back(self) -> None:
        if self._before is not None:
            self._session_state.restore(self._before)
            self._before = None

    def _finish(self, done: _Completion) -> None:
        done.unit.commit()
        self.passes += 1
        self.pending.update(done.run.pending_added)
        for inbox_id in done.run.pending_settled:
            self.pending.pop(inbox_id, None)
        self.counters.update(done.run.counted)
        for runtime_id, wake in done.wakes.items():
            if wake is None:
                self._session_state.wakes.pop(runtime_id, None)
            else:
                self._session_state.wakes[runtime_id] = wake
        self._forget(done)
        self._session_state.quiet_runtimes.drop_ended(self.repository)
        if done.changes:
            self._publish_batch(done.sequence, done.run.now, done.changes)
            self.on_changes(done.changes)
        search_targets = done.run.search_targets
        if search_targets and not self._refresh_budget.may(done.run.now):
            search_targets = set()
        for target_id in done.run.refresh_targets | search_targets:
            self.on_refresh_request(target_id, done.run.now, target_id in search_targets)
        for target_id, at in done.looks.items():
            self.on_refresh_request(target_id, at, False)
        self._schedule_next()

    def _forget(self, done: _Completion) -> None:
        """Forget the runtimes and targets that ended in this transaction."""
        for runtime_id, runtime in done.unit.runtimes.over.items():
            if runtime is None or runtime.ended_at is not None:
                self._session_state.forget_runtime(runtime_id)
        for target_id in done.run.removed_targets:
            self._session_state.forget_target(target_id)
        self._session_state.crash_due = crash_due(done.unit.states.over.values(), self._session_state.crash_due)

    def _schedule_next(self) -> None:
        due = self._due()
        if due is not None:
            self._schedule(due)

    def _due(self) -> int | None:
        """Give the next time (ns) at which something may change by time alone; None: never."""
        due = list(self._session_state.wakes.values())
        due += [event.ingested_at + PENDING_TTL + MS for event in self.pending.values()]
        if self._session_state.crash_due is not None:
            due.append(self._session_state.crash_due)
        unready = [t for t in self.repository.targets if t not in self._session_state.ready]
        if unready:
            due.append(self._session_state.opened_at + GRACE)
        return min(due, default=None)

    def _schedule(self, at: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        delay = max(0.005, (at - self._clock()) / NS)
        self._alarm = asyncio.get_running_loop().call_later(min(delay, 3600.0), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if not self._serving:
            self._session_state.quiet_runtimes.delay_wakes(self._session_state.wakes, self._clock())
            due = self._due()
            if due is None or due > self._clock():
                self._schedule_next()
                return
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # nobody waits for the result: the alarm runs again
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            self._queue.put_nowait(_Operation(self._tick, future))
        except asyncio.QueueFull:
            self._schedule(self._clock() + NS)

    def _tick(self, run: IngestContext) -> None:
        self._rounds.apply_time(run)
        self._inbox.bind_pending(run)


def write_of(register: Register) -> Write:
    """Rebuild the write that a register holds."""
    e = register.entry
    return Write(
        claim=e.claim, rule=e.rule, subject=register.subject, phase=e.phase, strength=e.strength,
        waiting_for=e.waiting_for, accepts_input=e.accepts_input, background_tasks=e.background_tasks, detail=e.detail,
        late=e.late,
    )  # fmt: skip
