"""The agents of one target: who is there, who is leaving, and what each of them says in this round.

Owns the agents from one round to the next. How one is known by its processes is ``recognition``'s, what its screen says
``levels``'. Knows no database.
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
"""How long an agent whose process is gone is kept, so that its last words, title and files can be seen."""
_HEADLESS: Final = Write(claim=Claim.RUNNING, rule="headless run", phase=Phase.START, accepts_input=False)
"""A run without a terminal interface is one turn: it runs until its process ends, and never waits."""

_UNHEARD: Final = Write(claim=None, rule="status not told any more")

Heard = Callable[[Iterable["Agent"]], Mapping[str, Write]]
"""What the servers say that agents share, by pane: the same object as long as it is the same. None: there is none to
ask."""
Remembered = Callable[[str, int, str], dict[Source, DebounceState]]
"""``(pane_id, pid, start)`` → what each level last said of that very process."""


class Roster:
    """Agents by pane, brought up to each process table and each round."""

    def __init__(
        self,
        executor: TargetExecutor,
        known: AgentAdapters,
        remembered: Remembered,
        *,
        status_files: Callable[[str], bool],
        heard: Heard = lambda _agents: {},
    ) -> None:
        self.agents: dict[str, Agent] = {}
        self.leaving: dict[str, Agent] = {}
        self._executor = executor
        self._recognition = Recognition(executor, known)
        self._remembered = remembered
        self._status_files = status_files
        self._heard = heard
        self._hears = False
        self._machine: Machine | None = None
        self._still: Mapping[str, str] | None = None
        self.stirs = 0
        """How often something of an agent may have become another."""
        self._seen: dict[str, AgentObservation] | None = None

    @property
    def works(self) -> bool:
        """Whether one of them is worth a look every quarter of a second."""
        return any(agent.works for agent in self.agents.values())

    def _stir(self) -> None:
        """Something may be another now: what was looked at and seen last is not to be gone by."""
        self.stirs += 1
        self._still = self._seen = None

    def clear(self) -> None:
        """Another tmux server: nothing that was known holds."""
        self.agents.clear()
        self.leaving.clear()
        self._machine = None
        self._stir()

    def forget_looks(self) -> None:
        """The adapters know more, or other things, than before: what they said is not to be repeated unasked."""
        self._recognition.forget_matches()
        for agent in self.agents.values():
            agent.screen = agent.controls = agent.undrawn = None
        self._stir()

    def wanted(self) -> list[str]:
        """Panes whose screen the next round should bring."""
        return [*self.agents, *(p for p in self.leaving if p not in self.agents)]

    def styled(self) -> frozenset[str]:
        """Those of them whose screen means one thing or another by how it is drawn."""
        return frozenset([pane for pane, agent in self.agents.items() if agent.wants_styles])

    # ---------------------------------------------------------------- processes

    async def identify(self, panes: Iterable[PaneRow], now: int) -> bool:
        """Read the process table and see who is where; whether anybody came or went. Raises ExecutorError."""
        index = ProcessIndex(await self._executor.process_table())
        self._stir()
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
        """Whether the agent of this pane is another one now."""
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
            steady={} if _became(current, proc) else self._remembered(pane_id, proc.pid, proc.start),
        )  # fmt: skip
        return True

    async def _environs(self, there: Mapping[str, AgentProcess[Choice] | None]) -> dict[int, dict[str, str]]:
        """The environments of the agents that are new, in one go. Raises ExecutorError."""
        new = []
        for pane_id, found in there.items():
            current = self.agents.get(pane_id)
            if found is not None and (current is None or not _stays(current, found)):
                new.append((found.proc.pid, found.proc.start))
        if new and self._machine is None:
            self._machine = await self._executor.machine()
        return await self._executor.environs(new, ENV_NAMES) if new else {}

    def _started_at(self, proc: Proc, now: int) -> int:
        """When the process began (ns): Linux counts ticks of 10 ms from the boot."""
        if (
            not (proc.start.isascii() and proc.start.isdecimal())
            or self._machine is None
            or self._machine.booted_at is None
        ):
            return now
        began = self._machine.booted_at + int(proc.start) * 10 * MS
        return began if is_time(began) else now

    async def refresh_states(self) -> None:
        """Whether the agents are stopped or gone, without a whole process table, where the machine can tell cheaply."""
        states = await self._executor.peek([(a.proc.pid, a.proc.start) for a in self.agents.values()])
        for agent in self.agents.values():
            state = states.get(agent.proc.pid)
            if state is not None and state != agent.proc.state:
                agent.proc = replace(agent.proc, state=state)
                self._stir()

    def missing(self) -> bool:
        """Whether an agent's process was seen to be gone by ``refresh_states``."""
        return any(a.proc.state in "ZX" for a in self.agents.values())

    # ---------------------------------------------------------------- what they show

    async def look(
        self,
        panes: Mapping[str, PaneRow],
        captures: Mapping[str, str],
        now: int,
        styles: Mapping[str, Spans] = MappingProxyType({}),
    ) -> int | None:
        """Fold each agent's screen and status into its levels; when to look again at the latest, None for no hurry.

        ``styles``: of the captures that were taken with them.
        ``captures`` that are those of the last look (the same object: nothing at all changed in that round) are not
        looked at again where all levels said what they had said before. Raises ExecutorError.
        """
        again: int | None = None
        read = await self._read_statuses()
        still = captures is self._still
        news = self._hear(still) or self._news_in(read)
        if still and not news and not any(a.faded(now) for a in self.agents.values()):
            return None
        self._stir()
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
                if agent.faded(now):
                    agent.wants_styles = True
                elif agent.wants_styles and agent.pane_id not in styles:
                    again = levels.sooner(again, now)
            if agent.status_path is not None:
                write, there = levels.status(agent, read)
                if there:
                    again = levels.sooner(again, levels.take(agent, Source.STATUS, write, now))
            elif agent.word is not None:
                again = levels.sooner(again, levels.take(agent, Source.STATUS, agent.word, now))
        if again is None and all(settled.refreshed for agent in self.agents.values() for _, settled in agent.levels):
            self._still = captures
        return again

    async def _read_statuses(self) -> dict[str, bytes | None]:
        """The status files that may have changed, in one go. Raises ExecutorError."""
        wanted = []
        for agent in self.agents.values():
            if agent.status_path is not None:
                mark = await self._executor.mark(agent.status_path)
                if mark is None or mark != agent.status_mark:
                    wanted.append(agent.status_path)
                agent.status_mark = mark  # taken before the file is read: a write in between shows in the next one
        read = await self._executor.read_files(wanted) if wanted else {}
        return {path: read.get(path) for path in wanted}

    def _hear(self, still: bool) -> bool:
        """Take in what their servers say; whether one of them says something else than it did."""
        words, news = self._heard(self.agents.values()), False
        if still and not words and not self._hears:
            return False
        self._hears = bool(words)
        for agent in self.agents.values():
            silent = agent.identity.headless or agent.status_path is not None
            word = None if silent else words.get(agent.pane_id)
            if word is None and agent.status_path is None and Source.STATUS in agent.steady:
                word = _UNHEARD  # what it said last does not stand
            news |= word is not agent.word
            agent.word = word
        return news

    def _news_in(self, read: Mapping[str, bytes | None]) -> bool:
        """Whether one of these status files says something else than it did."""
        texts = {agent.status_path: agent.status_text for agent in self.agents.values()} if read else {}
        return any(text != texts.get(path) for path, text in read.items())

    # ---------------------------------------------------------------- leaving

    async def find_exits(
        self, panes: Mapping[str, PaneRow], captures: Mapping[str, str], now: int, unread: Container[str] = ()
    ) -> list[AgentExit]:
        """The verdicts on those whose grace is over, or whose pane has its next agent already.

        ``unread``: panes whose screen cannot be read; nobody waits for that.
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
                continue  # look first
            verdict = agent.released or left_in_order(agent, row, capture, left)
            due = agent.gone_at is not None and now - agent.gone_at >= GRACE
            if not (due or replaced or verdict is True):
                continue
            del self.leaving[pane_id]
            out.append(AgentExit(pane_id, agent.proc.pid, agent.proc.start, verdict))
        return out

    def seen(self) -> dict[str, AgentObservation]:
        """All agents as an observation carries them; one that is leaving is still there until its verdict.

        The same object as long as nothing is another.
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
        self._seen = out if self._still is not None and not self.leaving else None
        return out


def _stays(agent: Agent, found: AgentProcess[Choice]) -> bool:
    """Whether what was found is this very agent: a process that becomes another one by an exec is not."""
    return same_life(agent.proc, found.proc) and agent.identity.agent_type == found.match.agent_type


def _became(agent: Agent | None, proc: Proc) -> bool:
    return agent is not None and same_life(agent.proc, proc)
