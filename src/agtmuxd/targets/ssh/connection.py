"""One SSH connection: shared, watched, and dropped when it is wedged.

Owns the connection, its channels and their number. How a host is reached and trusted is in ``sshdial``. Knows no tmux
and no agent.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncssh

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.connect import ConnectionPath, Connector
from agtmuxd.targets.ssh.ssh_config import ConnectProgress, LinkError

CHANNELS: Final = 4
_OPEN_AGAIN: Final = (0.05, 0.3)
"""Pauses (s) before a refused channel is asked for again: nothing ran, and sshd may not have let go of the last one."""

logging.getLogger("asyncssh").setLevel(logging.CRITICAL)


class SshLink:
    """The connection of one target; ``open`` gives a channel on it, and connects first where that is needed."""

    def __init__(self, alias: str, config_file: str, *, connect_timeout: float) -> None:
        """``alias``: a host of the ssh config; ``config_file``: its path, ``~`` allowed."""
        self.alias = alias
        self._dialler = Connector(alias, config_file, connect_timeout=connect_timeout)
        self._way: ConnectionPath | None = None
        self._connecting: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._closed = False
        self.connects = 0

    @property
    def connected(self) -> bool:
        return self._way is not None and not self._way.conn.is_closed()

    def config_words(self) -> tuple[str, ...]:
        """The words by which ssh(1) reads the same config."""
        return self._dialler.config_words()

    async def dial(self, dialling: ConnectProgress) -> ConnectionPath:
        """Make a new connection beside the one in use. Raises LinkError."""
        return await self._dialler.dial(dialling)

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The one connection, made where there is none; whoever comes meanwhile waits for the same attempt.

        For all that is no program: forwarded sockets. Raises LinkError.
        """
        if self._closed:
            raise LinkError("connect", "lost", f"{self.alias} is no longer watched")
        if self._way is not None and not self._way.conn.is_closed():
            return self._way.conn
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
        self._way = await self.dial(ConnectProgress())
        self.connects += 1
        return self._way.conn

    def drop(self) -> None:
        """Give up this connection: what runs over it fails with ``lost``. The next use makes another."""
        if self._way is not None:
            self._way.abort()
        self._way = None

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
                if self._way is not None and conn is self._way.conn:
                    self.drop()
                raise
            except (asyncssh.Error, OSError) as error:
                raise ExecutorError("lost", f"the connection to {self.alias} was lost: {error}") from error
            else:
                return
