"""The door: everything that may change state passes here, in one order, one transaction at a time.

Owns the queue, the batching, the write-commit-tell order and the timers. What the operations mean is in the sibling
modules; what a claim does to a state is in ``core``.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.bind import Bound
from agtmuxd.core.ids import dedupe_key, uuid7
from agtmuxd.core.level import Settled, Steady
from agtmuxd.core.model import MS, NS, RawEvent, Signal, Source, Write
from agtmuxd.core.observation import HealthChange, Observation
from agtmuxd.core.order import SKEW_BUDGET
from agtmuxd.core.registers import Marks, Register, Registers, retired
from agtmuxd.core.resolve import Life, settle_wake
from agtmuxd.core.wire import encode
from agtmuxd.ingest import observed
from agtmuxd.ingest.calm import Calm
from agtmuxd.ingest.fold import find, fold, told
from agtmuxd.ingest.items import pane_item
from agtmuxd.ingest.settle import acknowledge, settle
from agtmuxd.store import log
from agtmuxd.store.db import Store
from agtmuxd.store.rows import save_runtime, save_unit
from agtmuxd.view import Changes, View, changes_for, pane_key
from agtmuxd.world import PaneKey, Runtime, Target, Unit, World

_LOG = structlog.get_logger("ingest")

PENDING_TTL = 10 * NS
GRACE = 5 * NS
"""How long after the start a target's persisted rows stand unchanged while no round of it was good."""
BATCH = 512


class Understands(Protocol):
    """The adapters, as the door asks them: ``normalise`` raises ValueError for what no adapter understands."""

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal: ...


Publish = Callable[[int, int, Changes], None]
"""``publish(sequence, committed_at, changes)``: called in the loop's thread after each commit that shows."""

Poke = Callable[[str, int, bool], None]
"""``poke(target_id, at, table)``: have a look at a target at ``at`` (ns); ``table``: with its processes."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one posted event."""

    event_id: str
    status: str  # bound | pending_bind | duplicate | dropped_unbound | stale_runtime | late
    runtime_id: str | None = None
    reason_code: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "status": self.status,
            "runtime_id": self.runtime_id,
            "reason_code": self.reason_code,
        }


@dataclass(slots=True)
class _Op:
    apply: Callable[[_Pass], Any]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class _Pass:
    """One transaction under way."""

    connection: sqlite3.Connection
    unit: Unit
    now: int
    pending_added: dict[int, RawEvent] = field(default_factory=dict)
    pending_settled: set[int] = field(default_factory=set)
    counted: Counter[str] = field(default_factory=Counter)
    pokes: set[str] = field(default_factory=set)  # targets whose panes are worth a look at once
    rebind: bool = False
    removed_targets: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Done:
    results: list[Any]
    unit: Unit
    changes: Changes
    sequence: int
    wakes: dict[str, int | None]
    looks: dict[str, int]
    run: _Pass


