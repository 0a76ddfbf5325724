"""Connect to a server that agents of this machine share, over its Unix socket, and exchange messages.

Owns the check of the socket, the count of the connected clients, and the limits of size and time. Never starts a
server, and is never its first or only client. Knows no agent: the adapter owns the messages. Linux only: other systems
do not show who is connected.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agtmuxd.core.json_codec import decode, encode
from agtmuxd.targets.local import process_table

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

LARGEST: Final = 1024 * 1024
"""Most bytes of one message. A larger one ends the connection. The requested replies have about 1 KiB."""
PATIENCE: Final = 3.0
"""Seconds that connecting, and sending each message, may take."""
_LISTED: Final = 8 * 1024 * 1024  # bytes of the system's list of sockets
_CONNECTED: Final = "03"


class UnreachableError(Exception):
    """There is no server, or agtmux may not connect to it. The message says why."""


def clients(path: str) -> int:
    """Return the number of clients connected to the server bound at ``path``. Raises UnreachableError."""
    text = process_table.read_sockets(_LISTED)
    if text is None:
        raise UnreachableError("this system does not show who else is connected")
    names = {os.fsencode(path), os.fsencode(os.path.realpath(path))}
    rows = (line.split(None, 7) for line in text.splitlines())
    return sum(1 for row in rows if len(row) == 8 and row[5] == _CONNECTED.encode() and row[7] in names)


def find(path: Path) -> str:
    """Return the real path of the socket at ``path``.

    The socket and its folder must belong to this user, and no other user may enter the folder. Raises UnreachableError.
    """
    real = os.path.realpath(path)
    try:
        found, folder = os.lstat(real), os.lstat(Path(real).parent)
    except OSError as error:
        raise UnreachableError("no server runs") from error
    if not stat.S_ISSOCK(found.st_mode):
        raise UnreachableError(f"{real} is not a socket")
    if found.st_uid != os.getuid() or folder.st_uid != os.getuid():
        raise UnreachableError(f"{real} belongs to another user")
    if stat.S_IMODE(folder.st_mode) & 0o077:
        raise UnreachableError(f"other users may open the folder of {real}")
    return real


class Wire:
    """One connection. Sends and receives messages within the limits."""

    def __init__(self, path: str, ws: ClientWebSocketResponse) -> None:
        self.path = path
        self.bytes = 0  # received so far
        self._ws = ws

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. Raises UnreachableError if the server does not take it within 3 s."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ws.send_str(encode(message).decode())
        except (TimeoutError, OSError) as error:
            raise UnreachableError("it does not accept messages") from error

    async def receive(self) -> Mapping[str, Any] | None:
        """Return the next message, None for one that is no JSON object. Waits without limit.

        Raises UnreachableError if the connection ended or the message is no JSON.
        """
        from aiohttp import WSMsgType

        got = await self._ws.receive()
        if got.type is not WSMsgType.TEXT:
            if got.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                large = self._ws.close_code == 1009
                raise UnreachableError("it sent a message that is too large" if large else "it closed the connection")
            return None
        data = got.data.encode("utf-8", "replace")
        self.bytes += len(data)
        try:
            message = decode(data)
        except ValueError as error:
            raise UnreachableError("it sent something that is not a message") from error
        return message if isinstance(message, dict) else None

    def others(self) -> int:
        """Return the number of other clients. Raises UnreachableError."""
        return clients(self.path) - 1


@asynccontextmanager
async def connected(path: str) -> AsyncIterator[Wire]:
    """Connect to the socket at ``path``, as ``find`` returned it, and close at the end. Raises UnreachableError."""
    from aiohttp import ClientError, ClientSession, ClientTimeout, ClientWSTimeout, UnixConnector

    session = ClientSession(connector=UnixConnector(path, force_close=True), timeout=ClientTimeout(total=None))
    try:
        try:
            async with asyncio.timeout(PATIENCE):
                ws = await session.ws_connect(
                    "http://localhost/", max_msg_size=LARGEST, timeout=ClientWSTimeout(ws_close=1.0), compress=0
                )
        except (TimeoutError, OSError, ClientError) as error:
            raise UnreachableError("it does not answer") from error
        try:
            _check_peer(ws)
            yield Wire(path, ws)
        finally:
            await ws.close()
    finally:
        await session.close()


def _check_peer(ws: ClientWebSocketResponse) -> None:
    """Check that the listening process belongs to this user. Raises UnreachableError."""
    found = ws.get_extra_info("socket")
    credentials = (
        found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")) if found is not None else b""
    )
    if len(credentials) != struct.calcsize("3i") or struct.unpack("3i", credentials)[1] != os.getuid():
        raise UnreachableError("the program that answers belongs to another user")
