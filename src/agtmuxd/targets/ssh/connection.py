"""Keep the one SSH connection of a target, and open channels on it.

Owns the connection, and drops it if opening a channel is cancelled. ``connect`` makes connections and checks host keys.
Knows no tmux and no agent.
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
"""Pauses (s) before a refused channel is requested again: no program ran, and sshd may still hold the last channel."""

logging.getLogger("asyncssh").setLevel(logging.CRITICAL)


class SshLink:
    """The connection of one target. ``open`` opens a channel, and connects first if needed."""

    def __init__(self, alias: str, config_file: str, *, connect_timeout: float) -> None:
        """``alias``: a host of the ssh config; ``config_file``: its path, ``~`` allowed."""
        self.alias = alias
        self._connector = Connector(alias, config_file, connect_timeout=connect_timeout)
        self._path: ConnectionPath | None = None
        self._connecting: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._closed = False
        self.connects = 0

    @property
    def connected(self) -> bool:
        return self._path is not None and not self._path.conn.is_closed()

    def config_words(self) -> tuple[str, ...]:
        """Return the arguments with which ssh(1) reads the same config."""
        return self._connector.config_words()

    async def dial(self, progress: ConnectProgress) -> ConnectionPath:
        """Make a new connection beside the one in use. Raises LinkError."""
        return await self._connector.dial(progress)

    async def connection(self) -> asyncssh.SSHClientConnection:
        """Return the connection, and make it if there is none. Callers at the same time share one attempt.

        Call it only for other uses than programs, such as forwarded sockets. Raises LinkError.
        """
        if self._closed:
            raise LinkError("connect", "lost", f"{self.alias} is no longer watched")
        if self._path is not None and not self._path.conn.is_closed():
            return self._path.conn
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name=f"ssh {self.alias}")
            self._connecting.add_done_callback(self._connected)
        return await asyncio.shield(self._connecting)

    def _connected(self, task: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # mark it as retrieved: the waiting callers get it, and all of them may be cancelled

    async def _connect(self) -> asyncssh.SSHClientConnection:
        self.drop()
        self._path = await self.dial(ConnectProgress())
        self.connects += 1
        return self._path.conn

    def drop(self) -> None:
        """Abort this connection: programs on it fail with ``lost``. The next use makes a new one."""
        if self._path is not None:
            self._path.abort()
        self._path = None

    async def close(self) -> None:
        """Drop the connection for good. Idempotent. Does not wait for the other side."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        self.drop()

    # ---------------------------------------------------------------- channels

    async def open(self, command: str, session: asyncssh.SSHClientSession[bytes]) -> None:
        """Run an exec string on a new channel. Connects first if needed. Raises ExecutorError."""
        conn = await self.connection()
        for pause in (*_OPEN_AGAIN, None):
            try:
                # A channel that is not yet open cannot be cancelled: a cancelled caller drops the connection (below).
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
                        f"{self.alias} opens no more channels ({error.reason}): raise MaxSessions in its sshd_config",
                    ) from error
                await asyncio.sleep(pause)
            except asyncio.CancelledError:
                if self._path is not None and conn is self._path.conn:
                    self.drop()
                raise
            except (asyncssh.Error, OSError) as error:
                raise ExecutorError("lost", f"the connection to {self.alias} was lost: {error}") from error
            else:
                return