class Door:
    """``submit`` events, ``observe`` rounds, ``tell`` health; read ``world`` from the loop's thread only."""

    def __init__(
        self,
        store: Store,
        world: World,
        view: View,
        adapters: Understands,
        publish: Publish,
        clock: Callable[[], int],
        *,
        pending: dict[int, RawEvent],
        skew_budget: int = SKEW_BUDGET,
    ) -> None:
        self.world = world
        self.view = view
        self.counters: Counter[str] = Counter()
        self.pending = pending
        self.servers: dict[tuple[str, int], str] = {}
        self.on_poke: Poke = lambda _target, _at, _table: None
        self._store = store
        self._adapters = adapters
        self._publish_batch = publish
        self._clock = clock
        self._skew = skew_budget
        self._queue: asyncio.Queue[_Op] = asyncio.Queue(maxsize=10_000)
        self._read_at: dict[str, int] = {}
        self._down: set[str] = {t.target_id for t in world.targets.values() if t.health == "down"}
        self._ready: set[str] = set()
        self._suspended: set[str] = set()
        self._looked_at: dict[str, frozenset[str]] = {}
        self._title_at: dict[PaneKey, int] = {}
        self._wakes: dict[str, int] = {}
        self._calm = Calm()
        self._serving = False
        self._crash_due: int | None = None
        self._rounds: dict[str, asyncio.Event] = {}
        self._opened_at = clock()
        self._alarm: asyncio.TimerHandle | None = None

    # ---------------------------------------------------------------- what others call

    async def submit(self, events: Sequence[RawEvent]) -> list[Posted]:
        """Take events in. Durable when this returns. Raises E_STORE_UNAVAILABLE."""
        done: list[Posted] = await self._do(lambda run: [self._post(run, event) for event in events])
        return done

    async def observe(self, seen: Observation) -> None:
        """Take one good round in. One that shows nothing new costs no transaction."""
        if not self._nothing_new(seen):
            await self._do(lambda run: self._observed(run, seen))
        self._rounds.setdefault(seen.target_id, asyncio.Event()).set()
        target = self.world.targets.get(seen.target_id)
        if target is not None:
            self.view.touch(target.name, seen.at)

    async def tell(self, change: HealthChange) -> None:
        """Take a target's health in."""
        await self._do(lambda run: self._health(run, change))

    async def add_target(self, target: Target) -> None:
        await self._do(lambda run: run.unit.targets.put(target.target_id, target))

    async def remove_target(self, target_id: str) -> None:
        """Forget a target with all that was known of it."""
        await self._do(lambda run: self._remove(run, target_id))

    async def acknowledge(self, key: PaneKey, runtime_id: str | None) -> str:
        """Take a person's word that a pane was looked at; the attention that it had."""
        had: str = await self._do(lambda run: acknowledge(run.unit, key, runtime_id, run.now))
        return had

    def remembered(self, target_id: str, pane_id: str, pid: int, start: str) -> dict[Source, Steady]:
        """What each level last said of this very process, for an observer that meets it again after a restart."""
        runtime_id = self.world.active.get((target_id, pane_id))
        runtime = self.world.runtimes.get(runtime_id) if runtime_id else None
        if runtime is None or runtime.pid != pid or runtime.process_start != start:
            return {}
        out: dict[Source, Steady] = {}
        for (source, subject), register in self.world.registers.get(runtime.runtime_id, {}).items():
            if subject == "turn" and register.is_level:
                out[source] = Steady(told=write_of(register), told_since=register.entry.since)
        return out

    def words_of(self, runtime_id: str) -> tuple[Registers, Marks]:
        """What every source said last of a runtime, and up to when older claims are retired."""
        unit = Unit(self.world)
        self._calm.peek(unit, runtime_id)
        return unit.registers.get(runtime_id) or {}, unit.marks.get(runtime_id) or {}

    def read_at(self, target_id: str) -> int:
        """When the target was last read well (ns), 0 for never since the start."""
        return self._read_at.get(target_id, 0)

    async def first_round(self, target_id: str) -> None:
        """Wait for the first good round of a target since the start."""
        await self._rounds.setdefault(target_id, asyncio.Event()).wait()

    def is_suspended(self, runtime_id: str) -> bool:
        return runtime_id in self._suspended

    async def run(self) -> None:
        """Serve the queue until cancelled."""
        self._schedule(self._opened_at + GRACE)
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
        return self._queue.qsize()

    # ---------------------------------------------------------------- the order of things

    async def _do(self, apply: Callable[[_Pass], Any]) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Op(apply, future))
        return await future

    async def _serve(self, batch: list[_Op]) -> None:
        try:
            done = await self._store.run(lambda connection: self._transact(connection, batch))
        except Exception as error:  # noqa: BLE001 told to every caller of this batch
            if len(batch) > 1:
                for op in batch:  # one bad operation must not take its neighbours along
                    await self._serve([op])
                return
            self._calm.clear()
            _LOG.error("operation failed", error=str(error), exc_info=not isinstance(error, AgtmuxError))
            self.counters["failed_operations"] += 1
            if not batch[0].future.cancelled():
                batch[0].future.set_exception(error)
            return
        self._take_over(done)
        for op, result in zip(batch, done.results, strict=True):
            if not op.future.cancelled():
                op.future.set_result(result)

    def _transact(self, connection: sqlite3.Connection, batch: list[_Op]) -> _Done:
        run = _Pass(connection, Unit(self.world), self._clock())
        results = [op.apply(run) for op in batch]
        if run.rebind:
            self._bind_pending(run)
        wakes, looks = self._settle_touched(run)
        unit = run.unit
        self._save(run)
        changes, sequence = self._publish(run)
        return _Done(results, unit, changes, sequence, wakes, looks, run)

    def _take_over(self, done: _Done) -> None:
        done.unit.commit()
        self.pending.update(done.run.pending_added)
        for inbox_id in done.run.pending_settled:
            self.pending.pop(inbox_id, None)
        self.counters.update(done.run.counted)
        for runtime_id, wake in done.wakes.items():
            if wake is None:
                self._wakes.pop(runtime_id, None)
            else:
                self._wakes[runtime_id] = wake
        for gone in self._wakes.keys() - self.world.runtimes.keys():
            del self._wakes[gone]
        self._calm.keep(self.world)
        if done.changes:
            self._publish_batch(done.sequence, done.run.now, done.changes)
        for target_id in done.run.pokes:
            self.on_poke(target_id, done.run.now, bool(done.run.pending_added))
        for target_id, at in done.looks.items():
            self.on_poke(target_id, at, False)
        self._schedule_next()

    def _schedule_next(self) -> None:
        due = list(self._wakes.values())
        due += [event.ingested_at + PENDING_TTL + MS for event in self.pending.values()]
        if self._crash_due is not None:
            due.append(self._crash_due)
        unready = [t for t in self.world.targets if t not in self._ready]
        if unready:
            due.append(self._opened_at + GRACE)
        if due:
            self._schedule(min(due))

    def _schedule(self, at: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        delay = max(0.005, (at - self._clock()) / NS)
        self._alarm = asyncio.get_running_loop().call_later(min(delay, 3600.0), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Op(self._tick, future))
        except asyncio.QueueFull:
            self._schedule(self._clock() + NS)

    # ---------------------------------------------------------------- operations (on the store's thread)

    def _tick(self, run: _Pass) -> None:
        if run.now >= self._opened_at + GRACE:
            for target_id in self.world.targets:
                self._make_ready(run, target_id)
        run.unit.touched.update(r for r, at in self._wakes.items() if at <= run.now)
        self._crash_due = observed.crashes_due(run.unit, run.now)
        self._bind_pending(run)

    def _make_ready(self, run: _Pass, target_id: str) -> None:
        """From now on this target's states are judged again; until then what was persisted stands."""
        if target_id in self._ready:
            return
        self._ready.add(target_id)
        run.unit.shown.update(key for key, _ in run.unit.panes.items() if key[0] == target_id)
        run.unit.touched.update(r.runtime_id for r in _living(run.unit, target_id))

    def _health(self, run: _Pass, change: HealthChange) -> None:
        target = run.unit.targets.get(change.target_id)
        if target is None:
            return
        moved = target.health != change.health
        updated = replace(
            target,
            health=change.health,
            health_since=change.at if moved else target.health_since,
            reason=change.reason,
            tmux_version=change.tmux_version or target.tmux_version,
            last_seen_at=change.at if change.health == "ok" else target.last_seen_at,
            updated_at=change.at,
        )
        run.unit.targets.put(target.target_id, updated)
        if change.health == "down":
            self._down.add(target.target_id)
            self._make_ready(run, target.target_id)
        if moved:
            run.unit.touched.update(r.runtime_id for r in _living(run.unit, target.target_id))

    def _remove(self, run: _Pass, target_id: str) -> None:
        target = run.unit.targets.get(target_id)
        if target is None:
            return
        run.removed_targets[target_id] = target.name
        for runtime in list(_living(run.unit, target_id)):
            run.unit.active.drop((target_id, runtime.pane_id))
        for runtime_id, runtime in list(run.unit.runtimes.items()):
            if runtime.target_id == target_id:
                run.unit.runtimes.drop(runtime_id)
                run.unit.registers.drop(runtime_id)
                run.unit.marks.drop(runtime_id)
        for key in [k for k, _ in run.unit.states.items() if k[0] == target_id]:
            run.unit.states.drop(key)
        for key in [k for k, _ in run.unit.panes.items() if k[0] == target_id]:
            run.unit.panes.drop(key)
            run.unit.shown.add(key)
        run.unit.targets.drop(target_id)

    def _nothing_new(self, seen: Observation) -> bool:
        """Whether a round says what is known, while nothing else is under way; then only its time is noted."""
        if self._serving or not self._queue.empty() or seen.target_id not in self._ready:
            return False
        if seen.target_id in self._down:
            return False
        if seen.looked_at != self._looked_at.get(seen.target_id):
            return False
        server = self._server_of(seen, self.world.targets.get(seen.target_id))
        if server is not None and self.servers.get(server) != seen.target_id:
            return False
        if not self._calm.all_same(self.world, seen, self._suspended):
            return False
        self._read_at[seen.target_id] = seen.at
        return True

    @staticmethod
    def _server_of(seen: Observation, target: Target | None) -> tuple[str, int] | None:
        """What names a tmux server of this machine; one elsewhere may have the same socket path and pid."""
        if target is None or target.kind != "local" or seen.socket_path is None or seen.server_pid is None:
            return None
        return _real(seen.socket_path), seen.server_pid

    def _observed(self, run: _Pass, seen: Observation) -> None:
        if run.unit.targets.get(seen.target_id) is None:
            return
        self._read_at[seen.target_id] = seen.at
        if seen.target_id in self._down:  # back only now: until it was read, what it shows is as old as before
            self._down.discard(seen.target_id)
            run.unit.touched.update(r.runtime_id for r in _living(run.unit, seen.target_id))
        before = self._looked_at.get(seen.target_id, frozenset())
        self._looked_at[seen.target_id] = seen.looked_at
        server = self._server_of(seen, run.unit.targets.get(seen.target_id))
        if server is not None:
            run.rebind |= self.servers.get(server) != seen.target_id  # events may have come before their server was met
            self.servers[server] = seen.target_id
        known = set(run.unit.active.values())
        observed.topology(run.unit, seen, self._title_at)
        observed.runtimes(run.unit, seen)
        self._make_ready(run, seen.target_id)
        for pane_id, agent in seen.agents.items():
            runtime = run.unit.active_runtime((seen.target_id, pane_id))
            if runtime is None:
                continue
            if agent.suspended != (runtime.runtime_id in self._suspended):
                (self._suspended.add if agent.suspended else self._suspended.discard)(runtime.runtime_id)
                run.unit.touched.add(runtime.runtime_id)
            if runtime.runtime_id not in known:
                run.rebind = True
            if self._calm.stays(runtime.runtime_id, agent):
                self._calm.read(runtime.runtime_id, seen.at)
                continue
            self._calm.end(run.unit, runtime.runtime_id)
            for source, settled in agent.levels:
                self._level(run, runtime, source, settled, seen.at)
        for pane_id in seen.looked_at - before:
            runtime = run.unit.active_runtime((seen.target_id, pane_id))
            if runtime is not None:
                run.unit.touched.add(runtime.runtime_id)
        run.rebind = run.rebind or bool(self.pending and seen.gone)

    def _level(self, run: _Pass, runtime: Runtime, source: Source, settled: Settled, at: int) -> None:
        event_id = uuid7(at) if settled.changed is not None else ""
        write = told(run.unit, runtime, source, settled, at, event_id)
        if write is None:
            return
        event = RawEvent(
            event_id=event_id, event_type=f"claim:{write.claim or 'none'}", source=source,
            agent_type=runtime.agent_type, event_time=settled.since, ingested_at=at,
            dedupe_key=dedupe_key(source, event_id, "claim"), source_event_id=event_id,
            payload={"rule": write.rule, "claim": write.claim, "detail": write.detail},
        )  # fmt: skip
        if runtime.runtime_id in run.unit.runtimes.over:
            self._save_runtime_first(run, runtime)
        log.add_event(run.connection, event, runtime.runtime_id, "applied")
        run.counted[f"events_{source}"] += 1

    def _save_runtime_first(self, run: _Pass, runtime: Runtime) -> None:
        """A runtime that began in this very transaction must stand in its table before its first event."""
        for ended in run.unit.ended.values():
            save_runtime(run.connection, ended)
        for other in run.unit.runtimes.over.values():
            if other is not None and other.ended_at is not None:
                save_runtime(run.connection, other)
        save_runtime(run.connection, runtime)

    # ---------------------------------------------------------------- events

    def _target_of(self, event: RawEvent) -> tuple[str | None, bool]:
        """``(target_id, known)``: not known while the event names a tmux server that no target has shown yet."""
        if event.target_id is not None:
            return event.target_id, True
        if event.tmux_socket is None:
            return None, True
        found = self.servers.get((_real(event.tmux_socket), event.tmux_server_pid or 0))
        return found, found is not None

    def _understand(self, event: RawEvent, runtime: Runtime | None) -> Signal:
        if event.source is Source.ACTION:
            return Signal(event_type=event.event_type)  # our own audit: history, and no claim
        prior: dict[str, Any] = {}
        if runtime is not None:
            prior = {
                "agent_session_id": runtime.agent_session_id,
                "headless": runtime.headless,
                "agent_version": runtime.agent_version,
            }
        return self._adapters.normalise(event, prior)

    def _post(self, run: _Pass, event: RawEvent) -> Posted:
        run.counted[f"events_{event.source}"] += 1
        if event.runtime_id is not None:
            return self._post_named(run, event, event.runtime_id)
        try:
            signal = self._understand(event, None)
        except ValueError as error:
            run.counted["events_not_understood"] += 1
            return Posted(event.event_id, "dropped_unbound", None, f"not_understood: {error}"[:200])
        bound = self._bound(run, event, signal)
        if bound.runtime_id is not None:
            return self._apply(run, event, bound.runtime_id)
        if log.already_bound(run.connection, event):
            return Posted(event.event_id, "duplicate")
        inbox_id = log.add_pending(run.connection, event, signal.session_id)
        if inbox_id is None:
            return Posted(event.event_id, "duplicate")
        if bound.reason == "bind_ambiguous":
            log.settle_pending(run.connection, inbox_id, "dropped_unbound", bound.reason, None)
            return Posted(event.event_id, "dropped_unbound", None, bound.reason)
        run.pending_added[inbox_id] = event
        for target_id in self.world.targets:
            run.pokes.add(target_id)
        return Posted(event.event_id, "pending_bind")

    def _bound(self, run: _Pass, event: RawEvent, signal: Signal) -> Bound:
        target_id, known = self._target_of(event)
        if not known and not signal.ambient:
            return Bound(None, "bind_no_candidate")
        return find(run.unit, event, signal, target_id)

    def _post_named(self, run: _Pass, event: RawEvent, runtime_id: str) -> Posted:
        runtime = run.unit.runtimes.get(runtime_id)
        if runtime is None or runtime.ended_at is not None:
            known = run.connection.execute("SELECT 1 FROM runtimes WHERE runtime_id = ?", (runtime_id,)).fetchone()
            if known is not None:
                log.add_event(run.connection, event, runtime_id, "stale_runtime")
            return Posted(event.event_id, "stale_runtime", runtime_id, "E_RUNTIME_STALE")
        return self._apply(run, event, runtime_id)

    def _apply(self, run: _Pass, event: RawEvent, runtime_id: str) -> Posted:
        runtime = run.unit.runtimes.get(runtime_id)
        if runtime is None:
            return Posted(event.event_id, "stale_runtime", runtime_id, "E_RUNTIME_STALE")
        if runtime_id in run.unit.runtimes.over and runtime_id not in self.world.runtimes:
            self._save_runtime_first(run, runtime)
        if not log.add_event(run.connection, event, runtime_id, "applied"):
            return Posted(event.event_id, "duplicate", runtime_id)
        try:
            signal = self._understand(event, runtime)
        except ValueError as error:
            run.counted["events_not_understood"] += 1
            return Posted(event.event_id, "bound", runtime_id, f"not_understood: {error}"[:200])
        run.pokes.add(runtime.target_id)
        if not fold(run.unit, runtime, event, signal, skew_budget=self._skew):
            log.mark_late(run.connection, event.event_id)
            return Posted(event.event_id, "late", runtime_id)
        run.unit.shown.add((runtime.target_id, runtime.pane_id))
        return Posted(event.event_id, "bound", runtime_id)

    def _bind_pending(self, run: _Pass) -> None:
        """Try the waiting events again; those whose time is over are dropped with their reason."""
        waiting = {**self.pending, **run.pending_added}
        for inbox_id, event in sorted(waiting.items()):
            if inbox_id in run.pending_settled:
                continue
            try:
                signal = self._understand(event, None)
                bound = self._bound(run, event, signal)
            except ValueError:
                bound = Bound(None, "bind_no_candidate")
            old = run.now > event.ingested_at + PENDING_TTL
            if bound.runtime_id is not None and not old:
                self._apply(run, event, bound.runtime_id)
                log.settle_pending(run.connection, inbox_id, "bound", None, bound.runtime_id)
            elif bound.reason == "bind_ambiguous" or old:
                reason = "bind_ttl_expired" if bound.runtime_id is not None else bound.reason
                log.settle_pending(run.connection, inbox_id, "dropped_unbound", reason, None)
                run.counted[f"events_{reason}"] += 1
            else:
                continue
            run.pending_settled.add(inbox_id)

    # ---------------------------------------------------------------- states, rows, stream

    def _settle_touched(self, run: _Pass) -> tuple[dict[str, int | None], dict[str, int]]:
        wakes: dict[str, int | None] = {}
        looks: dict[str, int] = {}
        for runtime_id in sorted(run.unit.touched):
            runtime = run.unit.runtimes.get(runtime_id)
            if runtime is None or runtime.ended_at is not None or runtime.target_id not in self._ready:
                continue
            self._calm.end(run.unit, runtime_id)
            life = Life(
                started_at=runtime.started_at,
                pane_read_at=self._read_at.get(runtime.target_id, 0),
                target_down=runtime.target_id in self._down,
                suspended=runtime_id in self._suspended,
            )
            looked_at = runtime.pane_id in self._looked_at.get(runtime.target_id, frozenset())
            wakes[runtime_id] = settle(run.unit, runtime, life, run.now, looked_at=looked_at)
            look = settle_wake(run.unit.registers.get(runtime_id) or {}, run.now)
            if look is not None:
                looks[runtime.target_id] = min(look, looks.get(runtime.target_id, look))
            self._calm.judge(run.unit, runtime_id, life.pane_read_at)
        return wakes, looks

    def _save(self, run: _Pass) -> None:
        unit = run.unit
        at: dict[tuple[str, Source, str], int | None] = {}
        for runtime_id, source, subject in unit.told:
            register = (unit.registers.get(runtime_id) or {}).get((source, subject))
            if register is not None:
                gone = retired(register, unit.marks.get(runtime_id) or {})
                at[(runtime_id, source, subject)] = gone[1] if gone is not None else None
        save_unit(run.connection, unit, at)

    def _publish(self, run: _Pass) -> tuple[Changes, int]:
        """The rows that changed, into the stream log and the published table; nothing is told before the commit."""
        items: dict[str, dict[str, Any] | None] = {}
        unit = run.unit
        for key in unit.shown:
            target = unit.targets.get(key[0])
            name = target.name if target is not None else run.removed_targets.get(key[0])
            if name is None or (key[0] not in self._ready and target is not None):
                continue
            pane = unit.panes.get(key)
            if pane is None or target is None:
                items[pane_key(name, key[1])] = None
                continue
            state = unit.states.get(key)
            runtime = unit.active_runtime(key)
            if runtime is None and state is not None:
                runtime = unit.runtimes.get(state.runtime_id)
            if runtime is not None and state is None:
                runtime = None  # seen, not judged yet
            items[pane_key(name, key[1])] = pane_item(name, pane, runtime, state)
        changes = changes_for(self.view, items)
        if not changes:
            return {}, self.view.sequence
        sequence = self.view.sequence + 1
        texts = {scope: encode([c.to_json() for c in some]).decode() for scope, some in changes.items()}
        log.add_batch(run.connection, self.view.stream_id, sequence, texts, run.now)
        keep = {c.key: None if c.item is None else encode(c.item).decode() for c in changes.get("panes", ())}
        log.publish(run.connection, keep)
        return changes, sequence


def _living(unit: Unit, target_id: str) -> Iterable[Runtime]:
    for key, runtime_id in unit.active.items():
        if key[0] == target_id:
            runtime = unit.runtimes.get(runtime_id)
            if runtime is not None:
                yield runtime


def write_of(register: Register) -> Write:
    """The write that a register holds, as the observer once made it."""
    e = register.entry
    return Write(
        claim=e.claim, rule=e.rule, subject=register.subject, phase=e.phase, strength=e.strength,
        waiting_for=e.waiting_for, accepts_input=e.accepts_input, background_tasks=e.background_tasks, detail=e.detail,
    )  # fmt: skip


@lru_cache(maxsize=256)
def _real(path: str) -> str:
    return os.path.realpath(path)
