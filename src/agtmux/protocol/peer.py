"""Who is at the other end of a Unix socket, by the kernel's word: asked before a word is said there.

Light on purpose: the hook and every CLI call import it. A path proves nothing: a folder may have been emptied, and
somebody else may listen at a path that was remembered.
"""

from __future__ import annotations

import os
import socket
import sys

_LOCAL_PEERCRED = 0x001  # macOS, level 0: struct xucred
_LOCAL_PEERPID = 0x002


def credentials(sock: socket.socket) -> tuple[int, int | None]:
    """``(uid, pid)`` of the other end of a connected Unix stream socket; of a listener, whoever began to listen.

    The pid is None where the platform does not tell it. Raises OSError where the kernel tells nothing.
    """
    if sys.platform == "darwin":
        uid = _word(sock.getsockopt(0, _LOCAL_PEERCRED, 76), 1)
        pid = _word(sock.getsockopt(0, _LOCAL_PEERPID, 4), 0)
    else:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)  # pid, uid, gid
        pid, uid = _word(raw, 0), _word(raw, 1)
    return uid, pid or None


def _word(raw: bytes, place: int) -> int:
    """The 32-bit number at that place. Raises OSError where the answer is too short for it; ``struct`` costs more."""
    if len(raw) < 4 * place + 4:
        raise OSError("the system's word on a peer is cut short")
    return int.from_bytes(raw[4 * place : 4 * place + 4], sys.byteorder)


def stranger(sock: socket.socket) -> str | None:
    """Who listens there, like ``uid 1001``, unless it is this user, or root, from whom nothing can be kept anyway."""
    try:
        uid, _ = credentials(sock)
    except OSError:
        return "somebody whom the system does not name"
    return None if uid in (os.geteuid(), 0) else f"uid {uid}"
