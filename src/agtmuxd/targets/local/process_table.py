"""Read and parse a machine's process table: Linux's ``/proc``, and the output of ``ps`` elsewhere.

Owns both formats. Knows no agent and no pane. Reads files of ``/proc``, and starts no program. A process that ends
during the read is left out; that is no error.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from agtmuxd.core.model import Proc
from agtmuxd.core.numbers import whole

PS_ARGV: Final = ("ps", "-axo", "pid=,ppid=,pgid=,tpgid=,tty=,stat=,lstart=,args=")
"""Command line for systems without ``/proc``. Run it with LC_TIME=C."""

TICKS_MOST: Final = 10**13
"""More ticks than any machine has been up for."""
_KERNEL_THREAD: Final = 0x00200000
_MAX_ARGV: Final = 128 * 1024
_NO_TTY: Final = frozenset({"?", "??", "-"})
_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SPACE: Final = re.compile(r"pid:\[[0-9]{1,20}\]")


def have_proc() -> bool:
    """Return whether this machine has Linux's ``/proc``."""
    return Path("/proc/self/stat").exists()


def read_table() -> list[Proc]:
    """Return all processes of this machine except kernel threads, without argv. Linux."""
    with os.scandir("/proc") as entries:
        read = [parse_stat(_read(f"{entry.path}/stat")) for entry in entries if entry.name.isdigit()]
    return [proc for proc in read if proc is not None]


def read_one(pid: int) -> Proc | None:
    """Return one process, None if it is gone (a zombie is returned, with state Z). Linux."""
    return parse_stat(_read(f"/proc/{pid}/stat"))


def read_argv(pid: int, start: str) -> tuple[str, ...] | None:
    """Return the command line of a process, None if it has ended. Linux.

    Empty during an exec: do not store it, read again.
    """
    data = _read(f"/proc/{pid}/cmdline", _MAX_ARGV)
    return split_argv(data) if _still_runs(pid, start) else None


def read_environ(pid: int, start: str, names: Iterable[str]) -> dict[str, str]:
    """Return the named variables of a process's start environment; empty if it is gone or another user's. Linux."""
    data = _read(f"/proc/{pid}/environ", 1024 * 1024)
    return pick_environ(data, names) if data and _still_runs(pid, start) else {}


def read_cwd(pid: int) -> str | None:
    """Return a process's working folder, None if it is gone or another user's. Linux."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return None


def read_open(pid: int) -> list[str]:
    """Return the paths of a process's open files; none if it is gone or another user's. Linux."""
    folder = f"/proc/{pid}/fd"
    found = []
    try:
        for name in os.listdir(folder):  # noqa: PTH208 every agent's, again and again
            with contextlib.suppress(OSError):  # closed since it was listed
                link = os.readlink(f"{folder}/{name}")  # noqa: PTH115
                if link.startswith("/"):
                    found.append(link)
    except OSError:
        return []
    return found


def count_open(pid: int) -> int:
    """Return the number of a process's open files; 0 before Linux 6.2, or if the process is gone."""
    try:
        return os.stat(f"/proc/{pid}/fd").st_size  # noqa: PTH116 every agent's, again and again
    except OSError:
        return 0


def read_children(pid: int, root: str = "/proc") -> list[int] | None:
    """Return the children of a process, oldest first; None if it is gone or this kernel does not list them. Linux."""
    listed = read_whole(f"{root}/{pid}/task/{pid}/children")
    return None if listed is None else [int(word) for word in listed.split()]


def read_comm(pid: int, root: str = "/proc") -> bytes:
    """Return the name of a process's program, empty if it is gone. Linux."""
    return read_whole(f"{root}/{pid}/comm") or b""


def read_sockets(most: int) -> bytes | None:
    """Return the first ``most`` bytes of the table of Unix sockets, None if there is no table. Linux."""
    try:
        with open("/proc/net/unix", "rb") as file:
            return file.read(most)
    except OSError:
        return None


def read_identity(root: str = "/proc") -> str | None:
    """Return a text that is unique to this boot of this machine and this pid namespace. Linux."""
    boot = (read_whole(f"{root}/sys/kernel/random/boot_id") or b"").decode("ascii", "replace").strip()
    try:
        space = os.readlink(f"{root}/self/ns/pid")  # noqa: PTH115
    except OSError:
        return None
    return identity_of(boot, space)


