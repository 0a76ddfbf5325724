"""Make one SSH connection: read the settings, go through the jump hosts, check the host key, sign in with a key.

Owns the order of these steps, their time limit, and the sockets until a connection takes them over. ``ssh_config`` owns
the meaning of the settings. Knows no channel and no tmux.

Reading files and resolving names block. Each connector runs them in its own thread, so that one host with a dead name
server does not block the others.
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
    """Something that can be ended at once."""

    def abort(self) -> None:
        """End it."""


@dataclass(slots=True)
class ConnectionPath:
    """A connection, and what it depends on: connections to jump hosts, a proxy command."""

    conn: asyncssh.SSHClientConnection
    behind: list[Abortable] = field(default_factory=list)

    def abort(self) -> None:
        """End the connection and everything that it depends on."""
        abort((self.conn, *self.behind))


class Connector:
    """Make connections to one alias of the ssh config."""

    def __init__(self, alias: str, config_file: str, *, connect_timeout: float) -> None:
        """``alias``: a destination as ssh(1) takes it; ``config_file``: a path, ``~`` allowed."""
        self.alias = alias
        self._file = config_file
        self._timeout = connect_timeout
        self._thread: threading.Thread | None = None

    def config_words(self) -> tuple[str, ...]:
        """Return the arguments with which ssh(1) reads the same config."""
        return config_words(self._file)

    async def dial(self, progress: ConnectProgress) -> ConnectionPath:
        """Make a new connection, and those to its jump hosts. Raises LinkError."""
        behind: list[Abortable] = []
        try:
            async with asyncio.timeout(self._timeout):
                return ConnectionPath(await self._dial(Destination(self.alias), None, behind, progress, 0), behind)
        except TimeoutError as error:
            abort(behind)
            raise self._timeout_error(progress) from error
        except BaseException:
            abort(behind)
            raise

    def _timeout_error(self, progress: ConnectProgress) -> LinkError:
        message = {
            "config": "the ssh config could not be read (does a Match exec in it wait?)",
            "jump": "a jump host did not answer",
            "resolve": "its name could not be resolved",
            "connect": "nobody answered",
            "host key": "it accepted the connection, but sent nothing",
            "auth": "it did not accept or refuse the key",
        }.get(progress.step, "it did not answer")
        step = {"ready": "connect", "config": "resolve", "jump": "resolve"}.get(progress.step, progress.step)
        return LinkError(step, "timeout", f"{self.alias}: {message} within {self._timeout:g} s")

    async def _dial(
        self,
        place: Destination,
        via: asyncssh.SSHClientConnection | None,
        behind: list[Abortable],
        progress: ConnectProgress,
        depth: int,
    ) -> asyncssh.SSHClientConnection:
        progress.step = "config"
        route = await self._route(place, progress)
        progress.step = "jump"
        for name, user, port in hops(route.jump) if via is None else ():
            if depth >= JUMPS or len(behind) >= JUMPS:
                raise LinkError(
                    "resolve", "refused", f"{self.alias}: more than {JUMPS} jump hosts: look for a loop in ProxyJump"
                )
            via = await self._dial(Destination(name, user, port), via, behind, ConnectProgress(), depth + 1)
            behind.append(via)
        progress.step = "resolve"
        files = await self._in_thread(lambda: read_files(route.wanted), progress)
        ring = await gather(route.wanted, files)
        try:
            return await self._verified(route, ring, via, behind, progress)
        finally:
            ring.close()

    async def _route(self, place: Destination, progress: ConnectProgress) -> Route:
        """Return the route by ``ssh -G``, or if there is no usable ssh, by asyncssh. Raises LinkError."""
        environ = dict(os.environ)
        ssh, words = program(environ), self.config_words()
        try:
            settings = await ask(ssh, words, place, environ) if ssh is not None else None
            if settings is None:
                file = str(Path(self._file).expanduser())
                return await self._in_thread(lambda: read_route(place, file, environ), progress)
            found = settings
            route = await self._in_thread(lambda: route_of(place, found, words), progress)
            for krl in route.krls:
                route = replace(route, trust=await by_krl(krl, route.trust, environ))
            return route
        except (asyncssh.Error, OSError, ValueError) as error:
            raise LinkError("resolve", "refused", f"the ssh config of {place.alias} cannot be used: {error}") from error

    # ---------------------------------------------------------------- the host key

    async def _verified(
        self,
        route: Route,
        ring: KeyRing,
        via: asyncssh.SSHClientConnection | None,
        behind: list[Abortable],
        progress: ConnectProgress,
    ) -> asyncssh.SSHClientConnection:
        """Make a connection whose host key is known. Raises LinkError.

        Two checks need the key that the host showed: KnownHostsCommand for that key, and whether a host with an invalid
        certificate has a known plain key, which ssh accepts. Then the connection is made a second time.
        """
        attempt = _Attempt(route, route.trust, route.known_in)
        if _has_command(route):
            hint = await self._by_command(route, None)
            attempt.hint = hint.keys
            signers = [*route.trust.authorities, *hint.authorities]
            attempt.trust = replace(route.trust, authorities=signers).without(hint.revoked)
        try:
            return await self._handshake(attempt, ring, via, behind, progress)
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
            second = await self._second_attempt(attempt)
            if second is None:
                raise explained(error, route, attempt.watcher, progress) from error
        except (asyncssh.Error, OSError, ValueError) as error:
            raise await self._explained_error(error, attempt, ring, progress) from error
        progress.back("resolve")
        try:
            return await self._handshake(second, ring, via, behind, progress)
        except (asyncssh.Error, OSError, ValueError) as error:
            raise await self._explained_error(error, second, ring, progress) from error

    async def _explained_error(
        self, error: BaseException, attempt: _Attempt, ring: KeyRing, progress: ConnectProgress
    ) -> LinkError:
        message = await attempt.proxy.why() if attempt.proxy is not None and progress.step == "host key" else ""
        return explained(error, attempt.route, attempt.watcher, progress, ring.skipped, message)

    async def _second_attempt(self, attempt: _Attempt) -> _Attempt | None:
        """Return a second attempt after a refused key, None if there is none to make."""
        route, key = attempt.route, attempt.watcher.refused
        if key is not None and _has_command(route):
            more = await self._by_command(route, key)
            trust = replace(attempt.trust, keys=[*attempt.trust.keys, *more.keys]).without(more.revoked)
            if key in trust.keys:
                return _Attempt(route, trust, "what KnownHostsCommand says", certificates=False)
        if key is None and attempt.trust.authorities and attempt.trust.keys:
            return _Attempt(route, attempt.trust, route.known_in, certificates=False)
        return None

    async def _by_command(self, route: Route, key: asyncssh.SSHKey | None) -> Trust:
        """Return the keys of KnownHostsCommand, without revoked ones: revocation counts for every source of keys."""
        assert route.settings is not None  # noqa: S101 only ``ssh -G`` names such a command
        environ = dict(os.environ)
        try:
            trust = await by_command(route.settings, route.names, key, environ)
            for krl in route.krls:
                trust = await by_krl(krl, trust, environ)
            return trust
        except ValueError as error:
            raise LinkError("host key", "host_key", f"{route.alias}: {error}") from error

    # ---------------------------------------------------------------- the connection

    async def _handshake(
        self,
        attempt: _Attempt,
        ring: KeyRing,
        via: asyncssh.SSHClientConnection | None,
        behind: list[Abortable],
        progress: ConnectProgress,
    ) -> asyncssh.SSHClientConnection:
        route = attempt.route
        attempt.watcher = watcher = Watcher(route, progress, attempt.known_in)
        sock, trust = None, attempt.trust
        if route.proxy is not None and via is None:
            attempt.proxy, sock = self._proxy(route, route.proxy)
            behind.append(attempt.proxy)
        elif via is None:
            sock = await self._tcp(route, progress)
            address = sock.getpeername()[0]
            if route.address_too and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:  # as ssh
                trust = known_hosts.agreeing(trust, route.known, address, route.port)
        if via is not None or attempt.proxy is not None:
            progress.done("resolve", _resolve_message(route, route.host, "by way of another host"), then="connect")
        options = route.connect_options(trust, ring.pairs, certificates=attempt.certificates, hint=attempt.hint)
        try:
            return await asyncssh.connect(
                route.host, route.port, sock=sock, tunnel=via, client_factory=lambda: watcher, **options
            )
        finally:
            if sock is not None and progress.step == "connect":
                sock.close()

    def _proxy(self, route: Route, command: str) -> tuple[Proxy, socket.socket]:
        try:
            return Proxy.start(command, dict(os.environ))
        except (OSError, ValueError) as error:
            raise LinkError(
                "connect", "refused", f"the ProxyCommand of {route.alias} cannot be started: {error}"
            ) from error

    async def _tcp(self, route: Route, progress: ConnectProgress) -> socket.socket:
        """Return a connected socket. Each address of the name gets an equal share of the time. Raises LinkError."""
        try:
            found = await self._in_thread(
                lambda: socket.getaddrinfo(route.host, route.port, route.family, socket.SOCK_STREAM), progress
            )
        except OSError as error:
            raise LinkError(
                "resolve", "refused",
                f"{route.host} cannot be resolved ({error.strerror or error}): check HostName of {route.alias} "
                f"({route.asked})",
            ) from error  # fmt: skip
        progress.done("resolve", _resolve_message(route, str(found[0][4][0])), then="connect")
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
        why = "does not answer" if late else f"cannot be reached ({_why(failed)})"
        raise LinkError(
            "connect", "timeout" if late else "refused",
            f"{route.host} port {route.port} {why}: is the machine up and sshd running there? try: ssh {self.alias}",
        )  # fmt: skip

    async def _in_thread(self, work: Callable[[], T], progress: ConnectProgress) -> T:
        """Run blocking work in this connector's own thread, one at a time. The daemon's exit does not wait for it."""
        if self._thread is not None and self._thread.is_alive():
            step = "resolve" if progress.step in {"config", "jump"} else progress.step
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
            except Exception as failure:  # noqa: BLE001 raised again for the caller
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
    """One handshake: the keys trusted in it, and what it found out."""

    route: Route
    trust: Trust
    known_in: str
    certificates: bool = True
    hint: list[asyncssh.SSHKey] = field(default_factory=list)
    proxy: Proxy | None = None
    watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.route, ConnectProgress(), self.known_in)


def _has_command(route: Route) -> bool:
    return route.settings is not None and bool(route.settings.every("knownhostscommand"))


def _resolve_message(route: Route, where: str, how: str = "") -> str:
    """Return the message of the step ``resolve``: address, user, and the source of both."""
    way = f", {how}" if how else ""
    return f"{where} port {route.port}{way}, user {route.user} ({route.asked})"


def _why(failed: OSError) -> str:
    """Return why a connection failed. An address error has no positive errno; then its own text is used."""
    return os.strerror(failed.errno) if failed.errno and failed.errno > 0 else failed.strerror or str(failed)


def abort(connections: Iterable[Abortable]) -> None:
    """End all these connections."""
    for conn in connections:
        conn.abort()
