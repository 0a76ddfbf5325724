"""Open files at a known path, but only regular files: reading a pipe or a device could block.

It imports little, because the hook imports it. Knows nothing about the content of a file.
"""

from __future__ import annotations

import errno
import os
import stat


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Open the regular file ``path`` and return its descriptor, closed on exec. Never blocks, whatever is at the path.

    ``flags`` and ``mode`` as for ``os.open``. A file made by ``O_CREAT`` is 0600. Raises OSError: the system's own, or
    EINVAL for a pipe, a device, a folder or a socket.
    """
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EISDIR, errno.ENODEV):  # a socket, a pipe without a reader, a folder
            raise _refused(path) from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _refused(path)
    return fd


def read_regular(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the bytes of the regular file ``path``. Empty for ``/dev/null``, which people use to mean nothing.

    Raises OSError as ``open_regular`` does, and EFBIG for a file of more than ``most`` bytes.
    """
    if os.fspath(path) == os.devnull:
        return b""
    with open(open_regular(path), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is longer than {most} bytes, too long for such a file", os.fspath(path))
    return data


def _refused(path: str | os.PathLike[str]) -> OSError:
    return OSError(errno.EINVAL, "it is not a regular file: move it away", os.fspath(path))
