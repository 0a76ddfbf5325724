"""Keep the agents of one target: find them, read what they show, and report when one has ended.

Owns the agents from one round to the next. ``recognition`` finds an agent by its processes. ``levels`` reads its
screen and status file. Knows no database.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from agtmuxd.adapters.contract import ENV_NAMES
from agtmuxd.core.model import MS, Claim, PaneRow, Phase, Proc, Source, Write
from agtmuxd.core.numbers import is_time
from agtmuxd.core.process_tree import AgentProcess, ProcessIndex
from agtmuxd.core.screen.style import Spans
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.core.state.observation import AgentExit, AgentObservation
from agtmuxd.targets import levels
from agtmuxd.targets.agent import Agent, left_in_order
from agtmuxd.targets.executor import Machine, TargetExecutor
from agtmuxd.targets.recognition import AgentAdapters, Choice, Recognition, same_life

GRACE: Final = 250 * MS
"""Time (ns) for which an agent is kept after its process ended, to read its last screen, title and files."""
_HEADLESS: Final = Write(claim=Claim.RUNNING, rule="headless run", phase=Phase.START, accepts_input=False)
"""A run without a terminal interface is one turn. It runs until its process ends, and never waits for you."""

_NO_STATUS_CLAIM: Final = Write(claim=None, rule="status no longer reported")

ServerClaims = Callable[[Iterable["Agent"]], Mapping[str, Write]]
"""Returns the claims of the agents' shared servers, by pane. An unchanged claim is the same object. A pane without such
a server is missing."""
LastLevels = Callable[[str, int, str], dict[Source, DebounceState]]
"""``(pane_id, pid, start)`` → the last state of each level of exactly that process."""


class Roster:
    """The agents of one target by pane. Updated by each process table and each round."""

    def __init__(
        self,
        executor: TargetExecutor,
        known: AgentAdapters,
        last_levels: LastLevels,
        *,
        status_files: Callable[[str], bool],
        server_claims: ServerClaims = lambda _agents: {},
    ) -> None:
        self.agents: dict[str, Agent] = {}
        self.leaving: dict[str, Agent] = {}
        self._executor = executor
        self._recognition = Recognition(executor, known)
        self._last_levels = last_levels
        self._status_files = status_files
        self._server_claims = server_claims
        self._has_server_claims = False
        self._machine: Machine | None = None
        self._last_captures: Mapping[str, str] | None = None
        self.revision = 0
        """Number of times that something about an agent may have changed."""
        self._seen: dict[str, AgentObservation] | None = None

    @property
    def works(self) -> bool:
        """Whether an agent works or waits for you, so that rounds come every quarter of a second."""
        return any(agent.works for agent in self.agents.values())

    def _invalidate(self) -> None:
        """Drop the cached results of the last round: something may have changed."""
        self.revision += 1
        self._last_captures = self._seen = None

    def clear(self) -> None:
        """Forget everything: the target has another tmux server."""
        self.agents.clear()
        self.leaving.clear()
        self._machine = None
        self._invalidate()

    def forget_looks(self) -> None:
        """Ask the adapters again about every process and screen: their rules changed."""
        self._recognition.forget_matches()
        for agent in self.agents.values():
            agent.screen = agent.controls = agent.undrawn = None
        self._invalidate()

    def wanted(self) -> list[str]:
        """Return the panes whose screens the next round has to read."""
        return [*self.agents, *(p for p in self.leaving if p not in self.agents)]

    def styled(self) -> frozenset[str]:
        """Return those of them whose screens have to be read with styles."""
        return frozenset([pane for pane, agent in self.agents.items() if agent.wants_styles])

    # ---------------------------------------------------------------- processes

    async def identify(self, panes: Iterable[PaneRow], now: int) -> bool:
        """Read the process table and find the agents. Return whether one started or ended. Raises ExecutorError."""
        index = ProcessIndex(await self._executor.process_table())
        self._invalidate()
        changed = False
        there = await self._recognition.find(panes, index, self.agents.get, now)
        env = await self._environs(there)
        for pane_id, found in there.items():
            current = self.agents.get(pane_id)
            if current is not None and found is None:
                current.released = self._recognition.is_released(current, index)
            changed |= self._place(pane_id, found, env, now)
        for pane_id in [p for p in self.agents if p not in there]:
            del self.agents[pane_id]
            changed = True
        for pane_id in [p for p in self.leaving if p not in there]:
            del self.leaving[pane_id]
        self._recognition.forget()
        return changed

    def _place(
        self, pane_id: str, found: AgentProcess[Choice] | None, envs: Mapping[int, Mapping[str, str]], now: int
    ) -> bool:
        """Set the agent of a pane. Return whether it is another one than before."""
        current = self.agents.get(pane_id)
        if current is not None and found is not None and _stays(current, found):
            current.proc = replace(found.proc, argv=current.proc.argv)
            if found.match.value != (current.adapter, current.identity):
                current.adapter, current.identity = found.match.value
                current.controls = None
            return False
        if current is not None:
            current.gone_at = now
            self.leaving[pane_id] = current
            del self.agents[pane_id]
        if found is None:
            return current is not None
        adapter, identity = found.match.value
        proc = replace(found.proc, argv=self._recognition.argv(found.proc))
        env = envs.get(proc.pid, {})
        path = None
        home = adapter.config_home(env, Path(env.get("HOME") or (self._machine.home if self._machine else "/")))
        if self._status_files(adapter.name) and not identity.headless:
            path = adapter.status_path(proc, home)
        self.agents[pane_id] = Agent(
            pane_id=pane_id, adapter=adapter, identity=identity, proc=proc,
            started_at=self._started_at(proc, now), status_path=None if path is None else str(path), home=home,
            steady={} if _became(current, proc) else self._last_levels(pane_id, proc.pid, proc.start),
        )  # fmt: skip
        return True

    async def _environs(self, there: Mapping[str, AgentProcess[Choice] | None]) -> dict[int, dict[str, str]]:
        """Read the environments of new agents, all at once. Raises ExecutorError."""
        new = []
        for pane_id, found in there.items():
            current = self.agents.get(pane_id)
            if found is not None and (current is None or not _stays(current, found)):
                new.append((found.proc.pid, found.proc.start))
        if new and self._machine is None:
            self._machine = await self._executor.machine()
        return await self._executor.environs(new, ENV_NAMES) if new else {}

    def _started_at(self, proc: Proc, now: int) -> int:
        """Return when the process started (ns): Linux counts ticks of 10 ms from the boot. Elsewhere ``now``."""
        if (
            not (proc.start.isascii() and proc.start.isdecimal())
            or self._machine is None
            or self._machine.booted_at is None
        ):
            return now
        began = self._machine.booted_at + int(proc.start) * 10 * MS
        return began if is_time(began) else now

    async def refresh_states(self) -> None:
        """Check whether agents were stopped or ended, without a process table, if that is cheap on the machine."""
        states = await self._executor.process_states([(a.proc.pid, a.proc.start) for a in self.agents.values()])
        for agent in self.agents.values():
            state = states.get(agent.proc.pid)
            if state is not None and state != agent.proc.state:
                agent.proc = replace(agent.proc, state=state)
                self._invalidate()

    def missing(self) -> bool:
        """Return whether ``refresh_states`` found that an agent's process ended."""
        return any(a.proc.state in "ZX" for a in self.agents.values())

    # ---------------------------------------------------------------- what they show

    async def look(
        self,
        panes: Mapping[str, PaneRow],
        captures: Mapping[str, str],
        now: int,
        styles: Mapping[str, Spans] = MappingProxyType({}),
    ) -> int | None:
        """Update each agent's levels from its screen, status file and shared server.

        Return when (ns) to read again at the latest, None for no hurry. ``captures``: screens by pane. ``styles``: of
        the screens that were read with styles. If ``captures`` is the same object as in the last round, nothing
        changed; then the screens are not read again, unless a level changed. Raises ExecutorError.
        """
        again: int | None = None
        read = await self._read_statuses()
        unchanged = captures is self._last_captures
        changed = self._take_server_claims(unchanged) or self._status_changed(read)
        if unchanged and not changed and not any(a.style_is_old(now) for a in self.agents.values()):
            return None
        self._invalidate()
        for agent in self.agents.values():
            agent.levels.clear()
            if agent.proc.state == "T":
                again = levels.sooner(again, levels.hold(agent, now))
                continue
            row, capture = panes.get(agent.pane_id), captures.get(agent.pane_id)
            if agent.identity.headless:
                again = levels.sooner(again, levels.take(agent, Source.POLLER, _HEADLESS, now))
            elif row is not None and capture is not None:
                agent.title = row.title
                write = levels.screen(agent, row, capture, styles.get(agent.pane_id), now)
                again = levels.sooner(again, levels.take(agent, Source.POLLER, write, now))
                if agent.style_is_old(now):
                    agent.wants_styles = True
                elif agent.wants_styles and agent.pane_id not in styles:
                    again = levels.sooner(again, now)
            if agent.status_path is not None:
                write, there = levels.status(agent, read)
                if there:
                    again = levels.sooner(again, levels.take(agent, Source.STATUS, write, now))
            elif agent.server_claim is not None:
                again = levels.sooner(again, levels.take(agent, Source.STATUS, agent.server_claim, now))
        if again is None and all(settled.refreshed for agent in self.agents.values() for _, settled in agent.levels):
            self._last_captures = captures
        return again

    async def _read_statuses(self) -> dict[str, bytes | None]:
        """Read the status files that may have changed, all at once. Raises ExecutorError."""
        wanted = []
        for agent in self.agents.values():
            if agent.status_path is not None:
                mark = await self._executor.mark(agent.status_path)
                if mark is None or mark != agent.status_mark:
                    wanted.append(agent.status_path)
                agent.status_mark = mark  # taken before the read: the next mark shows a write in between
        read = await self._executor.read_files(wanted) if wanted else {}
        return {path: read.get(path) for path in wanted}

    def _take_server_claims(self, unchanged: bool) -> bool:
        """Take in the claims of shared servers. Return whether one of them changed."""
        claims, changed = self._server_claims(self.agents.values()), False
        if unchanged and not claims and not self._has_server_claims:
            return False
        self._has_server_claims = bool(claims)
        for agent in self.agents.values():
            silent = agent.identity.headless or agent.status_path is not None
            claim = None if silent else claims.get(agent.pane_id)
            if claim is None and agent.status_path is None and Source.STATUS in agent.steady:
                claim = _NO_STATUS_CLAIM  # its last claim no longer counts
            changed |= claim is not agent.server_claim
            agent.server_claim = claim
        return changed

    def _status_changed(self, read: Mapping[str, bytes | None]) -> bool:
        """Return whether the text of one of these status files changed."""
        texts = {agent.status_path: agent.status_text for agent in self.agents.values()} if read else {}
        return any(text != texts.get(path) for path, text in read.items())

    # ---------------------------------------------------------------- leaving

    async def find_exits(
        self, panes: Mapping[str, PaneRow], captures: Mapping[str, str], now: int, unread: Container[str] = ()
    ) -> list[AgentExit]:
        """Return the exits of agents whose grace time is over, or whose pane already has another agent.

        ``unread``: panes whose screen cannot be read; their agents' exits do not wait for it. Raises ExecutorError.
        """
        out = []
        files = [
            a.status_path for a in self.leaving.values() if a.status_path is not None and a.status_text is not None
        ]
        left = await self._executor.read_files(files, max_bytes=1) if files else {}
        for pane_id, agent in list(self.leaving.items()):
            row, capture = panes.get(pane_id), captures.get(pane_id)
            replaced = pane_id in self.agents
            if row is not None and capture is None and not replaced and pane_id not in unread:
                continue  # wait for its screen
            verdict = agent.released or left_in_order(agent, row, capture, left)
            due = agent.gone_at is not None and now - agent.gone_at >= GRACE
            if not (due or replaced or verdict is True):
                continue
            del self.leaving[pane_id]
            out.append(AgentExit(pane_id, agent.proc.pid, agent.proc.start, verdict))
        return out

    def seen(self) -> dict[str, AgentObservation]:
        """Return all agents for an observation. An agent that is leaving is included until its exit is reported.

        Returns the same object as long as nothing changed.
        """
        if self._seen is not None and not self.leaving:
            return self._seen
        out = {}
        for pane_id, agent in (*self.leaving.items(), *self.agents.items()):
            out[pane_id] = AgentObservation(
                agent_type=agent.identity.agent_type, agent_version=agent.identity.version,
                headless=agent.identity.headless, pid=agent.proc.pid, process_start=agent.proc.start,
                process_started_at=agent.started_at, suspended=agent.proc.state == "T",
                levels=tuple(agent.levels) if pane_id in self.agents else (), declared=agent.identity.gives_way,
            )  # fmt: skip
        self._seen = out if self._last_captures is not None and not self.leaving else None
        return out


def _stays(agent: Agent, found: AgentProcess[Choice]) -> bool:
    """Return whether ``found`` is the same agent in the same process. After an exec into another agent it is not."""
    return same_life(agent.proc, found.proc) and agent.identity.agent_type == found.match.agent_type


def _became(agent: Agent | None, proc: Proc) -> bool:
    """Return whether the agent's process became ``proc`` by an exec."""
    return agent is not None and same_life(agent.proc, proc)
