"""Opens files that lie at a known path, and only if they are regular files: a pipe or a device would be waited for.

Light on purpose: the hook imports it. Knows nothing of what is in a file.
"""

from __future__ import annotations

import errno
import os
import stat


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """A file descriptor of the regular file ``path``, closed on exec. Never waits, whatever stands there.

    ``flags`` and ``mode`` as for ``os.open``; a file that ``O_CREAT`` makes is 0600. Raises OSError: the system's own,
    or EINVAL for a pipe, a device, a folder or a socket.
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
    """The bytes of the regular file ``path``; of ``/dev/null``, which people name to mean nothing, none.

    Raises OSError as ``open_regular`` does, EFBIG for a file of more than ``most`` bytes.
    """
    if os.fspath(path) == os.devnull:
        return b""
    with open(open_regular(path), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is longer than {most} bytes, which no such file is", os.fspath(path))
    return data


def _refused(path: str | os.PathLike[str]) -> OSError:
    return OSError(errno.EINVAL, "it is not a regular file: move it away", os.fspath(path))
