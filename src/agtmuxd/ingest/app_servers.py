"""What the servers say that agents of this machine share: levels of source ``status``, where the user asked for them.

Owns when a server is connected to and when it is left, and which of its words a pane's agent gets. Whether a socket may
be connected to is ``targets.agentserver``; what is said there is the adapter's; what a level does is the observer's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from agtmuxd.adapters.contract import Conversation
from agtmuxd.core.model import NS, Claim, Source, Strength, Write
from agtmuxd.core.state.registers import QUIET, WORKS
from agtmuxd.repository import Repository, Runtime
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.local.agent_server import UnreachableError, Wire, clients, connected, find

_LOG = structlog.get_logger("served")

LOOK: Final = 1.0
"""Seconds between looks for agents and for servers; a server is connected to when two looks found others there."""
POLL: Final = 2.0
"""Seconds between questions to a server: one that says nothing for so long after one is left."""
BACKOFF: Final = (5.0, 300.0)
"""Seconds until a server that would not talk is tried again, at first and at most."""
PROVEN: Final = 60.0
"""Seconds for which a conversation must have lasted for its end to be none of the server's failures."""
MANY: Final = 2000
MUCH: Final = 8 * 1024 * 1024
"""Messages and bytes between two questions: a server that says more is left."""
DOUBT: Final = 2 * NS
"""How long the screen may show no turn while the server tells of one: after that it shows another thread."""

ALONE: Final = "no terminal is connected to it, and agtmux never connects alone"

_UNASKED: Final = Write(None, "app server: not connected")
_UNKNOWN: Final = Write(None, "app server: session not known")
_DOUBTED: Final = Write(None, "app server: a turn that the screen does not show")


class ServerAdapter(Protocol):
    """The part of an adapter that talks to its agent's server."""

    def server_socket(self, config_home: Path) -> Path | None: ...

    def converse(self, version: str) -> Conversation | None: ...


class ServerAdapters(Protocol):
    """The adapters, as they are asked here."""

    def serving(self, agent_type: str) -> ServerAdapter | None: ...


@dataclass(slots=True)
class ServerLink:
    """One server that may be there, and how it is with us. ``reason``: why it is not connected, for people."""

    adapter: str
    home: Path
    talker: ServerAdapter
    since: int
    talk: Conversation | None = None  # while it is connected and has told who is there
    reason: str | None = "not searched yet"
    met: bool = False  # others were connected at the look before
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Turn:
    """What was said of one agent last, and since when (ns)."""

    said: Write
    since: int


@dataclass(slots=True)
class _Bound:
    """Agents of one link."""

    sessions: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)


