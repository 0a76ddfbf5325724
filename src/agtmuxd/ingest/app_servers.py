"""Read the state of agents from the app server that they share, for the adapters for which the user enabled this.

The claims become levels of source ``status``. This module decides when to connect to a server, when to disconnect, and
which claim belongs to which pane's agent. ``targets.local.agent_server`` decides whether a socket may be used, the
adapter speaks the protocol, and the observer uses the levels.
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

_LOG = structlog.get_logger("app_servers")

LOOK: Final = 1.0
"""Seconds between two checks for agents and servers. agtmux connects when two checks in a row found other clients."""
POLL: Final = 2.0
"""Seconds between two queries to a server. agtmux disconnects from a server that sends nothing for so long."""
BACKOFF: Final = (5.0, 300.0)
"""Seconds until the next try after a failure: the first time, and at most."""
PROVEN: Final = 60.0
"""A connection that lasted so many seconds worked: the wait until the next try starts at its minimum again."""
MANY: Final = 2000
MUCH: Final = 8 * 1024 * 1024
"""Messages and bytes between two queries. agtmux disconnects from a server that sends more."""
DOUBT: Final = 2 * NS
"""How long (ns) the server may report a turn that the screen does not show. After that, the terminal shows another
thread, and the claim does not count."""

ALONE: Final = "no terminal is connected to it, and agtmux never connects alone"

_UNASKED: Final = Write(None, "app server: not connected")
_UNKNOWN: Final = Write(None, "app server: session not known")
_OUTDATED: Final = Write(None, "app server: a turn that the screen does not show")


class ServerAdapter(Protocol):
    """The part of an adapter that talks to its agent's server."""

    def server_socket(self, config_home: Path) -> Path | None: ...

    def converse(self, version: str) -> Conversation | None: ...


class ServerAdapters(Protocol):
    """Find the part of an adapter that talks to its agent's server; None if it has none."""

    def app_server_adapter(self, agent_type: str) -> ServerAdapter | None: ...


@dataclass(slots=True)
class ServerLink:
    """One server that may exist, and the connection to it. ``since``: ns. ``reason``: why it is not connected, as text
    for the user."""

    adapter: str
    home: Path
    talker: ServerAdapter
    since: int
    talk: Conversation | None = None  # set while connected, once the server has listed its sessions
    reason: str | None = "not searched yet"
    met: bool = False  # the previous check found other clients
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Turn:
    """The last claim about one agent, and since when (ns)."""

    claim: Write
    since: int


@dataclass(slots=True)
class _LinkAgents:
    """The session ids and target ids of one link's agents."""

    sessions: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)


