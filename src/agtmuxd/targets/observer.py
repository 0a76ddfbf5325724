"""Watch one target: read tmux once per round, and the process table only when something calls for it.

Owns the intervals between rounds, the target's health, and how a round becomes an observation. ``rounds`` reads tmux.
``roster`` reads what the panes show. ``ObservationSink`` receives the observations.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol

import structlog

from agtmuxd.clock import coalesced_sleep
from agtmuxd.core.model import NS, PaneRow, ServerInfo, Source
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.core.state.health import Health
from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.targets.executor import ExecutorError, TargetExecutor
from agtmuxd.targets.limits import Bounds
from agtmuxd.targets.local.new_processes import NewProcesses
from agtmuxd.targets.local.pidfd import PidWatcher
from agtmuxd.targets.pane_listing import PaneListing
from agtmuxd.targets.recognition import YOUNG, AgentAdapters
from agtmuxd.targets.roster import Roster, ServerClaims
from agtmuxd.targets.rounds import RoundReader
from agtmuxd.targets.unreadable_panes import UnreadablePanes
from agtmuxd.tmux import round as tmux_round
from agtmuxd.tmux.server import too_old
from agtmuxd.tmux.sgr import split

_LOG = structlog.get_logger("targets")
LOOKED_AT: Final = 2 * NS
_BOUNDS: Final = Bounds()
_SHARE: Final = 8
"""Under many events, rounds use at most one part in 8 of the time. The gap between them grows up to ``active``."""


@dataclass(frozen=True, slots=True)
class RoundIntervals:
    """Seconds between rounds and process tables. See docs/reference/targets.md."""

    active: float = 0.25
    quiet: float = 2.0
    empty: float = 5.0
    table: float = 10.0
    stop_check: float = 1.0  # checks for stopped agents; a pidfd reports their end
    program_check: float = 0.5  # checks for new programs in panes without an agent, on this machine
    gap: float = 0.06  # least time between two rounds, however many events arrive
    active_for: float = 10.0
    timeout: float = 5.0


class ObservationSink(Protocol):
    """Receive the observations and health changes of a target."""

    async def observe(self, seen: Observation) -> None: ...

    async def report_health(self, change: HealthChange) -> None: ...

    def last_levels(self, target_id: str, pane_id: str, pid: int, start: str) -> dict[Source, DebounceState]: ...


class Observer:
    """Watch one target. ``run`` works until cancelled."""

    server: ServerInfo | None = None
    """The server that the last round read, None after a round that failed or found none."""
    options: Mapping[str, str] = MappingProxyType({})
    """Its user options for agtmux (see ``tmux.user_options``)."""

    def __init__(
        self,
        target_id: str,
        executor: TargetExecutor,
        argv: Callable[[], list[str]],
        known: AgentAdapters,
        sink: ObservationSink,
        clock: Callable[[], int],
        *,
        cadence: RoundIntervals | None = None,
        local: bool,
        socket: Callable[[], str] | None = None,
        status_files: Callable[[str], bool] = lambda _adapter: True,
        server_claims: ServerClaims = lambda _agents: {},
        twin: Callable[[str | None], str | None] | None = None,
        bounds: Bounds = _BOUNDS,
    ) -> None:
        """``twin``: takes the server's name, and returns the name of the target that already watches that server."""
        self.target_id = target_id
        self.health = Health(since=clock())
        self._reported: tuple[str, str | None] | None = None
        self.version: str | None = None
        self.rtt_ms: float | None = None
        self.failure_message = ""
        """The error message of the last failed round."""
        self.rounds = 0
        self.tables = 0
        self._executor = executor
        self._sink = sink
        self._clock = clock
        self._cadence = cadence or RoundIntervals()
        self._reader = RoundReader(executor, argv, self._cadence.timeout, bounds)
        self.roster = Roster(
            executor, known, lambda pane, pid, start: sink.last_levels(target_id, pane, pid, start),
            status_files=status_files, server_claims=server_claims,
        )  # fmt: skip
        self._local = local
        self._pids: PidWatcher | None = None
        self._new_processes = NewProcesses()
        self._socket = socket
        self._twin = twin
        self._claimed: tuple[str, str | None] = ("", None)
        self._yielded = False
        self._server: int | None = None
        self._boot: str | None = None
        self._listed = PaneListing.of(())
        self._signs: dict[str, tuple[object, ...]] = {}
        self._table_at = 0
        self._states_read_at = 0
        self._table_due = 0
        self._want_table = True
        self._active_until = 0
        self._look_again: int | None = None
        self._shown_since: dict[str, int] = {}
        self.unread = UnreadablePanes(target_id)
        self._large: dict[str, str] = {}
        self._refresh_requested = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._tries = 0
        self._round_lock = asyncio.Lock()

    @property
    def agents(self) -> int:
        return len(self.roster.agents)

    def request_refresh(self, at: int, *, table: bool = False) -> None:
        """Request a round at ``at`` (ns), at once if that is past. ``table``: also read the process table.

        Of several future times the earliest counts. After that round the others are requested again if needed.
        """
        self._want_table = self._want_table or table
        now = self._clock()
        self._active_until = max(self._active_until, now + int(self._cadence.active_for * NS))
        if at <= now:
            self._refresh_requested.set()
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + (at - now) / NS
        if self._alarm is not None:
            if loop.time() < self._alarm.when() <= due:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(due, self._refresh_requested.set)

    async def run(self) -> None:
        """Watch until cancelled."""
        checks: asyncio.Task[None] | None = None
        if self._local:
            self._pids = PidWatcher(self._process_ended)
        if self._local and self._socket is not None:
            checks = asyncio.create_task(self._check_new_programs(self._socket), name=f"newcomers of {self.target_id}")
        try:
            while True:
                self._refresh_requested.clear()
                began = self._clock()
                await self.once()
                rest = self._rest()
                took = (self._clock() - began) / NS
                gap = min(self._cadence.active, max(self._cadence.gap, _SHARE * took)) - took
                gap = max(gap, self._reader.worked)  # read slow targets less often
                if gap > 0:
                    await asyncio.sleep(gap)
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, rest - max(0.0, gap))):  # wait_for may lose a cancellation
                        await self._refresh_requested.wait()
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            if self._pids is not None:
                self._pids.close()
            if checks is not None:
                checks.cancel()

    async def _check_new_programs(self, socket: Callable[[], str]) -> None:
        """Check between rounds whether a program started in a pane without an agent."""
        while True:
            await coalesced_sleep(self._cadence.program_check)
            taken = self.roster.agents
            free = [row.pid for pane, row in self._listed.panes.items() if pane not in taken and not row.dead]
            if self._new_processes.check_for_changes(socket(), self._server, free, self._clock()):
                self._want_table = True
                self._refresh_requested.set()

    def _process_ended(self, _pid: int, _start: str) -> None:
        self.request_refresh(0, table=True)

    def _rest(self) -> float:
        """Return the seconds until the next round."""
        now = self._clock()
        if self.health.level == "down" and not self.health.good:  # after one good round the next one comes soon
            self._tries += 1
            return self.health.pause(self._tries - 1, random.random()) / NS  # noqa: S311 jitter
        self._tries = 0
        if self.health.good < 2 and self.health.reason is not None:
            return self._cadence.active
        if not self.roster.agents and not self.roster.leaving:
            rest = self._cadence.empty
        elif now < self._active_until or self.roster.works:
            rest = self._cadence.active
        else:
            rest = self._cadence.quiet
        if self.roster.leaving:
            rest = min(rest, self._cadence.gap)
        if self._look_again is not None:
            rest = min(rest, max(0.0, (self._look_again - now) / NS), 0.1)
        return rest

    # ---------------------------------------------------------------- one round

    async def once(self) -> None:
        """Run one round: read tmux and report an observation. A failure is reported as health, and changes no state."""
        async with self._round_lock:
            await self._once()

    async def _once(self) -> None:
        began = self._clock()
        self.rounds += 1
        try:
            styled = self.roster.styled()
            seen = await self._reader.read(self.roster.wanted(), styled, self._listed.panes, began)
            if isinstance(seen, tmux_round.RoundFailure):
                await self._failed(began, seen.reason, seen.message)
                return
            self.rtt_ms = (self._clock() - began) / 1e6
            await self._good(seen, began, styled)
        except ExecutorError as error:
            await self._failed(began, error.reason, str(error))

    async def _failed(self, at: int, reason: str, message: str) -> None:
        self.failure_message = message
        self.server, self.options = None, {}
        self.health = self.health.failed(at, reason)
        if self._reported != (self.health.level, reason):
            _LOG.warning("round failed", target=self.target_id, health=self.health.level, reason=reason, error=message)
        await self._report_health(at)

    async def _report_health(self, at: int) -> None:
        """Report the health if it differs from the last one that was reported without error."""
        now = self.health.level, self.health.reason
        if now != self._reported:
            await self._sink.report_health(HealthChange(self.target_id, *now, at, self.version))
            self._reported = now

    async def _good(self, seen: tmux_round.Round, at: int, styled: frozenset[str]) -> None:
        server = seen.server
        if server is not None and too_old(server.version):
            self.version = server.version
            await self._failed(at, "tmux_too_old", f"tmux {server.version} is older than 3.3")
            return
        if server is not None:
            self.version = server.version
        other = await self._watched_already(server.boot_id if server is not None else None)
        if other is not None:
            await self._yield_to(other, at)
            return
        self._yielded = False
        self.health = self.health.succeeded(at)
        await self._report_health(at)
        if self.health.level == "down":
            return  # report no observation: the next round finds the same news again
        self.server, self.options = server, seen.options
        self._server = server.pid if server is not None else None
        boot = server.boot_id if server is not None else None
        if boot != self._boot:
            self._boot = boot
            self.roster.clear()
            self._signs.clear()
            self._reader.oversized.clear()
            self._shown_since.clear()
            self._listed = PaneListing.of(())
            self._want_table = True
        rows = self._take_rows(seen, at)
        captures, styles = split(seen.captures, styled)
        if await self._identify(at):
            if self._too_large(seen, at).keys() - self._large.keys():  # the screen of a new agent
                rows = self._take_rows(seen, at)
            missing = [p for p in self.roster.wanted() if p not in captures and p not in self._large]
            if missing:
                more = await self._reader.read(missing, frozenset(), self._listed.panes, at)
                if isinstance(more, tmux_round.Round):
                    captures = {**captures, **more.captures}
        gone = await self.roster.find_exits(self._listed.panes, captures, self._clock(), self._large)
        shown = self.unread.without(captures)
        self._look_again = await self.roster.look(self._listed.panes, shown, at, styles)
        self._stay_active()
        observation = Observation(
            target_id=self.target_id, at=at, boot_id=boot, server_pid=server.pid if server else None,
            socket_path=self._where(server), panes=rows, agents=self.roster.seen(),
            gone=tuple(gone), looked_at=self._looked_at(at), unread=frozenset(self.unread.now),
        )  # fmt: skip
        try:
            await self._sink.observe(observation)
        except BaseException:
            self.roster.clear()  # the news was not stored: the next round has to find it again
            self._want_table = True
            raise

    def _take_rows(self, seen: tmux_round.Round, at: int) -> tuple[PaneRow, ...]:
        """Return the rows of a round, and note which panes cannot be read."""
        self._large = self._too_large(seen, at)
        if self._large:
            unread = [tmux_round.UnreadableRow(pane, why) for pane, why in self._large.items()]
            seen = replace(seen, unread=(*seen.unread, *unread))
        rows = self.unread.filled(seen, self._listed.rows)
        if rows is not self._listed.rows:
            self._listed = PaneListing.of(rows, self._listed)
        return rows

    def _too_large(self, seen: tmux_round.Round, at: int) -> dict[str, str]:
        return self._reader.oversized.why(self.roster.wanted(), {row.pane_id: row for row in seen.panes}, at)

    async def _watched_already(self, boot: str | None) -> str | None:
        """Return the target that already watches this server on this machine, None also if the machine is not known."""
        if self._twin is None:
            return None
        if boot is None:
            return self._twin(None)
        if self._claimed[0] != boot or self._claimed[1] is None:
            identity = (await self._executor.machine()).identity
            self._claimed = boot, None if identity is None else f"{identity} {boot}"
        return self._twin(self._claimed[1])

    async def _yield_to(self, other: str, at: int) -> None:
        """Remove this target's panes and report it as failed: the target ``other`` shows this server already."""
        if not self._yielded:
            self._boot, self._server, self._listed = None, None, PaneListing.of(())
            self.roster.clear()
            empty = Observation(
                target_id=self.target_id, at=at, boot_id=None, server_pid=None, socket_path=None, panes=(), agents={},
                gone=(), looked_at=frozenset(),
            )  # fmt: skip
            await self._sink.observe(empty)
            self._yielded = True
        await self._failed(at, "same_server", f"target {other} watches this tmux server already: remove one of them")

    def _where(self, server: ServerInfo | None) -> str | None:
        """Return the server's socket. For this machine it is known: some tmux versions print some paths changed."""
        if server is None:
            return None
        return self._socket() if self._socket is not None else server.socket_path

    async def _identify(self, at: int) -> bool:
        """Read the process table if something calls for it. Return whether an agent started or ended."""
        signs = self._listed.signs
        if self.roster.agents and not self._want_table and self._state_check_due(at):
            self._states_read_at = at
            await self.roster.refresh_states()
        due = at - self._table_at >= int(self._cadence.table * NS) or 0 < self._table_due <= at
        if not (self._want_table or due or signs != self._signs or self.roster.missing()):
            return False
        changed = await self.roster.identify(self._listed.rows, at)
        self.tables += 1
        self._signs, self._table_at, self._want_table = signs, at, False
        self._table_due = at + YOUNG // 2 if changed else 0  # a new process may still exec its real program
        if changed:
            self._active_until = max(self._active_until, at + int(self._cadence.active_for * NS))
            self._watch_pids()
        return changed

    def _state_check_due(self, at: int) -> bool:
        """Return whether to check for stopped agents now: every second while one works, else every 5 s by default."""
        works = at < self._active_until or self.roster.works
        return at - self._states_read_at >= int((self._cadence.stop_check if works else self._cadence.table / 2) * NS)

    def _watch_pids(self) -> None:
        if self._pids is not None:
            for agent in self.roster.agents.values():
                self._pids.watch(agent.proc.pid, agent.proc.start)

    def _stay_active(self) -> None:
        """Keep the target active for a while after a change of a level."""
        if any(s.changed is not None for a in self.roster.agents.values() for _, s in a.levels):
            self._active_until = max(self._active_until, self._clock() + int(self._cadence.active_for * NS))

    def _looked_at(self, at: int) -> frozenset[str]:
        """Return the panes that an attached client has shown for 2 s."""
        self._shown_since = {p: self._shown_since.get(p, at) for p in self._listed.viewed}
        return frozenset(p for p, since in self._shown_since.items() if at - since >= LOOKED_AT)