class AppServers:
    """``run`` until cancelled; ``words`` and ``items`` at any time, from the loop's thread."""

    def __init__(
        self,
        repository: Repository,
        readers: ServerAdapters,
        agents: Callable[[], Iterable[tuple[str, Agent]]],
        stir: Callable[[str], None],
        clock: Callable[[], int],
        *,
        wanted: Callable[[], Collection[str]],
        version: str,
    ) -> None:
        """``agents``: (target id, agent) of this machine. ``stir``: have that target's agents looked at. ``wanted``:
        the adapters for whose servers the user asked."""
        self._repository = repository
        self._readers = readers
        self._agents = agents
        self._stir = stir
        self._clock = clock
        self._wanted = wanted
        self._version = version
        self._links: dict[tuple[str, Path], ServerLink] = {}
        self._turns: dict[str, _Turn] = {}  # by runtime
        self._hurry = asyncio.Event()

    def check_now(self) -> None:
        """The settings may be others now."""
        self._hurry.set()

    def items(self, adapter: str) -> list[Mapping[str, Any]]:
        """The servers of one adapter's agents: ``config_home``, ``connected``, ``reason``, ``since`` (ns)."""
        return [
            {"config_home": str(link.home), "connected": link.talk is not None, "reason": link.reason,
             "since": link.since}
            for link in self._links.values() if link.adapter == adapter
        ]  # fmt: skip

    def words(self, target_id: str, agents: Iterable[Agent]) -> Mapping[str, Write]:
        """``word`` of those agents for whom there is one, by pane."""
        if not self._links:
            return {}
        return {agent.pane_id: word for agent in agents if (word := self.word(target_id, agent)) is not None}

    def word(self, target_id: str, agent: Agent) -> Write | None:
        """What its server says of this agent, the same object as long as it is the same; None: there is none to ask."""
        link = self._links.get((agent.adapter.name, agent.home))
        if link is None:
            return None
        runtime = self._runtime(target_id, agent)
        if link.talk is None or runtime is None:
            return _UNASKED
        said = link.talk.said(runtime.agent_session_id) if runtime.agent_session_id is not None else None
        if said is None:
            return _UNKNOWN
        now, turn = self._clock(), self._turns.get(runtime.runtime_id)
        if turn is None or turn.said is not said:
            turn = self._turns[runtime.runtime_id] = _Turn(said, now)
        return _DOUBTED if _is_doubted(agent, turn, now) else said

    async def run(self) -> None:
        """Keep to the servers of the agents that are there until cancelled. While nobody asked for one it rests."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._hurry.clear()
                self._settle(group)
                try:
                    async with asyncio.timeout(LOOK if self._wanted() else None):
                        await self._hurry.wait()
                except TimeoutError:
                    continue

    def _settle(self, group: asyncio.TaskGroup) -> None:
        """Bring the links up to the agents and the settings: those that nobody wants are left at once."""
        wanted: dict[tuple[str, Path], ServerAdapter] = {}
        runtimes = set()
        names = self._wanted()
        for target_id, agent in self._agents() if names else ():
            name = agent.adapter.name
            talker = self._readers.serving(agent.identity.agent_type) if name in names else None
            if talker is None or agent.identity.headless:
                continue
            wanted[name, agent.home] = talker
            runtime = self._runtime(target_id, agent)
            if runtime is not None:
                runtimes.add(runtime.runtime_id)
        for key in self._links.keys() - wanted.keys():
            link = self._links.pop(key)
            if link.task is not None:
                link.task.cancel()
            self._stir_all(link)
        for key, talker in wanted.items():
            if key not in self._links:
                link = self._links[key] = ServerLink(*key, talker, self._clock())
                link.task = group.create_task(self._keep(link), name=f"server of {key[0]}")
        self._turns = {k: turn for k, turn in self._turns.items() if k in runtimes}

    # ---------------------------------------------------------------- one server

    async def _keep(self, link: ServerLink) -> None:
        """Look for the server, talk to it, and go on doing so until cancelled."""
        first, most = BACKOFF
        rest = first
        while True:
            began, tried = self._clock(), False
            try:
                path = await self._look(link)
                if path is not None:
                    tried = True
                    await self._talk(link, path)
                    rest = first
            except (UnreachableError, ValueError) as error:
                self._leave(link, str(error))
            except Exception:  # noqa: BLE001 the outermost edge of this task
                _LOG.exception("connection to an app server failed", adapter=link.adapter)
                tried = True
                self._leave(link, "failed, see the log")
            if not tried:
                await asyncio.sleep(LOOK)
                continue
            rest = first if self._clock() - began > PROVEN * NS else rest
            await asyncio.sleep(rest)
            rest = min(2 * rest, most)

    async def _look(self, link: ServerLink) -> str | None:
        """The socket to connect to; None where others have to be met once more. Raises UnreachableError."""
        socket = link.talker.server_socket(link.home)
        if socket is None:
            raise UnreachableError("its adapter does not know where it is")
        met, link.met = link.met, False
        path = await asyncio.to_thread(find, socket)
        if await asyncio.to_thread(clients, path) < 1:
            raise UnreachableError(ALONE)
        link.met = True
        return path if met else None

    async def _talk(self, link: ServerLink, path: str) -> None:
        """Talk until nobody else is there. Raises UnreachableError, ValueError where it ends otherwise: why."""
        link.met = False
        talk = link.talker.converse(self._version)
        if talk is None:
            raise UnreachableError("its adapter cannot talk to it")
        try:
            async with connected(path) as wire:
                for message in talk.opening():
                    await wire.send(message)
                while True:
                    await self._listen(link, wire, talk)
                    if await asyncio.to_thread(wire.others) < 1:
                        break
                    for message in talk.again(sorted(self._bound(link).sessions)):
                        await wire.send(message)
        finally:
            link.talk = None
        self._leave(link, ALONE)

    async def _listen(self, link: ServerLink, wire: Wire, talk: Conversation) -> None:
        """Take in what comes until the next question is due. Raises UnreachableError, ValueError."""
        loop = asyncio.get_running_loop()
        due, taken, came = loop.time() + POLL, wire.bytes, 0
        while (left := due - loop.time()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await wire.receive()
            except TimeoutError:
                break
            came += 1
            if came > MANY or wire.bytes - taken > MUCH:
                raise UnreachableError("it sends more than agtmux can read")
            if message is not None:
                await self._take(link, wire, talk, message)
            await asyncio.sleep(0)  # what is there already is handed over without a rest
        if not came:
            raise UnreachableError("it does not answer")

    async def _take(self, link: ServerLink, wire: Wire, talk: Conversation, message: Mapping[str, Any]) -> None:
        bound = self._bound(link)
        before = {session: talk.said(session) for session in bound.sessions}
        for answer in talk.take(message):
            await wire.send(answer)
        if link.talk is None and talk.ready:
            link.talk, link.reason, link.since = talk, None, self._clock()
            _LOG.info("server connected", adapter=link.adapter, home=str(link.home))
            self._stir_all(link)
        elif any(talk.said(session) is not said for session, said in before.items()):
            self._stir_all(link)

    def _leave(self, link: ServerLink, why: str) -> None:
        if why != link.reason:
            _LOG.info("server not connected", adapter=link.adapter, home=str(link.home), why=why)
            link.reason, link.since = why, self._clock()
            self._stir_all(link)

    # ---------------------------------------------------------------- whose

    def _bound(self, link: ServerLink) -> _Bound:
        found = _Bound()
        for target_id, agent in self._agents():
            if (agent.adapter.name, agent.home) != (link.adapter, link.home):
                continue
            found.targets.add(target_id)
            runtime = self._runtime(target_id, agent)
            if runtime is not None and runtime.agent_session_id is not None:
                found.sessions.add(runtime.agent_session_id)
        return found

    def _stir_all(self, link: ServerLink) -> None:
        for target_id in self._bound(link).targets:
            self._stir(target_id)

    def _runtime(self, target_id: str, agent: Agent) -> Runtime | None:
        runtime_id = self._repository.active.get((target_id, agent.pane_id))
        runtime = self._repository.runtimes.get(runtime_id) if runtime_id is not None else None
        if runtime is None or (runtime.pid, runtime.process_start) != (agent.proc.pid, agent.proc.start):
            return None
        return runtime


def _is_doubted(agent: Agent, turn: _Turn, now: int) -> bool:
    """Whether a screen that knows better has shown no turn for a while: terminals go from one thread to another."""
    if turn.said.claim not in WORKS:
        return False
    shows = agent.steady.get(Source.POLLER)
    if shows is None or shows.told is None or shows.told.strength is not Strength.DEFINITIVE:
        return False
    return shows.told.claim in QUIET - {Claim.ERROR} and now - max(shows.told_since, turn.since) >= DOUBT