class AppServers:
    """Keep a connection to each app server in use, and give its claims by pane.

    ``run`` runs until cancelled. Call ``claims`` and ``items`` at any time, from the event loop's thread.
    """

    def __init__(
        self,
        repository: Repository,
        readers: ServerAdapters,
        agents: Callable[[], Iterable[tuple[str, Agent]]],
        request_refresh: Callable[[str], None],
        clock: Callable[[], int],
        *,
        wanted: Callable[[], Collection[str]],
        version: str,
    ) -> None:
        """``agents``: (target id, agent) pairs of this machine. ``request_refresh``: requests a round of that target.
        ``wanted``: the names of the adapters whose servers the user enabled."""
        self._repository = repository
        self._readers = readers
        self._agents = agents
        self._request_refresh = request_refresh
        self._clock = clock
        self._wanted = wanted
        self._version = version
        self._links: dict[tuple[str, Path], ServerLink] = {}
        self._turns: dict[str, _Turn] = {}  # by runtime
        self._wake = asyncio.Event()

    def check_now(self) -> None:
        """Check agents and servers now, because the settings may have changed."""
        self._wake.set()

    def items(self, adapter: str) -> list[Mapping[str, Any]]:
        """List the servers of one adapter's agents: ``config_home``, ``connected``, ``reason``, ``since`` (ns)."""
        return [
            {"config_home": str(link.home), "connected": link.talk is not None, "reason": link.reason,
             "since": link.since}
            for link in self._links.values() if link.adapter == adapter
        ]  # fmt: skip

    def claims(self, target_id: str, agents: Iterable[Agent]) -> Mapping[str, Write]:
        """Give the claim about each of these agents that has one, by pane id."""
        if not self._links:
            return {}
        return {agent.pane_id: claim for agent in agents if (claim := self.claim(target_id, agent)) is not None}

    def claim(self, target_id: str, agent: Agent) -> Write | None:
        """Give the server's claim about this agent; None if the agent has no server.

        The result is the same object as long as the claim is the same.
        """
        link = self._links.get((agent.adapter.name, agent.home))
        if link is None:
            return None
        runtime = self._runtime(target_id, agent)
        if link.talk is None or runtime is None:
            return _UNASKED
        claim = link.talk.claim_of(runtime.agent_session_id) if runtime.agent_session_id is not None else None
        if claim is None:
            return _UNKNOWN
        now, turn = self._clock(), self._turns.get(runtime.runtime_id)
        if turn is None or turn.claim is not claim:
            turn = self._turns[runtime.runtime_id] = _Turn(claim, now)
        return _OUTDATED if _is_outdated(agent, turn, now) else claim

    async def run(self) -> None:
        """Keep the connections in line with the running agents until cancelled. Sleep while no adapter is enabled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                self._update_links(group)
                try:
                    async with asyncio.timeout(LOOK if self._wanted() else None):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def _update_links(self, group: asyncio.TaskGroup) -> None:
        """Update the links to match the agents and settings. Close a link at once if no agent needs it."""
        wanted: dict[tuple[str, Path], ServerAdapter] = {}
        runtimes = set()
        enabled = self._wanted()
        for target_id, agent in self._agents() if enabled else ():
            name = agent.adapter.name
            talker = self._readers.app_server_adapter(agent.identity.agent_type) if name in enabled else None
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
            self._refresh_all(link)
        for key, talker in wanted.items():
            if key not in self._links:
                link = self._links[key] = ServerLink(*key, talker, self._clock())
                link.task = group.create_task(self._keep_link(link), name=f"server of {key[0]}")
        self._turns = {k: turn for k, turn in self._turns.items() if k in runtimes}

    # ---------------------------------------------------------------- one server

    async def _keep_link(self, link: ServerLink) -> None:
        """Find the server and talk to it, again and again, until cancelled."""
        first, longest = BACKOFF
        pause = first
        while True:
            began, attempted = self._clock(), False
            try:
                path = await self._find_socket(link)
                if path is not None:
                    attempted = True
                    await self._talk(link, path)
                    pause = first
            except (UnreachableError, ValueError) as error:
                self._disconnect(link, str(error))
            except Exception:  # noqa: BLE001 the outermost edge of this task
                _LOG.exception("connection to an app server failed", adapter=link.adapter)
                attempted = True
                self._disconnect(link, "failed: see agtmux daemon logs")
            if not attempted:
                await asyncio.sleep(LOOK)
                continue
            pause = first if self._clock() - began > PROVEN * NS else pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    async def _find_socket(self, link: ServerLink) -> str | None:
        """Give the path of the socket to connect to; None if the next check must see other clients again.

        Raises UnreachableError.
        """
        socket = link.talker.server_socket(link.home)
        if socket is None:
            raise UnreachableError("its adapter does not know the server's socket")
        met, link.met = link.met, False
        path = await asyncio.to_thread(find, socket)
        if await asyncio.to_thread(clients, path) < 1:
            raise UnreachableError(ALONE)
        link.met = True
        return path if met else None

    async def _talk(self, link: ServerLink, path: str) -> None:
        """Talk until agtmux is the only client left.

        Raises UnreachableError or ValueError, with the reason, if the connection ends in another way.
        """
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
                    for message in talk.ask_again(sorted(self._agents_of(link).sessions)):
                        await wire.send(message)
        finally:
            link.talk = None
        self._disconnect(link, ALONE)

    async def _listen(self, link: ServerLink, wire: Wire, talk: Conversation) -> None:
        """Handle incoming messages until the next query is due. Raises UnreachableError, ValueError."""
        loop = asyncio.get_running_loop()
        due, taken, received = loop.time() + POLL, wire.bytes, 0
        while (left := due - loop.time()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await wire.receive()
            except TimeoutError:
                break
            received += 1
            if received > MANY or wire.bytes - taken > MUCH:
                raise UnreachableError("it sends more than agtmux can read")
            if message is not None:
                await self._handle(link, wire, talk, message)
            await asyncio.sleep(0)  # ``receive`` does not yield to other tasks while messages are buffered
        if not received:
            raise UnreachableError("it does not answer")

    async def _handle(self, link: ServerLink, wire: Wire, talk: Conversation, message: Mapping[str, Any]) -> None:
        bound = self._agents_of(link)
        before = {session: talk.claim_of(session) for session in bound.sessions}
        for answer in talk.receive(message):
            await wire.send(answer)
        if link.talk is None and talk.ready:
            link.talk, link.reason, link.since = talk, None, self._clock()
            _LOG.info("server connected", adapter=link.adapter, home=str(link.home))
            self._refresh_all(link)
        elif any(talk.claim_of(session) is not claim for session, claim in before.items()):
            self._refresh_all(link)

    def _disconnect(self, link: ServerLink, why: str) -> None:
        if why != link.reason:
            _LOG.info("server not connected", adapter=link.adapter, home=str(link.home), why=why)
            link.reason, link.since = why, self._clock()
            self._refresh_all(link)

    # ---------------------------------------------------------------- agents of a server

    def _agents_of(self, link: ServerLink) -> _LinkAgents:
        found = _LinkAgents()
        for target_id, agent in self._agents():
            if (agent.adapter.name, agent.home) != (link.adapter, link.home):
                continue
            found.targets.add(target_id)
            runtime = self._runtime(target_id, agent)
            if runtime is not None and runtime.agent_session_id is not None:
                found.sessions.add(runtime.agent_session_id)
        return found

    def _refresh_all(self, link: ServerLink) -> None:
        for target_id in self._agents_of(link).targets:
            self._request_refresh(target_id)

    def _runtime(self, target_id: str, agent: Agent) -> Runtime | None:
        runtime_id = self._repository.active.get((target_id, agent.pane_id))
        runtime = self._repository.runtimes.get(runtime_id) if runtime_id is not None else None
        if runtime is None or (runtime.pid, runtime.process_start) != (agent.proc.pid, agent.proc.start):
            return None
        return runtime


def _is_outdated(agent: Agent, turn: _Turn, now: int) -> bool:
    """Whether the screen has definitely shown no turn for ``DOUBT``: a terminal can switch to another thread."""
    if turn.claim.claim not in WORKS:
        return False
    shows = agent.steady.get(Source.POLLER)
    if shows is None or shows.current is None or shows.current.strength is not Strength.DEFINITIVE:
        return False
    return shows.current.claim in QUIET - {Claim.ERROR} and now - max(shows.current_since, turn.since) >= DOUBT
