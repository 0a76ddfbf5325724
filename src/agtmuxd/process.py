"""What one daemon has of a machine: its files' places, its locks, and the socket that it listens at.

Owns taking them in an order that leaves another daemon alone, and giving them back. A lock names its holder: there is
one daemon per runtime folder, and one per database. Knows nothing of HTTP.
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
"""Bytes of a path, above which a socket cannot be bound on every platform."""


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """Where this daemon's files lie."""

    runtime_dir: str
    state_dir: str
    socket: str
    database: str
    spool: str
    config: str

    @classmethod
    def from_environment(cls) -> DaemonPaths:
        return cls(
            paths.runtime_dir(), paths.state_dir(), os.path.join(paths.runtime_dir(), "agtmuxd.sock"),
            paths.database_path(), paths.spool_path(), paths.config_file(),
        )  # fmt: skip


class Lock:
    """A lock on the file ``path``. The lock itself counts, never that the file exists. ``what`` it guards, in words."""

    def __init__(self, path: str, what: str) -> None:
        self.path = path
        self._what = what
        self._fd: int | None = None

    def take(self) -> None:
        """Raises E_PRECONDITION_FAILED with the pid of the daemon that holds it, E_FORBIDDEN for no regular file."""
        holder = self._try()
        if holder is not None:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"agtmuxd already runs for {self._what}, pid {holder}: run agtmux daemon status",
            )

    def stands(self) -> bool:
        """Whether the file at the path is still the one that is locked."""
        return self._fd is not None and _is_at(self._fd, self.path)

    def keep(self) -> str | None:
        """Take the lock again if its file was deleted or replaced; the pid of another daemon that has it now, or None.

        The old lock is held until then. Raises OSError, E_FORBIDDEN.
        """
        return None if self.stands() else self._try()

    def release(self) -> None:
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
            os.close(fd)  # it was deleted between the opening and the lock, which then guards nothing
        os.ftruncate(fd, 0)
        with suppress(OSError):  # a full disk: it is held all the same, and names nobody
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self.release()
        self._fd = fd
        return None


class BoundSocket:
    """One bound socket and its file. ``own``: made by this daemon, which takes the file away at the end."""

    def __init__(self, path: str, sock: socket.socket, *, own: bool = True) -> None:
        self.path, self.sock, self.own = path, sock, own
        self._mark = _mark(path)

    @classmethod
    def bind(cls, path: str) -> BoundSocket:
        """Raises AgtmuxError, OSError."""
        return cls(path, bind_socket(path))

    def stands(self) -> bool:
        """Whether the file at the path is still this socket's. A bound socket keeps its inode from being used again."""
        return self._mark is not None and _mark(self.path) == self._mark

    def close(self) -> None:
        """Close it, and take the file away where it is this socket's and nobody else's. Idempotent."""
        if self.own and self.stands():
            with suppress(OSError):
                os.unlink(self.path)
        self._mark = None
        self.sock.close()


def activated_socket(environ: Mapping[str, str]) -> socket.socket | None:
    """The socket that systemd passed (LISTEN_FDS), if it was meant for this process."""
    if environ.get("LISTEN_PID") != str(os.getpid()) or environ.get("LISTEN_FDS", "0") == "0":
        return None
    passed = socket.socket(fileno=3)
    if passed.family != socket.AF_UNIX:
        raise AgtmuxError("E_INVALID_REQUEST", "the socket from systemd is not a Unix socket: check ListenStream=")
    passed.set_inheritable(False)
    return passed


def bind_socket(path: str) -> socket.socket:
    """A socket at ``path``, 0600 from its first moment; a stale one is replaced (the lock says that it is stale)."""
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
    """The folders, locks and socket of one daemon: ``take`` them before anything is served, ``release`` them last."""

    def __init__(self, places: DaemonPaths, environ: Mapping[str, str]) -> None:
        self.locks = (
            Lock(places.database + ".lock", places.database),
            Lock(os.path.join(places.runtime_dir, "agtmuxd.lock"), places.runtime_dir),
        )
        self.usual = places.socket
        """Where clients look first: the socket that systemd passed, where it passed one."""
        self._address: BoundSocket | None = None
        self._places = places
        self._environ = environ

    def take(self) -> BoundSocket:
        """Where the daemon listens. Raises AgtmuxError, OSError; ``release`` gives back what was taken till then."""
        paths.ensure_private_dir(self._places.state_dir)
        has_folder = self._has_runtime_folder()
        of_database, of_folder = self.locks
        of_database.take()  # first: who may not have it leaves the runtime folder of the other daemon alone
        if has_folder:
            of_folder.take()
        passed = activated_socket(self._environ)
        if passed is not None:
            self.usual = os.fsdecode(passed.getsockname())
            self._address = BoundSocket(self.usual, passed, own=False)
        else:
            self._address = BoundSocket.bind(self.usual if has_folder else paths.spare_socket_path())
        return self._address

    def _has_runtime_folder(self) -> bool:
        """Make or check the runtime folder. False where a logout took the one above away. Raises E_FORBIDDEN."""
        gone = paths.runtime_is_gone()
        try:
            paths.ensure_private_dir(self._places.runtime_dir)
        except AgtmuxError:
            if not gone:
                raise
            return False
        return True

    def release(self) -> None:
        """Idempotent."""
        if self._address is not None:
            self._address.close()
        for lock in self.locks:
            lock.release()


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False


def _mark(path: str) -> tuple[int, int] | None:
    """What tells a socket's file from another at the same path; None where there is no socket."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
