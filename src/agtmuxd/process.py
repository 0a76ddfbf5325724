"""Take and release what one daemon uses on a machine: its folders, its locks, and the socket that it listens on.

Owns the order of these steps, so that a second daemon does not disturb the first. There is one daemon for each runtime
folder, and one for each database; a lock file contains the pid of its holder. Knows nothing about HTTP.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import open_regular

SOCKET_LIMIT: Final = 104
"""Bytes of a socket's path, at most. Some platforms cannot bind longer ones."""


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """The paths of this daemon's folders and files."""

    runtime_dir: str
    state_dir: str
    socket: str
    database: str
    spool: str
    config: str

    @classmethod
    def from_environment(cls) -> DaemonPaths:
        """Find the paths from the environment, as ``agtmux.protocol.paths`` does for clients."""
        return cls(
            paths.runtime_dir(), paths.state_dir(), os.path.join(paths.runtime_dir(), "agtmuxd.sock"),
            paths.database_path(), paths.spool_path(), paths.config_file(),
        )  # fmt: skip


class Lock:
    """A lock on the file ``path``. Only the lock counts, not whether the file exists. ``what``: what it protects."""

    def __init__(self, path: str, what: str) -> None:
        self.path = path
        self._what = what
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock.

        Raises E_PRECONDITION_FAILED, with the pid, if another daemon holds it, and E_FORBIDDEN if the file cannot be
        used, for example if it is not a regular file.
        """
        holder = self._try()
        if holder is not None:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"agtmuxd already runs for {self._what}, pid {holder}: run agtmux daemon status",
            )

    def is_intact(self) -> bool:
        """Whether the file at the path is still the locked one."""
        return self._fd is not None and _is_at(self._fd, self.path)

    def keep(self) -> str | None:
        """Take the lock again if its file was deleted or replaced. The old lock is held until then.

        Returns the pid of another daemon that holds the new file, else None. Raises OSError, E_FORBIDDEN.
        """
        return None if self.is_intact() else self._try()

    def release(self) -> None:
        """Release the lock. Idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _try(self) -> str | None:
        while True:
            try:
                fd = open_regular(self.path, os.O_RDWR | os.O_CREAT)
            except OSError as error:
                text = f"cannot lock {self.path}: {error.strerror}. Check its permissions"
                raise AgtmuxError("E_FORBIDDEN", text) from error
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(fd)
                return holder
            if _is_at(fd, self.path):
                break
            os.close(fd)  # the file was deleted before it was locked: try again
        os.ftruncate(fd, 0)
        with suppress(OSError):  # on a full disk, the lock is held without a pid
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self.release()
        self._fd = fd
        return None


class BoundSocket:
    """One bound socket and its file. ``own``: this daemon made it and deletes the file at the end."""

    def __init__(self, path: str, sock: socket.socket, *, own: bool = True) -> None:
        self.path, self.sock, self.own = path, sock, own
        self._file_id = _file_id(path)

    @classmethod
    def bind(cls, path: str) -> BoundSocket:
        """Bind a new socket at ``path``. Raises AgtmuxError, OSError."""
        return cls(path, bind_socket(path))

    def is_intact(self) -> bool:
        """Whether the file at the path is still this socket's. While a socket is bound, its inode is not used again."""
        return self._file_id is not None and _file_id(self.path) == self._file_id

    def close(self) -> None:
        """Close the socket. Delete its file if this daemon made it and it is still this socket's. Idempotent."""
        if self.own and self.is_intact():
            with suppress(OSError):
                os.unlink(self.path)
        self._file_id = None
        self.sock.close()


def activated_socket(environ: Mapping[str, str]) -> socket.socket | None:
    """Give the socket that systemd passed to this process (LISTEN_FDS), else None.

    Raises E_INVALID_REQUEST if it is not a Unix socket.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()) or environ.get("LISTEN_FDS", "0") == "0":
        return None
    passed = socket.socket(fileno=3)
    if passed.family != socket.AF_UNIX:
        raise AgtmuxError("E_INVALID_REQUEST", "the socket from systemd is not a Unix socket: check ListenStream=")
    passed.set_inheritable(False)
    return passed


def bind_socket(path: str) -> socket.socket:
    """Bind a socket at ``path``, with mode 0600 from the start. An old socket is replaced: the lock proves it is stale.

    Raises E_INVALID_REQUEST for a path that is too long, E_FORBIDDEN if something else is there, OSError.
    """
    if len(os.fsencode(path)) > SOCKET_LIMIT:
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"socket path {path} is longer than {SOCKET_LIMIT} bytes: set AGTMUX_RUNTIME_DIR to a shorter one",
        )
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise AgtmuxError("E_FORBIDDEN", f"{path} exists and is not a socket: move it away")
        os.unlink(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(path)
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(before)
    bound.listen(128)
    return bound


class ProcessResources:
    """The folders, locks and socket of one daemon. ``take`` them first, and ``release`` them last."""

    def __init__(self, places: DaemonPaths, environ: Mapping[str, str]) -> None:
        self.locks = (
            Lock(places.database + ".lock", places.database),
            Lock(os.path.join(places.runtime_dir, "agtmuxd.lock"), places.runtime_dir),
        )
        self.usual = places.socket
        """The path where clients look first. If systemd passed a socket, its path."""
        self._address: BoundSocket | None = None
        self._places = places
        self._environ = environ

    def take(self) -> BoundSocket:
        """Take everything and return the bound socket. Raises AgtmuxError, OSError; then call ``release`` too."""
        paths.ensure_private_dir(self._places.state_dir)
        has_folder = self._has_runtime_folder()
        database_lock, folder_lock = self.locks
        database_lock.take()  # first, so that a second daemon stops before it touches the runtime folder of the first
        if has_folder:
            folder_lock.take()
        passed = activated_socket(self._environ)
        if passed is not None:
            self.usual = os.fsdecode(passed.getsockname())
            self._address = BoundSocket(self.usual, passed, own=False)
        else:
            self._address = BoundSocket.bind(self.usual if has_folder else paths.spare_socket_path())
        return self._address

    def _has_runtime_folder(self) -> bool:
        """Create or check the runtime folder. False if a logout deleted its parent folder. Raises E_FORBIDDEN."""
        gone = paths.runtime_is_gone()
        try:
            paths.ensure_private_dir(self._places.runtime_dir)
        except AgtmuxError:
            if not gone:
                raise
            return False
        return True

    def release(self) -> None:
        """Close the socket and release the locks. Idempotent."""
        if self._address is not None:
            self._address.close()
        for lock in self.locks:
            lock.release()


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False


def _file_id(path: str) -> tuple[int, int] | None:
    """Give device and inode of the socket file at ``path``; None if there is no socket."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
