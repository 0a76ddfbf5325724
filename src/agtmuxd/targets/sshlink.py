"""One SSH connection: dialled, proven, shared, watched, and dropped when it is wedged.

Owns the sockets, jump hosts, channels and their number. How a host is found and trusted is in ``sshroute``. Knows no
tmux and no agent.

Reading of config and keys, ``Match exec`` and the resolver block: they run in a thread of this link's own, so that one
host with a dead name server keeps no thread from the others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

import asyncssh

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.sshroute import (
    DEFAULT_CONFIG,
    Dialling,
    LinkError,
    Route,
    Watcher,
    explained,
    hops,
    read_route,
)

T = TypeVar("T")

CHANNELS: Final = 4
JUMPS: Final = 8
_OPEN_AGAIN: Final = (0.05, 0.3)
"""Pauses (s) before a refused channel is asked for again: nothing ran, and sshd may not have let go of the last one."""

logging.getLogger("asyncssh").setLevel(logging.CRITICAL)


class SshLink:
    """The connection of one target; ``open`` gives a channel on it, and connects first where that is needed."""

    def __init__(self, alias: str, config_file: str, *, connect_timeout: float) -> None:
        """``alias``: a host of the ssh config; ``config_file``: its path, ``~`` allowed."""
        self.alias = alias
        self._config = str(Path(config_file).expanduser())
        self._timeout = connect_timeout
        self._conn: asyncssh.SSHClientConnection | None = None
        self._jumps: list[asyncssh.SSHClientConnection] = []
        self._connecting: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.connects = 0

    @property
    def connected(self) -> bool:
        return self._conn is not None and not self._conn.is_closed()

    def config_words(self) -> tuple[str, ...]:
        """The words by which ssh(1) reads the same config."""
        return () if self._config == str(Path(DEFAULT_CONFIG).expanduser()) else ("-F", self._config)

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The one connection, made where there is none; whoever comes meanwhile waits for the same attempt.

        For all that is no program: forwarded sockets. Raises LinkError.
        """
        if self._closed:
            raise LinkError("connect", "lost", f"{self.alias} is no longer watched")
        if self._conn is not None and not self._conn.is_closed():
            return self._conn
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name=f"ssh {self.alias}")
            self._connecting.add_done_callback(self._connected)
        return await asyncio.shield(self._connecting)

    def _connected(self, task: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # told to those who waited; nobody waits when they were cancelled

    async def _connect(self) -> asyncssh.SSHClientConnection:
        self.drop()
        conn, jumps = await self.dial(Dialling())
        self._conn, self._jumps = conn, jumps
        self.connects += 1
        return conn

    def drop(self) -> None:
        """Give up this connection: what runs over it fails with ``lost``. The next use makes another."""
        for conn in (self._conn, *self._jumps):
            if conn is not None:
                conn.abort()
        self._conn, self._jumps = None, []

    async def close(self) -> None:
        """Drop it for good. Idempotent, waits for nothing that the other side could hold up."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        self.drop()

    # ---------------------------------------------------------------- channels

    async def open(self, command: str, session: asyncssh.SSHClientSession[bytes]) -> None:
        """Run an exec string on a channel of its own, connecting first where that is needed. Raises ExecutorError."""
        conn = await self.connection()
        for pause in (*_OPEN_AGAIN, None):
            try:
                # A channel that is not yet open cannot be taken back: who loses patience drops the connection (below).
                await conn.create_session(
                    lambda: session,
                    command,
                    encoding=None,
                    request_pty=False,
                    env={},
                    send_env=[],
                    x11_forwarding=False,
                )
            except asyncssh.ChannelOpenError as error:
                if conn.is_closed():
                    raise ExecutorError("lost", f"the connection to {self.alias} was lost") from error
                if pause is None:
                    raise ExecutorError(
                        "channel_limit",
                        f"{self.alias} opens no more channels ({error.reason}): see MaxSessions of its sshd",
                    ) from error
                await asyncio.sleep(pause)
            except asyncio.CancelledError:
                if conn is self._conn:
                    self.drop()
                raise
            except (asyncssh.Error, OSError) as error:
                raise ExecutorError("lost", f"the connection to {self.alias} was lost: {error}") from error
            else:
                return

    # ---------------------------------------------------------------- dialling

    async def dial(self, dialling: Dialling) -> tuple[asyncssh.SSHClientConnection, list[asyncssh.SSHClientConnection]]:
        """Make a new connection, and those to the jump hosts on its way. Raises LinkError."""
        jumps: list[asyncssh.SSHClientConnection] = []
        try:
            async with asyncio.timeout(self._timeout):
                return await self._dial(self.alias, None, None, None, jumps, dialling), jumps
        except TimeoutError as error:
            _abort(jumps)
            raise self._late(dialling) from error
        except BaseException:
            _abort(jumps)
            raise

    def _late(self, dialling: Dialling) -> LinkError:
        said = {
            "resolve": "its name was not resolved",
            "connect": "nobody answered",
            "host key": "it took the connection and then said nothing",
            "auth": "it did not decide on the key",
        }.get(dialling.step, "it did not answer")
        step = "connect" if dialling.step == "ready" else dialling.step
        return LinkError(step, "timeout", f"{self.alias}: {said} within {self._timeout:g} s")

    async def _dial(
        self,
        alias: str,
        user: str | None,
        port: int | None,
        via: asyncssh.SSHClientConnection | None,
        jumps: list[asyncssh.SSHClientConnection],
        dialling: Dialling,
    ) -> asyncssh.SSHClientConnection:
        try:
            route = await self._in_thread(lambda: read_route(alias, user, port, self._config), dialling)
        except (asyncssh.Error, OSError, ValueError) as error:
            raise LinkError("resolve", "refused", f"the ssh config of {alias} cannot be used: {error}") from error
        for hop in hops(route.jump) if via is None else ():
            if len(jumps) >= JUMPS:
                raise LinkError("resolve", "refused", f"{alias}: more than {JUMPS} jump hosts: does ProxyJump loop?")
            via = await self._dial(*hop, via, jumps, Dialling())
            jumps.append(via)
        watcher = Watcher(route, dialling)
        sock = None
        if via is None and not route.proxied:
            sock = await self._tcp(route, dialling)
        else:
            dialling.done("resolve", f"{route.host} port {route.port}, by way of another host", then="connect")
        try:
            return await asyncssh.connect(
                alias, route.port, sock=sock, tunnel=via, client_factory=lambda: watcher, **route.options
            )
        except (asyncssh.Error, OSError, ValueError) as error:
            raise explained(error, route, watcher, dialling) from error
        finally:
            if sock is not None and dialling.step == "connect":
                sock.close()

    async def _tcp(self, route: Route, dialling: Dialling) -> socket.socket:
        """A connected socket; each address of the name has its share of the time."""
        try:
            found = await self._in_thread(
                lambda: socket.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM), dialling
            )
        except OSError as error:
            raise LinkError(
                "resolve", "refused",
                f"{route.host} cannot be resolved ({error.strerror or error}): check HostName of {route.alias} in "
                f"{self._config}",
            ) from error  # fmt: skip
        dialling.done("resolve", f"{found[0][4][0]} port {route.port}", then="connect")
        loop = asyncio.get_running_loop()
        failed: OSError = TimeoutError("no answer")
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(self._timeout / len(found)):
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
        said = "does not answer" if late else f"cannot be reached ({os.strerror(failed.errno or 0)})"
        raise LinkError(
            "connect", "timeout" if late else "refused",
            f"{route.host} port {route.port} {said}: is the machine up and sshd running there? try: ssh {self.alias}",
        )  # fmt: skip

    async def _in_thread(self, work: Callable[[], T], dialling: Dialling) -> T:
        """Do blocking work in this link's own thread, one at a time; the daemon's end does not wait for it."""
        if self._thread is not None and self._thread.is_alive():
            raise LinkError(dialling.step, "timeout", f"{self.alias}: its name is still being resolved")
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


def _abort(connections: Iterable[asyncssh.SSHClientConnection]) -> None:
    for conn in connections:
        conn.abort()
