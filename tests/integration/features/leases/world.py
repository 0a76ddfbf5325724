"""Leases over a real database and a real repository, with agents that are rows of a real pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agtmuxd.actions.callers import FoundCaller
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.store import load_agents
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import Source
from agtmuxd.core.state.observation import AgentExit
from agtmuxd.features.leases.guard import Guard
from agtmuxd.features.leases.requests import LeaseRequest
from agtmuxd.features.leases.service import Leases
from agtmuxd.policy.rules import allow
from agtmuxd.stream.subscription import Resync
from tests.git_repo import repository
from tests.rig import BUSY, Agent, Clock, Rig


async def until_async(met: Callable[[], object]) -> None:
    """Let other tasks run until this is met."""
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


PERSON = Actor(Caller(1000, 1))


@dataclass(slots=True)
class World:
    rig: Rig
    directory: AgentDirectory
    leases: Leases
    guard: Guard
    git_dir: str
    running: list[Agent]
    asked: int = 0

    async def agents(self, count: int) -> list[Actor]:
        """Start so many agents; who they are."""
        self.running = [Agent(pane=f"%{n}", pid=4000 + n, levels={Source.POLLER: BUSY}) for n in range(1, count + 1)]
        await self.rounds()
        return [Actor(Caller(1000, 9), a.runtime_id, a.agent_id, a.name) for a in self.directory.all()]

    async def rounds(self, *gone: AgentExit) -> None:
        for _ in range(3):
            self.rig.clock.forward(0.25)
            panes = [agent.pane for agent in self.running] or ["%1"]
            await self.rig.round(*self.running, panes=panes, gone=gone)
            gone = ()
        await self.directory.on_resync(Resync.FAILED)

    async def end(self, number: int) -> None:
        """The agent with this number (from 1) ends."""
        agent = self.running.pop(number - 1)
        await self.rounds(AgentExit(agent.pane, agent.pid, agent.start, None))

    async def hold(self, actor: Actor, *paths: str, names: tuple[str, ...] = (), ref: str = "", **more: Any) -> Any:
        """Acquire; the items."""
        self.asked += 1
        wanted = LeaseRequest(self.git_dir if paths else None, paths, names, **more)
        answer = await self.leases.acquire(actor, wanted, ref or f"r-{self.asked}")
        return answer["items"]

    def changes(self) -> list[Any]:
        """The items of the stream's changes of leases."""
        return [
            change.item
            for _, changes in self.rig.published
            for change in changes.get("coord", ())
            if change.identity["kind"] == "lease"
        ]


@asynccontextmanager
async def world(folder: Path, clock: Clock | None = None) -> AsyncIterator[World]:
    async def find_caller(uid: int | None, pid: int | None) -> FoundCaller:
        return FoundCaller(Caller(uid, pid))

    repo = folder / "repo"
    if not repo.exists():
        repository(repo)
    async with Rig(folder / "a.db", clock or Clock()) as rig:
        directory = AgentDirectory(
            await rig.store.read(load_agents), repository=rig.pipeline.repository, write=rig.pipeline.write,
            find_caller=find_caller, clock=rig.clock,
        )  # fmt: skip
        leases = Leases(
            envelope=Envelope(rig.clock, list), store=rig.store, write=rig.pipeline.write, agents=directory,
            allow=allow, repository=rig.pipeline.repository, redact=lambda value: value, clock=rig.clock,
        )  # fmt: skip
        guard = Guard(leases=leases, write=rig.pipeline.write, agents=directory, clock=rig.clock)
        yield World(rig, directory, leases, guard, str(repo / ".git"), [])
