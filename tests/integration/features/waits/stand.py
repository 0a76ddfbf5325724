"""Waits with all that they hear of, over a real store, with a clock in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from agtmuxd.actions.callers import FoundCaller
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.store import load_agents
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import Source
from agtmuxd.features.contract import Condition
from agtmuxd.features.waits.conditions import AgentCondition, StateCondition
from agtmuxd.features.waits.service import WaitRequest, Waits
from agtmuxd.policy.policy import Policy
from tests.fake_services import target
from tests.rig import Agent, Clock, Rig

PERSON = Actor()
_NAMES = count(1)


@dataclass
class Flags:
    """A condition of the test: met once its operand is in ``up``, gone once it is in ``gone``."""

    up: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    checks: list[str] = field(default_factory=list)
    fails: int = 0
    wakes_on: frozenset[str] = frozenset({"team"})

    async def prepare(self, operand: str, actor: Actor) -> str:
        del actor
        return operand

    async def check(self, operand: str, agent_id: str | None) -> dict[str, Any] | None:
        from agtmux.protocol.errors import AgtmuxError

        self.checks.append(operand)
        if self.fails:
            self.fails -= 1
            raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")
        if operand in self.gone:
            raise AgtmuxError("E_NOT_FOUND", f"gone: {operand}")
        return {"flag": operand, "agent": agent_id} if operand in self.up else None


class Stand:
    """``waits`` follow the stream of ``rig``; ``flags`` are the condition ``flag:``."""

    def __init__(self, rig: Rig, directory: AgentDirectory, settings: Settings, flags: Flags) -> None:
        self.rig, self.flags, self.directory = rig, flags, directory
        allow = Policy(lambda: settings).allow
        conditions: dict[str, Condition] = {
            "flag": flags,
            "state": StateCondition(
                view=rig.view, repository=rig.pipeline.repository, agents=directory, store=rig.store, allow=allow
            ),
            "agent": AgentCondition(agents=directory, store=rig.store, allow=allow),
        }
        self.waits = Waits(
            envelope=Envelope(rig.clock, lambda: [target()]), store=rig.store, write=rig.pipeline.write, allow=allow,
            conditions=lambda: conditions, settings=lambda: settings.waits, clock=rig.clock,
        )  # fmt: skip

    async def wait(self, *conditions: str, mode: str = "all", actor: Actor = PERSON, **more: Any) -> dict[str, Any]:
        name = more.pop("ref", f"request-{next(_NAMES)}")
        wanted = WaitRequest(mode, more.pop("at_least", None), conditions, more.pop("timeout", 60.0), name)
        item, _ = await self.waits.create(actor, wanted)
        return item

    async def raise_flag(self, *names: str) -> None:
        """These conditions are met from now on, and the stream says that something of their kind has changed."""
        self.flags.up.update(names)
        await self.rig.pipeline.write(lambda _, publish: publish("team", "t", {"name": "t"}))

    async def over(self, wait_id: str) -> dict[str, Any]:
        """The wait, once it is over."""
        item = await self.waits.get(wait_id, 20.0)
        assert item["state"] != "open"
        return item

    async def settle(self) -> None:
        """All that was published has reached the waits."""
        for _ in range(50):
            await asyncio.sleep(0)
        async with self.waits._lock:
            pass

    async def runs(self, *agents: Agent, **more: Any) -> None:
        for _ in range(4):
            self.rig.clock.forward(0.3)
            await self.rig.round(*agents, panes=[agent.pane for agent in agents] or ["%1"], **more)


@asynccontextmanager
async def standing(
    path: Path, clock: Clock, settings: Settings | None = None, flags: Flags | None = None
) -> AsyncIterator[Stand]:
    """A daemon's worth of waits: leave it and enter it again with the same path for a restart."""

    async def find_caller(uid: int | None, pid: int | None) -> FoundCaller:
        return FoundCaller(Caller(uid, pid))

    async with Rig(path, clock) as rig:
        directory = AgentDirectory(
            await rig.store.read(load_agents), repository=rig.pipeline.repository, write=rig.pipeline.write,
            find_caller=find_caller, clock=clock,
        )  # fmt: skip
        stand = Stand(rig, directory, settings or Settings(), flags or Flags())
        works: list[Callable[[], Any]] = [
            rig.subscriptions.add("agents", directory).run, rig.subscriptions.add("waits", stand.waits).run,
            stand.waits.run,
        ]  # fmt: skip
        tasks = [asyncio.create_task(work()) for work in works]
        try:
            yield stand
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def agent(number: int, levels: dict[Source, Any]) -> Agent:
    return Agent(pane=f"%{number}", pid=4000 + number, start=str(100 + number), levels=levels)
