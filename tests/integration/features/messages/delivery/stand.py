"""The delivery engine over a real store and pipeline, with rounds, time and answers in the test's hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.store import load_agents
from agtmuxd.core.action.request import Caller, Request, SendParams
from agtmuxd.core.ids import uuid7
from agtmuxd.core.model import Source, TmuxClient, Write
from agtmuxd.features.contract import Context
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.delivery.engine import DeliveryEngine
from agtmuxd.features.messages.model import (
    Delivery,
    DeliveryRoute,
    DeliveryState,
    Kind,
    Message,
    Priority,
)
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync
from tests.rig import BUSY, QUIET, Agent, Rig

SUBMITTED = {"delivery": "submitted", "bytes": 9, "entered": True}
NO_SIGN = {"delivery": "unconfirmed", "bytes": 9, "entered": True}

Answer = dict[str, Any] | AgtmuxError | Callable[[], Awaitable[dict[str, Any]]]


class CrashError(BaseException):
    """The daemon ended here."""


@dataclass
class Typed:
    """What the engine asked the action runner to type."""

    text: str
    ref: str
    request: Request
    caller: Caller


class Stand:
    """One agent in a pane, with its messages. ``answers``: what each action ends with; then: submitted."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.agent = Agent()
        self.typed: list[Typed] = []
        self.answers: list[Answer] = []
        self.clients_seen = 0
        self.typing: list[TmuxClient] = []
        self.points: list[str] = []
        self.crash_at: str | None = None
        self._published = 0

    async def open(self, screen: Write = QUIET) -> Stand:
        """Let the agent show a screen, and start the engine."""
        self.directory = AgentDirectory(
            load_agents(self.rig.connection), repository=self.rig.pipeline.repository, write=self.rig.pipeline.write,
            find_caller=self._nobody, clock=self.rig.clock,
        )  # fmt: skip
        context = SimpleNamespace(
            store=self.rig.store, view=self.rig.view, repository=self.rig.pipeline.repository, act=self.act,
            write=self.rig.pipeline.write, agents=self.directory, annotate=self.rig.pipeline.annotate, tmux=self,
            clock=self.rig.clock, failpoint=self._failpoint, redact=lambda value: value, envelope=None,
        )  # fmt: skip
        self.context = cast("Context", context)
        await self.show(screen)
        await self.directory.on_resync(Resync.STARTED)
        self.restart()
        return self

    def restart(self) -> None:
        """Begin a new engine on the same store, as after a crash."""
        self.crash_at = None
        self.engine = DeliveryEngine(self.context)

    async def _nobody(self, uid: int | None, pid: int | None) -> Any:
        raise AssertionError(f"nobody asks: {uid} {pid}")

    def _failpoint(self, name: str) -> None:
        self.points.append(name)
        if name == self.crash_at:
            raise CrashError(name)

    # ---------------------------------------------------------------- what the engine uses

    async def clients(self, target_id: str) -> Sequence[TmuxClient]:
        assert target_id == self.agent_key[0]
        self.clients_seen += 1
        return self.typing

    async def act(self, request: Request, caller: Caller) -> dict[str, Any]:
        assert isinstance(request.params, SendParams)
        assert request.params.enter
        self.typed.append(Typed(str(request.params.text), request.request_ref, request, caller))
        answer = self.answers.pop(0) if self.answers else SUBMITTED
        if isinstance(answer, AgtmuxError):
            raise answer
        return {"result": answer if isinstance(answer, dict) else await answer()}

    # ---------------------------------------------------------------- what happens

    @property
    def agent_key(self) -> tuple[str, str]:
        return next(iter(self.rig.pipeline.repository.active))

    @property
    def agent_id(self) -> str:
        found = self.directory.of_runtime(self.rig.runtime_id())
        assert found is not None
        return found.agent_id

    async def show(self, screen: Write) -> None:
        """The agent's screen shows this, until it counts."""
        self.rig.clock.forward(0.01)
        await self.rig.steady(self.agent, Source.POLLER, screen)

    async def turn(self) -> None:
        """A turn of the agent, from its beginning to its end; nothing of it is published to the engine yet."""
        await self.show(BUSY)
        await self.show(QUIET)

    async def publish(self) -> None:
        """Give the engine the changes that were published meanwhile."""
        batches = self.rig.published[self._published :]
        self._published = len(self.rig.published)
        for sequence, changes in batches:
            batch = Batch(sequence, self.rig.clock(), changes)
            await self.directory.on_changes(batch)
            await self.engine.on_changes(batch)

    async def go(self) -> float:
        """Let the engine do all that is due. Return in how many seconds the next thing is."""
        for _ in range(50):
            await self.engine.step()
            await self.engine.settle()
            await self.publish()
            pause = await self.engine.step()
            if not self.engine._tasks:
                return pause
            await self.engine.settle()
        raise AssertionError("it never comes to rest")

    async def send(
        self, body: str = "hello", *, wake: bool = True, route: DeliveryRoute = DeliveryRoute.PANE,
        sender: str | None = None, expires_at: int | None = None, kind: Kind = Kind.NOTE,
    ) -> str:  # fmt: skip
        """Store a message to the agent. Return the delivery's id. ``sender``: an agent's id; None: a person."""
        now = self.rig.clock.forward(0.001)
        name = uuid7(now)
        message = Message(
            name, sender, "person" if sender is None else f"agent:{sender}", kind, Priority.NORMAL, "", body, name,
            f"request-{name}", "d", now, expires_at=expires_at,
        )  # fmt: skip
        agent_id = self.agent_id

        def work(connection: Any, publish: Any) -> str:
            rows.add_message(connection, message)
            position = rows.next_position(connection, agent_id, Priority.NORMAL)
            rows.add_delivery(
                connection, Delivery(f"d-{name}", name, agent_id, DeliveryState.QUEUED, route, position, now)
            )
            return f"d-{name}"

        made: str = await self.rig.pipeline.write(work)
        if wake:
            self.engine.wake(agent_id)
        return made

    # ---------------------------------------------------------------- what is known

    def delivery(self, delivery_id: str) -> Delivery:
        """The delivery as it is stored."""
        return rows.get_delivery(self.rig.connection, delivery_id)

    def state(self, delivery_id: str) -> tuple[str, str | None]:
        """How far a delivery is, and why it waits."""
        found = self.delivery(delivery_id)
        return str(found.state), found.hold_reason

    def published(self, kind: str) -> list[dict[str, Any]]:
        """The items of one kind that watchers got."""
        changes = [change for _, some in self.rig.published for change in some.get("coord", ())]
        return [change.item or {} for change in changes if change.identity["kind"] == kind]

    @property
    def mail(self) -> Any:
        """What the agent's row says about its mail."""
        return (self.rig.item() or {}).get("mail")