def identity_of(boot: str, space: str) -> str | None:
    """Return that text from a boot id and a pid namespace as Linux writes them, None for other texts."""
    known = _BOOT_ID.fullmatch(boot) and _SPACE.fullmatch(space)
    return f"{boot} {space}" if known else None


def read_whole(path: str) -> bytes | None:
    """Return a small file of ``/proc``, None if it is gone or may not be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return read_up_to(fd, 65536)
    except OSError:
        return None
    finally:
        os.close(fd)


def split_argv(data: bytes) -> tuple[str, ...]:
    """Split the content of ``/proc/PID/cmdline``. A program that rewrote its title may have left only one word."""
    return tuple(os.fsdecode(data).rstrip("\0").split("\0")) if data else ()


def pick_environ(data: bytes, names: Iterable[str]) -> dict[str, str]:
    """Return the named variables from the content of ``/proc/PID/environ``."""
    wanted = frozenset(names)
    pairs = (entry.partition("=") for entry in os.fsdecode(data).split("\0"))
    return {name: value for name, sep, value in pairs if sep and name in wanted}


def parse_stat(data: bytes) -> Proc | None:
    """Parse one ``/proc/PID/stat``. None for a kernel thread or any other text."""
    left = data.find(b"(")
    right = data.rfind(b")")  # the name may hold parentheses, blanks, anything
    if left < 0 or right < 0:
        return None
    rest = data[right + 2 :].split()
    try:
        if int(rest[6][:20]) & _KERNEL_THREAD:
            return None
        start = rest[19].decode("ascii")
        whole(start, "start", most=TICKS_MOST)
        return Proc(
            pid=_pid(data[:left]), ppid=_pid(rest[1]), pgid=_pid(rest[2]), tpgid=_pid(rest[5]), tty=_pid(rest[4]),
            state=rest[0].decode("ascii"), start=start, comm=os.fsdecode(data[left + 1 : right]),
        )  # fmt: skip
    except (IndexError, ValueError):
        return None


def _pid(word: bytes | str) -> int:
    """Parse a pid, negative ones included: -1 means none. Raises ValueError for any other text."""
    text = word.decode("ascii").strip() if isinstance(word, bytes) else word
    return -whole(text[1:], "a pid") if text.startswith("-") else whole(text, "a pid")


def parse_ps(text: str) -> list[Proc]:
    """Parse the output of ``PS_ARGV``. ``argv`` is split at blanks. Lines in another form are left out."""
    return [proc for proc in map(_parse_ps_line, text.splitlines()) if proc is not None]


def _parse_ps_line(line: str) -> Proc | None:
    words: Sequence[str] = line.split(None, 11)
    if len(words) < 11:
        return None
    try:
        pid, ppid, pgid, tpgid = map(_pid, words[:4])
    except ValueError:
        return None
    tty, state = words[4:6]
    argv = tuple(words[11].split()) if len(words) > 11 else ()
    return Proc(
        pid=pid, ppid=ppid, pgid=pgid, tpgid=tpgid if tpgid > 0 else -1,
        tty=0 if tty in _NO_TTY else zlib.crc32(tty.encode()) or 1,  # only ever compared
        state=state[:1], start=" ".join(words[6:11]),
        comm=argv[0].lstrip("-").rpartition("/")[2] if argv else "", argv=argv,
    )  # fmt: skip


def _still_runs(pid: int, start: str) -> bool:
    """Return, after a read, whether the process still runs. Then it also ran during the read."""
    proc = read_one(pid)
    return proc is not None and proc.start == start


def read_up_to(fd: int, size: int) -> bytes:
    """Return the first ``size`` bytes of an open file. Files of ``/proc`` come in pieces. Raises OSError."""
    first = os.read(fd, size)
    pieces = [first]
    left = size - len(first)
    while left > 0 and (more := os.read(fd, left)):
        pieces.append(more)
        left -= len(more)
    return b"".join(pieces)


def _read(path: str, size: int = 4096) -> bytes:
    """Return up to ``size`` bytes of a file of ``/proc``; empty if it is gone or may not be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, size) if size <= 4096 else read_up_to(fd, size)  # a stat is one read: there are many
    except OSError:
        return b""
    finally:
        os.close(fd)
