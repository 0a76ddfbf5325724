"""The one door in, on a real database file, with a clock in the test's hand and rounds made of a few words.

Owns no expectation. Adapters are the real ones; what an observer would have seen is told to ``Rig.round``.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.registry import Registry
from agtmuxd.core.ids import dedupe_key
from agtmuxd.core.model import MS, NS, Ancestor, Claim, PaneRow, RawEvent, Source, WaitingFor, Write
from agtmuxd.core.state.debounce import DebounceState, sample
from agtmuxd.core.state.observation import AgentExit, AgentObservation, HealthChange, Observation
from agtmuxd.ingest.events import EventResult
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.repository import StateRow, Target
from agtmuxd.store import history
from agtmuxd.store.clock_repair import put_back
from agtmuxd.store.current import load_repository
from agtmuxd.store.db import Store, open_database
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import Changes, PublishedRows, pane_key
from agtmuxd.stream.subscription import Subscriptions

T0 = 1_767_225_600 * NS
"""2026-01-01T00:00:00Z"""
SOCKET = "/tmp/rig-tmux"
SERVER = 900
TARGET = "t-host"
_COUNT = itertools.count(1)

BUSY = Write(Claim.RUNNING, "spinner", accepts_input=False)
QUIET = Write(Claim.NOT_RUNNING, "composer", accepts_input=True)
DONE = Write(Claim.COMPLETED, "done line", accepts_input=True)


def box(fingerprint: str = "f-1", *, claim: Claim = Claim.WAITING_APPROVAL, subject: str | None = None) -> Write:
    """A dialog on screen."""
    kind = "approval" if claim is Claim.WAITING_APPROVAL else "question"
    wanted = WaitingFor(kind, subject, "Do you want to proceed?", ("Yes", "No"), fingerprint)
    return Write(claim, "dialog", waiting_for=wanted, accepts_input=False)


@dataclass(slots=True)
class Clock:
    now: int = T0

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> int:
        self.now += int(seconds * NS)
        return self.now


@dataclass(slots=True)
class Agent:
    """A process in a pane. ``levels``: what its screen and status show from now on."""

    pane: str = "%1"
    kind: str = "claude"
    pid: int = 4001
    start: str = "100"
    started_at: int = T0 - 60 * NS
    suspended: bool = False
    headless: bool = False
    levels: dict[Source, Write | None] = field(default_factory=dict)
    steady: dict[Source, DebounceState] = field(default_factory=dict)

    @property
    def chain(self) -> tuple[Ancestor, ...]:
        return (Ancestor(self.pid + 5000, "900"), Ancestor(self.pid, self.start), Ancestor(77, "1"))


def pane_row(pane_id: str, **more: Any) -> PaneRow:
    row = PaneRow(
        pane_id=pane_id, session_id="$1", session_name="work", window_id="@1", window_index=0, window_name="w",
        pane_index=int(pane_id[1:]), title="", command="zsh", cwd="/src", pid=3000 + int(pane_id[1:]), tty="",
        active=False, attached=0, dead=False, dead_status=None, dead_signal=None, in_mode=False, alternate_on=False,
        cursor_visible=True, cursor_x=0, cursor_y=0, cols=80, rows=24,
    )  # fmt: skip
    return replace(row, **more)


class Rig:
    """``async with Rig(path, clock) as rig``: a door that runs. Leaving keeps the file, as a stopped daemon does."""

    def __init__(self, path: Path, clock: Clock, *, registry: Registry | None = None) -> None:
        self.path = path
        self.clock = clock
        self.registry = registry or discover([])
        self.published: list[tuple[int, Changes]] = []
        self.refresh_requests: list[tuple[str, int, bool]] = []
        self.subscriptions = Subscriptions()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Rig:
        connection, _ = open_database(str(self.path))
        self.connection = connection
        put_back(connection, self.clock())
        stream_id, upcoming = history.load_stream(connection, "s-rig", self.clock())
        self.view = PublishedRows(stream_id, upcoming - 1, history.load_published(connection))
        self.store = Store(connection)
        repository, pending = load_repository(connection), history.load_pending(connection)
        self.store.start()
        self.pipeline = Pipeline(
            self.store, repository, self.view, self.registry, self._publish, self.clock, pending=pending
        )
        self.pipeline.on_refresh_request = lambda target, at, table: self.refresh_requests.append((target, at, table))
        self._tasks = [asyncio.create_task(self.pipeline.run(), name="door")]
        if TARGET not in repository.targets:
            await self.pipeline.add_target(
                Target(TARGET, "host", "local", None, True, "ok", self.clock(), None, None, None, {}, self.clock())
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self.pipeline._alarm is not None:
            self.pipeline._alarm.cancel()
        self.store.close()

    def _publish(self, sequence: int, committed_at: int, changes: Changes) -> None:
        self.published.append((sequence, changes))
        self.view.apply(sequence, changes)
        self.subscriptions.publish(Batch(sequence, committed_at, changes))

    # ------------------------------------------------ what happens

    async def round(
        self,
        *agents: Agent,
        panes: Iterable[str | PaneRow] = ("%1",),
        gone: Iterable[AgentExit] = (),
        boot: str | None = "900.1",
        looked_at: Iterable[str] = (),
        server: int = SERVER,
    ) -> None:
        """One good round in which these agents were there."""
        rows = tuple(p if isinstance(p, PaneRow) else pane_row(p) for p in panes)
        now = self.clock()
        await self.pipeline.observe(
            Observation(
                target_id=TARGET, at=now, boot_id=boot, server_pid=server, socket_path=SOCKET, panes=rows,
                agents={a.pane: self._seen(a, now) for a in agents}, gone=tuple(gone), looked_at=frozenset(looked_at),
            )
        )  # fmt: skip

    def _seen(self, agent: Agent, now: int) -> AgentObservation:
        listed = []
        for source, write in agent.levels.items():
            if source not in agent.steady:
                known = self.pipeline.last_levels(TARGET, agent.pane, agent.pid, agent.start)
                agent.steady[source] = known.get(source, DebounceState())
            settled = sample(agent.steady[source], source, write, now)
            agent.steady[source] = settled.steady
            listed.append((source, settled))
        return AgentObservation(
            agent_type=agent.kind, agent_version=None, headless=agent.headless, pid=agent.pid,
            process_start=agent.start, process_started_at=agent.started_at, suspended=agent.suspended,
            levels=tuple(listed),
        )  # fmt: skip

    async def steady(self, agent: Agent, source: Source, write: Write | None) -> None:
        """The agent's screen (or status) shows this, read until it counts."""
        agent.levels[source] = write
        await self.round(agent)
        self.clock.forward(0.6)
        await self.round(agent)

    async def post(self, *events: RawEvent) -> list[EventResult]:
        return await self.pipeline.submit(events)

    async def health(self, level: str, reason: str | None = None) -> None:
        await self.pipeline.report_health(HealthChange(TARGET, level, reason, self.clock()))

    async def tick(self) -> None:
        """Let the door notice what time it is."""
        await self.pipeline._do(self.pipeline._tick)

    # ------------------------------------------------ what is known

    def state(self, pane: str = "%1") -> StateRow | None:
        return self.pipeline.repository.states.get((TARGET, pane))

    def the_state(self, pane: str = "%1") -> StateRow:
        state = self.state(pane)
        assert state is not None, f"{pane} has no state"
        return state

    def item(self, pane: str = "%1") -> dict[str, Any] | None:
        """The row that a listing shows."""
        return self.view.panes.get(pane_key("host", pane))

    def runtime_id(self, pane: str = "%1") -> str:
        return self.pipeline.repository.active[(TARGET, pane)]

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the file by a connection of the test's own: only what is committed shows."""
        reader = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return reader.execute(statement, values).fetchall()
        finally:
            reader.close()

    def shown(self, pane: str = "%1") -> list[str | None]:
        """The states that watchers were told of this pane, in order, repeats left out."""
        listed: list[str | None] = []
        for _, changes in self.published:
            for change in changes.get("panes", ()):
                if change.identity["pane_id"] != pane:
                    continue
                state = None if change.item is None else change.item["state"]
                if not listed or listed[-1] != state:
                    listed.append(state)
        return listed


def event(
    name: str,
    agent: Agent | None = None,
    *,
    at: int,
    ingested: int | None = None,
    source: Source = Source.HOOK,
    payload: Mapping[str, Any] | None = None,
    **more: Any,
) -> RawEvent:
    """One hook as it reaches the door. ``agent``: the one whose process and pane it carries; ``at`` in ns."""
    number = next(_COUNT)
    event_id = more.pop("event_id", f"ev-{number:08d}")
    kind = agent.kind if agent is not None else more.pop("agent_type", "claude")
    made = RawEvent(
        event_id=event_id, event_type=name, source=source, agent_type=kind, event_time=at,
        ingested_at=at if ingested is None else ingested, dedupe_key=dedupe_key(source, event_id, name),
        source_event_id=event_id, payload={"hook_event_name": name, **(payload or {})},
    )  # fmt: skip
    if agent is not None:
        made = replace(made, pane_id=agent.pane, tmux_socket=SOCKET, tmux_server_pid=SERVER, chain=agent.chain)
    return replace(made, **more)


def ms(value: float) -> int:
    return int(value * MS)
