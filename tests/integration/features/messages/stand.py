"""Messages over a real store and a real pipeline, with three agents in panes and time in the test's hand."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agtmuxd.actions.callers import FoundCaller
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.store import load_directory
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import Source
from agtmuxd.features.contract import Context
from agtmuxd.features.messages.model import Kind, NewMessage
from agtmuxd.features.messages.search import MessageFilter
from agtmuxd.features.messages.service import Messages
from agtmuxd.policy.rules import allow
from agtmuxd.stream.subscription import Resync
from tests.fake_services import target
from tests.rig import BUSY, Agent, Clock, Rig

PERSON = Actor()
_REFS = itertools.count(1)


def ref() -> str:
    """A new ``request_ref``."""
    return f"ref-{next(_REFS):08d}"


def new(body: str = "hello", **more: Any) -> NewMessage:
    """A request to send something."""
    more.setdefault("request_ref", ref())
    if not more.keys() & {"to", "channel", "parent"}:
        more["to"] = ("claude-2",)
    return NewMessage(body=body, **more)


@dataclass
class Mail:
    """The feature, without a server before it. ``woken``: the agents whose queue the engine was to look at."""

    rig: Rig
    directory: AgentDirectory
    context: Context
    messages: Messages
    woken: list[str] = field(default_factory=list)

    def actor(self, number: int) -> Actor:
        """The agent ``claude-<number>``, as the sender of a request."""
        agent = self.directory.find(f"claude-{number}")
        return Actor(Caller(1000, 7), agent.runtime_id, agent.agent_id, agent.name, agent.team)

    def id(self, number: int) -> str:
        return self.directory.find(f"claude-{number}").agent_id

    async def send(self, who: Actor = PERSON, body: str = "hello", **more: Any) -> dict[str, Any]:
        return await self.messages.send(who, new(body, **more))

    async def inbox(self, who: Actor, name: str = "-", since: str | None = None, **more: Any) -> dict[str, Any]:
        return await self._mailbox(who, name, False, since, more)

    async def outbox(self, who: Actor, name: str = "-", since: str | None = None, **more: Any) -> dict[str, Any]:
        return await self._mailbox(who, name, True, since, more)

    async def _mailbox(
        self, who: Actor, name: str, outbox: bool, since: str | None, more: dict[str, Any]
    ) -> dict[str, Any]:
        channel = more.pop("channel", None)
        wanted = MessageFilter(**{"limit": 50, **more})
        return await self.messages.mailbox(who, name, wanted, outbox=outbox, channel=channel, since=since)

    async def listing(self, who: Actor, **more: Any) -> list[dict[str, Any]]:
        places = {name: more.pop(name, None) for name in ("to", "sender", "channel", "thread", "since")}
        page = await self.messages.listing(who, MessageFilter(**{"limit": 50, **more}), **places, body=True)
        found: list[dict[str, Any]] = page["items"]
        return found

    def coord(self, kind: str) -> list[dict[str, Any] | None]:
        """What the stream had of a kind, in order."""
        return [
            change.item
            for _, changes in self.rig.published
            for change in changes.get("coord", ())
            if change.identity["kind"] == kind
        ]

    def asks(self, number: int) -> dict[str, Any] | None:
        """The field ``asks`` on the row of an agent's pane."""
        found: dict[str, Any] | None = (self.rig.item(f"%{number}") or {}).get("asks")
        return found

    async def team(self, name: str, *members: int, deliver: str | None = None, escalate_to: str | None = None) -> None:
        """Put agents into a team."""

        def work(connection: sqlite3.Connection) -> None:
            team = (name, name, deliver or "pull", escalate_to)
            connection.execute("INSERT INTO teams VALUES (?, ?, ?, ?, 1)", team)
            for number in members:
                connection.execute("UPDATE agents SET team_id = ? WHERE agent_id = ?", (name, self.id(number)))

        await self.rig.store.run(work)


def agents() -> list[Agent]:
    return [Agent(pane=f"%{n}", pid=4000 + n, levels={Source.POLLER: BUSY}) for n in (1, 2, 3)]


@asynccontextmanager
async def opened(path: Path, clock: Clock | None = None) -> AsyncIterator[Mail]:
    """The feature on the database of ``path``; opened again, it goes on as after a restart."""
    async with Rig(path / "a.db", clock or Clock()) as rig:
        running = agents()
        for _ in range(4):
            rig.clock.forward(0.25)
            await rig.round(*running, panes=[agent.pane for agent in running])

        async def find_caller(uid: int | None, pid: int | None) -> FoundCaller:
            return FoundCaller(Caller(uid, pid))

        stored = await rig.store.read(load_directory)
        directory = AgentDirectory(
            stored.agents, teams=stored.teams, repository=rig.pipeline.repository, write=rig.pipeline.write,
            find_caller=find_caller, clock=rig.clock,
        )  # fmt: skip
        await directory.on_resync(Resync.STARTED)
        nothing: Any = None
        context = Context(
            store=rig.store, view=rig.view, repository=rig.pipeline.repository,
            envelope=Envelope(rig.clock, lambda: [target()]), act=nothing, write=rig.pipeline.write, agents=directory,
            agent_changes=nothing, team_changes=nothing, program=lambda _agent: None,
            allow=allow, conditions=dict, redact=lambda value: redacted(value), annotate=rig.pipeline.annotate,
            tmux=nothing, resume=lambda _agent, _session: None,
            screen_rows=lambda _target, _pane: None,
            routes=tuple, clock=rig.clock, settings=Settings,
        )  # fmt: skip
        woken: list[str] = []
        yield Mail(rig, directory, context, Messages(context, woken.append), woken)


def redacted(value: Any) -> Any:
    """Remove the one secret of these tests."""
    if isinstance(value, dict):
        return {name: redacted(one) for name, one in value.items()}
    return value.replace("hunter2", "[redacted]") if isinstance(value, str) else value


__all__ = ["PERSON", "Kind", "Mail", "new", "opened", "ref"]
