"""Ask the kernel which user is at the other end of a Unix socket, before anything is sent.

It imports little, because the hook and every CLI call import it. A path proves nothing: a folder may have been emptied,
and another user may listen at a remembered path.
"""

from __future__ import annotations

import os
import socket
import sys

_LOCAL_PEERCRED = 0x001  # macOS, level 0: struct xucred
_LOCAL_PEERPID = 0x002


def credentials(sock: socket.socket) -> tuple[int, int | None]:
    """Return ``(uid, pid)`` of the other end of a connected Unix stream socket. For a listener: who began to listen.

    The pid is None if the platform does not report it. Raises OSError if the kernel reports nothing.
    """
    if sys.platform == "darwin":
        uid = _uint32(sock.getsockopt(0, _LOCAL_PEERCRED, 76), 1)
        pid = _uint32(sock.getsockopt(0, _LOCAL_PEERPID, 4), 0)
    else:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # pid, uid, gid
        pid, uid = _uint32(raw, 0), _uint32(raw, 1)
    return uid, pid or None


def _uint32(raw: bytes, place: int) -> int:
    """Return the 32-bit number at that offset. Raises OSError if the answer is too short. ``struct`` would
    take longer.
    """
    if len(raw) < 4 * place + 4:
        raise OSError("the system's answer about the peer is too short")
    return int.from_bytes(raw[4 * place : 4 * place + 4], sys.byteorder)


def other_user(sock: socket.socket) -> str | None:
    """Return who listens there, like ``uid 1001``. None for this user, and for root, who can read everything anyway."""
    try:
        uid, _ = credentials(sock)
    except OSError:
        return "an unknown user"
    return None if uid in (os.geteuid(), 0) else f"uid {uid}"
