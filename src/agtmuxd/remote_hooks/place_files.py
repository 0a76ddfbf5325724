"""Write settings files and keep backups: here, and as a program on a machine behind ssh.

There it runs by ``python3 -IS -c`` (3.8 or newer). Standard input: ``{"files": [{"path", "before", "after"}],
"backups": N, "remove": bool}``; ``before`` and ``after`` are text, or null for no file. Standard output, in the same
order: ``[{"backup", "error", "left", "changed"}]``. ``left``: all backups beside the file. ``changed``: another program
wrote the file at the same time, so plan the change again.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import stat
import sys
import tempfile
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK_WAIT = 5.0
"""Seconds to wait for another program that writes files into the same folder."""


class ChangedError(ValueError):
    """The file changed after the change was planned."""


def place(path: str, before: str | None, after: str | None, backups: int, remove: bool = False) -> str | None:
    """Write one file. Return the path of its backup, None if there is none. Raises ValueError, OSError.

    First makes the backup, then replaces the file atomically by one of the same mode and owner. Follows a symbolic
    link: replaces the file that it names, and keeps the link. Refuses a read-only file.

    ``remove``: an uninstall. If it leaves no file, or the exact bytes of a backup, no new backup is made, and that
    backup is removed.

    Waits while another program holds the folder's lock. Raises ChangedError if another program wrote the file.
    """
    real = os.path.realpath(path)
    now, old = read_existing(real)

    def check() -> None:  # also right before the write: agents write their settings at any time, and disks are slow
        if read_existing(real)[0] != before:
            raise ChangedError(path + " changed meanwhile: try again")

    check()
    if old is not None and not old.st_mode & 0o222:
        raise ValueError(path + ": is read-only. Allow writing (chmod u+w), or add by hand what --dry-run shows.")
    if after is not None:
        os.makedirs(os.path.dirname(real), mode=0o700, exist_ok=True)
    with lock_folder(os.path.dirname(real)):
        check()
        return put(path, after, (now, old), backups, remove, check)


def put(
    path: str, after: str | None, there: tuple[str | None, os.stat_result | None], backups: int, remove: bool,
    check: Callable[[], None],
) -> str | None:  # fmt: skip
    """Make the change. ``there``: the text and status of the file now. See ``place``."""
    real, (now, old) = os.path.realpath(path), there
    backup = None
    same = [one for one in list_backups(path) if remove and has_text(one, after)]
    if now is not None and old is not None and backups and not (remove and (same or after is None)):
        backup = free_name(real + time.strftime(".agtmux-backup-%Y%m%d-%H%M%S"))
        write(backup, now, old)
        for gone in list_backups(path)[:-backups]:
            os.unlink(gone)
    try:
        if after is not None:
            write(real, after, old, check)
        elif now is not None:
            check()
            os.unlink(real)
    except ChangedError:
        if backup is not None:
            os.unlink(backup)
        raise
    for one in same:
        os.unlink(one)
    return backup


@contextlib.contextmanager
def lock_folder(folder: str) -> Iterator[None]:
    """Lock the folder against other programs that write files into it. A lock on the folder leaves no file behind.

    Raises ValueError if the lock is not free within 5 s. Takes no lock on a file system without such locks.
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError:  # no folder, or not readable: the write itself reports that
        yield
        return
    deadline = time.monotonic() + LOCK_WAIT
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ValueError(folder + ": another program is changing files there. Try again later.") from None
                time.sleep(0.02)
            except OSError:
                break
        yield
    finally:
        os.close(fd)


def read_existing(path: str) -> tuple[str | None, os.stat_result | None]:
    """Return a file's text and status, (None, None) if there is no file. Raises ValueError, OSError."""
    if not os.path.exists(path):
        return None, None
    with open(open_regular(path), encoding="utf-8", newline="") as file:
        return file.read(), os.fstat(file.fileno())


def open_regular(path: str) -> int:
    """Open a regular file for reading, and return its descriptor. Never waits, not even for a pipe.

    Raises ValueError for anything but a regular file, OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ValueError(path + ": is not a regular file. Move it away, then run this again.")
    return fd


def list_backups(path: str) -> list[str]:
    """Return the backups beside a file, oldest first."""
    return sorted(glob.glob(glob.escape(os.path.realpath(path)) + ".agtmux-backup-*"))


def has_text(path: str, text: str | None) -> bool:
    """Return whether a file holds exactly this text."""
    if not os.path.isfile(path):
        return False
    with open(open_regular(path), "rb") as file:
        return text is not None and file.read() == text.encode("utf-8")


def free_name(name: str) -> str:
    """Return ``name``, with a number added if it is taken by a backup of the same second. Names sort by age."""
    number, free = 0, name
    while os.path.lexists(free):
        number += 1
        free = f"{name}-{number:02d}"
    return free


def write(path: str, text: str, like: os.stat_result | None, check: Callable[[], None] = lambda: None) -> None:
    """Write a temporary file beside ``path``, then rename it. ``like`` gives mode and owner; without it mode 0600.

    Raises ValueError if the folder cannot be written to or the file would change its owner, and whatever ``check``
    raises right before the rename.
    """
    folder = os.path.dirname(path)
    try:
        fd, name = tempfile.mkstemp(dir=folder, prefix="." + os.path.basename(path) + ".")
    except OSError as error:
        why = f"{folder} cannot be written to ({error.strerror}). Allow it, or add by hand what --dry-run shows."
        raise ValueError(why) from error
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if like is not None:
            made = os.stat(name)
            if made.st_uid != like.st_uid:
                change_owner(name, path, like.st_uid)
            if made.st_gid != like.st_gid:
                with contextlib.suppress(PermissionError):  # a user can only set groups that they are in
                    os.chown(name, -1, like.st_gid)
            os.chmod(name, stat.S_IMODE(like.st_mode))
        check()
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def change_owner(name: str, path: str, owner: int) -> None:
    """Give the new file to ``owner``. Raises ValueError if only root may do that."""
    try:
        os.chown(name, owner, -1)
    except PermissionError as error:
        raise ValueError(f"{path}: belongs to another user (uid {owner}): run this as that user.") from error


def main() -> None:
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    out = []
    for one in asked["files"]:
        try:
            backup = place(one["path"], one["before"], one["after"], asked["backups"], asked.get("remove", False))
            out.append({"backup": backup, "error": None, "left": list_backups(one["path"]), "changed": False})
        except (ValueError, OSError) as error:
            changed = isinstance(error, ChangedError)
            out.append({"backup": None, "error": str(error), "left": [], "changed": changed})
    sys.stdout.write(json.dumps(out))


if __name__ == "__main__":
    main()
