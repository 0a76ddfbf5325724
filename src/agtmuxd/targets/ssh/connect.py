"""One attempt to reach a host: its settings asked, its jump hosts gone through, its host key proven, a key accepted.

Owns the order of these, the time they may take, and the sockets until a connection has them. What the settings mean is
in ``sshroute``. Knows no channel and no tmux.

Reading of files and the resolver block: they run in a thread of this dialler's own, so that one host with a dead name
server keeps no thread from the others.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol, TypeVar

import asyncssh

from agtmuxd.targets.ssh import known_hosts
from agtmuxd.targets.ssh.client_keys import KeyRing, gather, read_files
from agtmuxd.targets.ssh.effective_settings import Destination, ask, config_words, program
from agtmuxd.targets.ssh.host_keys import by_command, by_krl
from agtmuxd.targets.ssh.known_hosts import Trust
from agtmuxd.targets.ssh.proxy_command import Proxy
from agtmuxd.targets.ssh.ssh_config import (
    ConnectProgress,
    LinkError,
    Route,
    Watcher,
    explained,
    hops,
    read_route,
    route_of,
)

T = TypeVar("T")

JUMPS: Final = 8


class Abortable(Protocol):
    """What ends at once when it is no longer wanted."""

    def abort(self) -> None:
        """End it."""


@dataclass(slots=True)
class ConnectionPath:
    """A connection, and what it goes through: connections to jump hosts, a proxy command."""

    conn: asyncssh.SSHClientConnection
    behind: list[Abortable] = field(default_factory=list)

    def abort(self) -> None:
        """Give it all up."""
        abort((self.conn, *self.behind))


class Connector:
    """Makes connections to one alias of the ssh config."""

    def __init__(self, alias: str, config_file: str, *, connect_timeout: float) -> None:
        """``alias``: a destination as ssh(1) takes it; ``config_file``: a path, ``~`` allowed."""
        self.alias = alias
        self._file = config_file
        self._timeout = connect_timeout
        self._thread: threading.Thread | None = None

    def config_words(self) -> tuple[str, ...]:
        """The words by which ssh(1) reads the same config."""
        return config_words(self._file)

    async def dial(self, dialling: ConnectProgress) -> ConnectionPath:
        """Make a new connection, and those to the jump hosts on its way. Raises LinkError."""
        behind: list[Abortable] = []
        try:
            async with asyncio.timeout(self._timeout):
                return ConnectionPath(await self._dial(Destination(self.alias), None, behind, dialling, 0), behind)
        except TimeoutError as error:
            abort(behind)
            raise self._late(dialling) from error
        except BaseException:
            abort(behind)
            raise

    def _late(self, dialling: ConnectProgress) -> LinkError:
        said = {
            "config": "the ssh config was not read (does a Match exec of it wait?)",
            "jump": "a jump host on the way there did not answer",
            "resolve": "its name was not resolved",
            "connect": "nobody answered",
            "host key": "it took the connection and then said nothing",
            "auth": "it did not decide on the key",
        }.get(dialling.step, "it did not answer")
        step = {"ready": "connect", "config": "resolve", "jump": "resolve"}.get(dialling.step, dialling.step)
        return LinkError(step, "timeout", f"{self.alias}: {said} within {self._timeout:g} s")

    async def _dial(
        self,
        place: Destination,
        via: asyncssh.SSHClientConnection | None,
        behind: list[Abortable],
        dialling: ConnectProgress,
        depth: int,
    ) -> asyncssh.SSHClientConnection:
        dialling.step = "config"
        route = await self._route(place, dialling)
        dialling.step = "jump"
        for name, user, port in hops(route.jump) if via is None else ():
            if depth >= JUMPS or len(behind) >= JUMPS:
                raise LinkError(
                    "resolve", "refused", f"{self.alias}: more than {JUMPS} jump hosts: does ProxyJump loop?"
                )
            via = await self._dial(Destination(name, user, port), via, behind, ConnectProgress(), depth + 1)
            behind.append(via)
        dialling.step = "resolve"
        files = await self._in_thread(lambda: read_files(route.wanted), dialling)
        ring = await gather(route.wanted, files)
        try:
            return await self._proven(route, ring, via, behind, dialling)
        finally:
            ring.close()

    async def _route(self, place: Destination, dialling: ConnectProgress) -> Route:
        """What ssh says of a place, or where there is no ssh, what asyncssh reads. Raises LinkError."""
        environ = dict(os.environ)
        ssh, words = program(environ), self.config_words()
        try:
            settings = await ask(ssh, words, place, environ) if ssh is not None else None
            if settings is None:
                file = str(Path(self._file).expanduser())
                return await self._in_thread(lambda: read_route(place, file, environ), dialling)
            told = settings
            route = await self._in_thread(lambda: route_of(place, told, words), dialling)
            for krl in route.krls:
                route = replace(route, trust=await by_krl(krl, route.trust, environ))
            return route
        except (asyncssh.Error, OSError, ValueError) as error:
            raise LinkError("resolve", "refused", f"the ssh config of {place.alias} cannot be used: {error}") from error

    # ---------------------------------------------------------------- the host key

    async def _proven(
        self,
        route: Route,
        ring: KeyRing,
        via: asyncssh.SSHClientConnection | None,
        behind: list[Abortable],
        dialling: ConnectProgress,
    ) -> asyncssh.SSHClientConnection:
        """A connection whose host key is known.

        Two answers need a key that was seen: what KnownHostsCommand says of it, and whether a host whose certificate
        does not hold has a known key without it, as ssh accepts. Then the connection is made once more.
        """
        attempt = _Attempt(route, route.trust, route.known_in)
        if _commanded(route):
            hint = await self._by_command(route, None)
            attempt.hint = hint.keys
            signers = [*route.trust.authorities, *hint.authorities]
            attempt.trust = replace(route.trust, authorities=signers).without(hint.revoked)
        try:
            return await self._shake(attempt, ring, via, behind, dialling)
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
            another = await self._another(attempt)
            if another is None:
                raise explained(error, route, attempt.watcher, dialling) from error
        except (asyncssh.Error, OSError, ValueError) as error:
            raise await self._told(error, attempt, ring, dialling) from error
        dialling.back("resolve")
        try:
            return await self._shake(another, ring, via, behind, dialling)
        except (asyncssh.Error, OSError, ValueError) as error:
            raise await self._told(error, another, ring, dialling) from error

    async def _told(
        self, error: BaseException, attempt: _Attempt, ring: KeyRing, dialling: ConnectProgress
    ) -> LinkError:
        said = await attempt.proxy.why() if attempt.proxy is not None and dialling.step == "host key" else ""
        return explained(error, attempt.route, attempt.watcher, dialling, ring.skipped, said)

    async def _another(self, attempt: _Attempt) -> _Attempt | None:
        """How to try again after a key was refused; None where that is the end of it."""
        route, key = attempt.route, attempt.watcher.refused
        if key is not None and _commanded(route):
            more = await self._by_command(route, key)
            trust = replace(attempt.trust, keys=[*attempt.trust.keys, *more.keys]).without(more.revoked)
            if key in trust.keys:
                return _Attempt(route, trust, "what KnownHostsCommand says", certificates=False)
        if key is None and attempt.trust.authorities and attempt.trust.keys:
            return _Attempt(route, attempt.trust, route.known_in, certificates=False)
        return None

    async def _by_command(self, route: Route, key: asyncssh.SSHKey | None) -> Trust:
        """What KnownHostsCommand says, less what a list of revoked keys names: that counts for every source."""
        assert route.settings is not None  # noqa: S101 only ssh tells of such a command
        environ = dict(os.environ)
        try:
            trust = await by_command(route.settings, route.names, key, environ)
            for krl in route.krls:
                trust = await by_krl(krl, trust, environ)
            return trust
        except ValueError as error:
            raise LinkError("host key", "host_key", f"{route.alias}: {error}") from error

    # ---------------------------------------------------------------- the connection

    async def _shake(
        self,
        attempt: _Attempt,
        ring: KeyRing,
        via: asyncssh.SSHClientConnection | None,
        behind: list[Abortable],
        dialling: ConnectProgress,
    ) -> asyncssh.SSHClientConnection:
        route = attempt.route
        attempt.watcher = watcher = Watcher(route, dialling, attempt.known_in)
        sock, trust = None, attempt.trust
        if route.proxy is not None and via is None:
            attempt.proxy, sock = self._proxy(route, route.proxy)
            behind.append(attempt.proxy)
        elif via is None:
            sock = await self._tcp(route, dialling)
            address = sock.getpeername()[0]
            if route.address_too and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:  # as ssh
                trust = known_hosts.agreeing(trust, route.known, address, route.port)
        if via is not None or attempt.proxy is not None:
            dialling.done("resolve", _shown(route, route.host, "by way of another host"), then="connect")
        options = route.connect_options(trust, ring.pairs, certificates=attempt.certificates, hint=attempt.hint)
        try:
            return await asyncssh.connect(
                route.host, route.port, sock=sock, tunnel=via, client_factory=lambda: watcher, **options
            )
        finally:
            if sock is not None and dialling.step == "connect":
                sock.close()

    def _proxy(self, route: Route, command: str) -> tuple[Proxy, socket.socket]:
        try:
            return Proxy.start(command, dict(os.environ))
        except (OSError, ValueError) as error:
            raise LinkError(
                "connect", "refused", f"the ProxyCommand of {route.alias} cannot be started: {error}"
            ) from error

    async def _tcp(self, route: Route, dialling: ConnectProgress) -> socket.socket:
        """A connected socket; each address of the name has its share of the time."""
        try:
            found = await self._in_thread(
                lambda: socket.getaddrinfo(route.host, route.port, route.family, socket.SOCK_STREAM), dialling
            )
        except OSError as error:
            raise LinkError(
                "resolve", "refused",
                f"{route.host} cannot be resolved ({error.strerror or error}): check HostName of {route.alias} "
                f"({route.asked})",
            ) from error  # fmt: skip
        dialling.done("resolve", _shown(route, str(found[0][4][0])), then="connect")
        loop = asyncio.get_running_loop()
        failed: OSError = TimeoutError("no answer")
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(self._timeout / len(found)):
                    if route.bind is not None:
                        sock.bind((route.bind, 0))
                    await loop.sock_connect(sock, address)
            except OSError as error:  # TimeoutError too
                sock.close()
                failed = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        late = isinstance(failed, TimeoutError)
        said = "does not answer" if late else f"cannot be reached ({_why(failed)})"
        raise LinkError(
            "connect", "timeout" if late else "refused",
            f"{route.host} port {route.port} {said}: is the machine up and sshd running there? try: ssh {self.alias}",
        )  # fmt: skip

    async def _in_thread(self, work: Callable[[], T], dialling: ConnectProgress) -> T:
        """Do blocking work in this dialler's own thread, one at a time; the daemon's end does not wait for it."""
        if self._thread is not None and self._thread.is_alive():
            step = "resolve" if dialling.step in {"config", "jump"} else dialling.step
            raise LinkError(step, "timeout", f"{self.alias}: its name is still being resolved")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if not future.done():
                future.set_exception(error) if error is not None else future.set_result(result)  # type: ignore[arg-type]

        def body() -> None:
            result, error = None, None
            try:
                result = work()
            except Exception as failure:  # noqa: BLE001 it is raised where the work was asked for
                error = failure
            finished.set()
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, error)

        finished = threading.Event()
        thread = threading.Thread(target=body, name=f"ssh {self.alias}", daemon=True)
        self._thread = thread
        thread.start()
        try:
            return await future
        finally:
            if finished.is_set() and self._thread is thread:
                self._thread = None


@dataclass(slots=True)
class _Attempt:
    """One handshake: what is trusted in it, and what it brought to light."""

    route: Route
    trust: Trust
    known_in: str
    certificates: bool = True
    hint: list[asyncssh.SSHKey] = field(default_factory=list)
    proxy: Proxy | None = None
    watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.route, ConnectProgress(), self.known_in)


def _commanded(route: Route) -> bool:
    return route.settings is not None and bool(route.settings.every("knownhostscommand"))


def _shown(route: Route, where: str, how: str = "") -> str:
    """What the step ``resolve`` shows: where to, as whom, and who said so."""
    way = f", {how}" if how else ""
    return f"{where} port {route.port}{way}, user {route.user} ({route.asked})"


def _why(failed: OSError) -> str:
    """The reason of a refused connection; of an address that does not fit the socket, too, which has its own words."""
    return os.strerror(failed.errno) if failed.errno and failed.errno > 0 else failed.strerror or str(failed)


def abort(connections: Iterable[Abortable]) -> None:
    """End all of them."""
    for conn in connections:
        conn.abort()
