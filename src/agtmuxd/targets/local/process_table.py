"""Reading a machine's process table: Linux's ``/proc``, and the output of ``ps`` elsewhere.

Owns the two formats and what stands in them. Knows no agent and no pane; reads files of ``/proc``, starts nothing.
A process that vanishes meanwhile is left out, never an error.
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
"""For systems without ``/proc``. Run with LC_TIME=C."""

TICKS_MOST: Final = 10**13
"""More ticks than any machine has been up for."""
_KERNEL_THREAD: Final = 0x00200000
_MAX_ARGV: Final = 128 * 1024
_NO_TTY: Final = frozenset({"?", "??", "-"})
_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SPACE: Final = re.compile(r"pid:\[[0-9]{1,20}\]")


def have_proc() -> bool:
    """Whether this machine tells of its processes in ``/proc`` as Linux does."""
    return Path("/proc/self/stat").exists()


def read_table() -> list[Proc]:
    """All processes of this machine but kernel threads, without argv. Linux."""
    with os.scandir("/proc") as entries:
        read = [parse_stat(_read(f"{entry.path}/stat")) for entry in entries if entry.name.isdigit()]
    return [proc for proc in read if proc is not None]


def read_one(pid: int) -> Proc | None:
    """One process, None when it is gone (a zombie is still there, with state Z). Linux."""
    return parse_stat(_read(f"/proc/{pid}/stat"))


def read_argv(pid: int, start: str) -> tuple[str, ...] | None:
    """The command line of that life of a process, None when it is over. Linux.

    Empty while the process is in the middle of an exec: not to be remembered, ask again.
    """
    data = _read(f"/proc/{pid}/cmdline", _MAX_ARGV)
    return split_argv(data) if _still(pid, start) else None


def read_environ(pid: int, start: str, names: Iterable[str]) -> dict[str, str]:
    """Those of the named variables that the process was started with; empty where it is gone or not ours. Linux."""
    data = _read(f"/proc/{pid}/environ", 1024 * 1024)
    return pick_environ(data, names) if data and _still(pid, start) else {}


def read_cwd(pid: int) -> str | None:
    """The folder that a process works in; None where it is gone or not ours. Linux."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return None


def read_open(pid: int) -> list[str]:
    """The paths of the files that a process holds open; none where it is gone or not ours. Linux."""
    folder = f"/proc/{pid}/fd"
    found = []
    try:
        for name in os.listdir(folder):  # noqa: PTH208 every agent's, again and again
            with contextlib.suppress(OSError):  # closed meanwhile
                link = os.readlink(f"{folder}/{name}")  # noqa: PTH115
                if link.startswith("/"):
                    found.append(link)
    except OSError:
        return []
    return found


def count_open(pid: int) -> int:
    """How many files a process holds open; 0 where this kernel does not tell, or the process is gone. Linux 6.2."""
    try:
        return os.stat(f"/proc/{pid}/fd").st_size  # noqa: PTH116 every agent's, again and again
    except OSError:
        return 0


def read_children(pid: int, root: str = "/proc") -> list[int] | None:
    """The children of a process, oldest first; None where it is gone or this kernel lists none. Linux."""
    listed = read_whole(f"{root}/{pid}/task/{pid}/children")
    return None if listed is None else [int(word) for word in listed.split()]


def read_comm(pid: int, root: str = "/proc") -> bytes:
    """The name of a process's program; empty where it is gone. Linux."""
    return read_whole(f"{root}/{pid}/comm") or b""


def read_sockets(most: int) -> bytes | None:
    """The table of this machine's Unix sockets, its first ``most`` bytes; None where there is none. Linux."""
    try:
        with open("/proc/net/unix", "rb") as file:
            return file.read(most)
    except OSError:
        return None


def read_identity(root: str = "/proc") -> str | None:
    """What tells this start of this machine and this space of process numbers from all others. Linux."""
    boot = (read_whole(f"{root}/sys/kernel/random/boot_id") or b"").decode("ascii", "replace").strip()
    try:
        space = os.readlink(f"{root}/self/ns/pid")  # noqa: PTH115
    except OSError:
        return None
    return identity_of(boot, space)


def identity_of(boot: str, space: str) -> str | None:
    """The same of two lines that are as Linux writes them; None for anything else."""
    known = _BOOT_ID.fullmatch(boot) and _SPACE.fullmatch(space)
    return f"{boot} {space}" if known else None


def read_whole(path: str) -> bytes | None:
    """A small file of ``/proc``; None where it is gone or may not be read."""
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
    """The content of ``/proc/PID/cmdline``. A program that rewrote its title may have made one word of it."""
    return tuple(os.fsdecode(data).rstrip("\0").split("\0")) if data else ()


def pick_environ(data: bytes, names: Iterable[str]) -> dict[str, str]:
    """The named variables of a ``/proc/PID/environ``."""
    wanted = frozenset(names)
    pairs = (entry.partition("=") for entry in os.fsdecode(data).split("\0"))
    return {name: value for name, sep, value in pairs if sep and name in wanted}


def parse_stat(data: bytes) -> Proc | None:
    """One ``/proc/PID/stat``. None for a kernel thread or anything that is not such a line."""
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
    """A number of a process as the system has them, -1 for none. Raises ValueError for any other."""
    text = word.decode("ascii").strip() if isinstance(word, bytes) else word
    return -whole(text[1:], "a pid") if text.startswith("-") else whole(text, "a pid")


def parse_ps(text: str) -> list[Proc]:
    """The output of ``PS_ARGV``. ``argv`` is cut at blanks, as ps prints it; lines not understood are left out."""
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


def _still(pid: int, start: str) -> bool:
    """Asked after a read: a process that is still there was there all along."""
    proc = read_one(pid)
    return proc is not None and proc.start == start


def read_up_to(fd: int, size: int) -> bytes:
    """The first ``size`` bytes of an open file; files of ``/proc`` come in pieces. Raises OSError."""
    first = os.read(fd, size)
    pieces = [first]
    left = size - len(first)
    while left > 0 and (more := os.read(fd, left)):
        pieces.append(more)
        left -= len(more)
    return b"".join(pieces)


def _read(path: str, size: int = 4096) -> bytes:
    """What a file of ``/proc`` holds, up to ``size`` bytes; nothing where it is gone or may not be read."""
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
