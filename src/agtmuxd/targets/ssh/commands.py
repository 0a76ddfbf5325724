"""Build the commands for a remote machine's shell, and parse its answers. Pure: sends nothing.

Owns the scripts that read a remote process table, files and environments, and the loop that runs them. Knows no
connection and no agent. Tested against a real sshd with several login shells.

``agtmux.protocol.remote_shell`` quotes a script for the user's login shell, which can be any shell. Login shells are
slow (their rc files run for every command) and may print other text. So the script is mostly a loop that stays and runs
one line each (``call``). Each answer stands between two marks that cannot be guessed, and all other output is dropped.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agtmux.protocol.remote_shell import USUAL_PLACES, encode, program_word, quote_script
from agtmuxd.core.model import Proc
from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.targets.limits import DROPPED_MOST
from agtmuxd.targets.local import process_table

_PREPARE: Final = (
    "unset TMUX TMUX_PANE LC_ALL TMOUT\n"
    f"PATH=$PATH:{USUAL_PLACES} LC_CTYPE=C.UTF-8 LC_TIME=C LC_MESSAGES=C\n"
    "export PATH LC_CTYPE LC_TIME LC_MESSAGES\n"
    "t=; command -v timeout >/dev/null 2>&1 && t='timeout -s KILL'\n"
)
"""``timeout`` ends late programs there, if it is installed. The daemon never kills them by pid: the pid may belong to
another process by then, and procps 4.0.2 applies ``kill -KILL -123`` to *every* process.
"""
_LOOP: Final = 'while IFS= read -r c; do eval "$c"; done'
_NOISE_KEPT: Final = 4096
_STATUS_MOST: Final = 16
NOT_FOUND: Final = "-"
"""Printed instead of an exit status if the program does not exist."""

TABLE: Final = r"""
read -r m
if [ -r /proc/self/stat ]; then
  cd /proc || exit 1
  printf '%sL\n%s\n' "$m" "$HOME"
  cat uptime
  cat sys/kernel/random/boot_id 2>/dev/null || echo
  readlink self/ns/pid 2>/dev/null || echo
  printf %s "$m"
  cat [0-9]*/stat 2>/dev/null
  printf %s "$m"
  if grep -azH '' self/cmdline >/dev/null 2>&1; then
    grep -azH '' [0-9]*/cmdline 2>/dev/null
  else
    for p in [0-9]*; do printf '%s%s/cmdline:' "$m" "$p"; cat "$p/cmdline" 2>/dev/null; done
  fi
  printf '%se' "$m"
else
  printf '%sP\n%s\n%s' "$m" "$HOME" "$m"
  ps -axo pid=,ppid=,pgid=,tpgid=,tty=,stat=,lstart=,args=
  printf '%se' "$m"
fi
"""
"""``sh -c TABLE``: print every process with its command line, all at once. See ``parse_table``.

The marker comes on standard input, as for the other scripts: on a command line it would be in the table itself.
"""

FILES: Final = r"""
read -r m
n=$1
shift
r=
for f do
  shift
  if [ ! -e "$f" ]; then r=${r}n; elif [ -f "$f" ] && [ -r "$f" ]; then r=${r}f; set -- "$@" "$f"; else r=${r}x; fi
done
printf '%s%s%s' "$m" "$r" "$m"
if [ $# -gt 0 ]; then
  { [ "$n" = all ] && { grep -azH '' -- "$@" 2>/dev/null || [ $? -eq 1 ]; }; } ||
  for f do
    printf '%s%s%s' "$m" "$f" "$m"
    if [ "$n" = all ]; then cat "$f"; else head -c "$n" "$f"; fi 2>/dev/null
  done
fi
printf '%se' "$m"
"""
"""``sh -c FILES sh MAX_BYTES|all PATH...``: print the beginning of each, or all of each by one process.

See ``parse_files``.
"""

ENVIRON: Final = r"""
read -r m
names=$1
shift
for p do
  printf '%s%s%s' "$m" "$p" "$m"
  tr '\000\012' '\012\040' 2>/dev/null <"/proc/$p/environ" | grep -aE "^($names)="
  printf %s "$m"
  cat "/proc/$p/stat" 2>/dev/null
done
printf '%se' "$m"
"""
"""``sh -c ENVIRON sh 'A|B' PID...``: print the named variables; no others leave the machine. See ``parse_environ``."""


UPTIME_MOST: Final = 3e9
"""Seconds. No machine has been up for so long."""


@dataclass(frozen=True, slots=True)
class Table:
    """All processes of a remote machine, its home folder and its uptime (s, None if not known).

    ``identity``: see ``Machine``.
    """

    procs: tuple[Proc, ...]
    home: str
    uptime: float | None
    identity: str | None = None


def loop() -> str:
    """Return the exec string of a shell that stays and runs ``call`` lines."""
    return quote_script(_PREPARE + _LOOP)


def call(argv: Sequence[str], stdin: bytes, nonce: str, seconds: float) -> bytes:
    """Return the line that makes the loop run one program and print ``<nonce>b output <nonce>e status newline``.

    Standard error has the same form without the status. The program is killed some time after ``seconds``. Raises
    ValueError for a NUL in ``argv``.
    """
    script = _guarded(argv, stdin, nonce, seconds)
    if not (script.isascii() and script.isprintable()):
        script = f"""eval "$(printf %b '{encode(script)}')\""""
    return f"{script}\n".encode("ascii")


def once(argv: Sequence[str], nonce: str, seconds: float) -> str:
    """Return the exec string that runs one program with the channel's standard input. It prints as for ``call``."""
    return quote_script(_PREPARE + _guarded(argv, None, nonce, seconds))


def _guarded(argv: Sequence[str], stdin: bytes | None, nonce: str, seconds: float) -> str:
    if any("\0" in argument for argument in argv):
        raise ValueError("an argument cannot hold a NUL")
    program = argv[0]
    word = program_word(program)
    run = f"(exec ${{t:+$t {math.ceil(seconds) + 1}}} {' '.join([word, *map(shlex.quote, argv[1:])])})"
    if stdin:
        run = f"printf %b '{encode(stdin)}' | {run}"
    elif stdin is not None:
        run += " </dev/null"
    return (
        f"printf %s {nonce}b; printf %s {nonce}b >&2; "
        f"if command -v {word} >/dev/null 2>&1; then {run}; r=$?; else r={NOT_FOUND}; fi; "
        f"printf '%s%s\\n' {nonce}e $r; printf %s {nonce}e >&2"
    )


class Answer:
    """Collect one stream of an answer: the bytes between its marks, at most ``most``."""

    def __init__(self, nonce: str, most: int, *, main: bool) -> None:
        """``main``: this is standard output, which also has the exit status."""
        self._begin, self._end = f"{nonce}b".encode(), f"{nonce}e".encode()
        self._main = main
        self._room = most
        self._pieces: list[bytes] = []
        self._pending = b""  # may be the first part of a mark
        self._begun = False
        self._ended = False
        self._noise = b""
        self._dropped = 0
        self.truncated = False
        self.status: str | None = None

    @property
    def complete(self) -> bool:
        return self._ended and (self.status is not None or not self._main)

    @property
    def noise(self) -> bytes:
        """The last bytes that came instead of an answer."""
        return b"" if self._begun else self._noise + self._pending

    @property
    def output(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def endless(self) -> bool:
        """Whether more bytes were dropped than ``DROPPED_MOST``, so that the program has to be given up."""
        return self._dropped > DROPPED_MOST

    def feed(self, data: bytes) -> None:
        if self.complete:
            self._dropped += len(data)
            return
        data = self._pending + data
        if not self._begun:
            _, found, after = data.partition(self._begin)
            if not found:
                cut = max(0, len(data) - len(self._begin))
                self._dropped += cut
                self._noise = (self._noise + data[:cut])[-_NOISE_KEPT:]
                self._pending = data[cut:]
                return
            self._begun = True
            data = after
        if not self._ended:
            text, found, after = data.partition(self._end)
            self._ended = bool(found)
            keep = 0 if found else min(len(self._end), len(text))
            self._take(text[: len(text) - keep])
            data = after if found else text[len(text) - keep :]
        self._pending = data
        if self._ended:
            line, found, _ = data.partition(b"\n")
            if self._main and (found or len(line) > _STATUS_MOST):
                self.status = line[:_STATUS_MOST].decode("ascii", "replace")
            self._pending = line[: _STATUS_MOST + 1]

    def _take(self, data: bytes) -> None:
        if len(data) > self._room:
            self.truncated = True
            self._dropped += len(data) - self._room
        self._pieces.append(data[: self._room])
        self._room -= len(self._pieces[-1])


def parse_table(done: ProgramResult, marker: str) -> Table:
    """Parse the output of ``TABLE``. Raises ExecutorError if it is incomplete."""
    mark = marker.encode()
    parts = done.stdout.split(mark)
    if done.truncated or len(parts) < 4 or parts[-1] != b"e" or b"\n" not in parts[1]:
        raise ExecutorError("lost", f"the process table is incomplete: {first_line(done)}")
    kind, home, *more = os.fsdecode(parts[1]).split("\n")
    if kind == "P":
        return Table(tuple(process_table.parse_ps(os.fsdecode(parts[2]))), home, None)
    argvs = _argvs(parts[3:-1])
    found = [process_table.parse_stat(line) for line in parts[2].split(b"\n") if line]
    procs = [proc for proc in found if proc is not None]
    if not procs:
        raise ExecutorError("lost", "the remote machine listed no processes")
    uptime, boot, space = (*more, "", "", "")[:3]
    identity = process_table.identity_of(boot.strip(), space.strip())
    return Table(tuple([_with_argv(proc, argvs) for proc in procs]), home, _number(uptime), identity)


def _with_argv(proc: Proc, argvs: Mapping[int, tuple[str, ...]]) -> Proc:
    return Proc(
        pid=proc.pid, ppid=proc.ppid, pgid=proc.pgid, tpgid=proc.tpgid, tty=proc.tty, state=proc.state,
        start=proc.start, comm=proc.comm, argv=argvs.get(proc.pid, ()),
    )  # fmt: skip


def _is_pid(name: bytes) -> bool:
    return name.isdigit() and len(name) <= 10


def _argvs(parts: Sequence[bytes]) -> dict[int, tuple[str, ...]]:
    """Return command lines by pid. ``parts``: grep's output, each argument after its file's name; or one part per
    process, after the name."""
    words: dict[int, list[bytes]] = {}
    if len(parts) == 1:
        for record in parts[0].split(b"\0"):
            name, found, word = record.partition(b"/cmdline:")
            if found and _is_pid(name):
                words.setdefault(int(name), []).append(word)
        return {pid: process_table.split_argv(b"\0".join(those)) for pid, those in words.items()}
    out = {}
    for part in parts:
        name, found, data = part.partition(b"/cmdline:")
        if found and _is_pid(name):
            out[int(name)] = process_table.split_argv(data)
    return out


def parse_files(done: ProgramResult, marker: str, paths: Sequence[str]) -> dict[str, bytes | None]:
    """Parse the output of ``FILES``: contents by path, None for a missing file, left out if it may not be read.

    With ``all``, a NUL at the end of a file is lost. Raises ExecutorError if the output is incomplete.
    """
    parts = done.stdout.split(marker.encode())
    letters = parts[1].decode("ascii", "replace") if len(parts) > 1 else ""
    if done.truncated or len(parts) < 4 or len(parts) % 2 or parts[-1] != b"e" or len(letters) != len(paths):
        raise ExecutorError("lost", f"the files are incomplete: {first_line(done)}")
    kinds = dict(zip(paths, letters, strict=True))
    there = _records(parts[2], [path for path, kind in kinds.items() if kind == "f"])
    there |= {os.fsdecode(path): data for path, data in zip(parts[3:-1:2], parts[4:-1:2], strict=True)}
    return {path: there.get(path, b"") if kind == "f" else None for path, kind in kinds.items() if kind in "fn"}


def _records(data: bytes, paths: Sequence[str]) -> dict[str, bytes]:
    """Parse grep's output for these files, in their order: each piece up to a NUL follows its file's name."""
    found: dict[str, list[bytes]] = {}
    left = [(path, os.fsencode(path) + b":") for path in paths]
    for record in data.removesuffix(b"\0").split(b"\0") if data else ():
        while left and not record.startswith(left[0][1]):
            left.pop(0)
        if left:
            found.setdefault(left[0][0], []).append(record[len(left[0][1]) :])
    return {path: b"\0".join(pieces) for path, pieces in found.items()}


def parse_environ(done: ProgramResult, marker: str, wanted: Iterable[tuple[int, str]]) -> dict[int, dict[str, str]]:
    """Parse the output of ``ENVIRON``: variables by pid. Leaves out a process whose start differs now.

    Raises ExecutorError if the output is incomplete.
    """
    parts = done.stdout.split(marker.encode())
    if done.truncated or parts[-1] != b"e" or len(parts) % 3 != 2:
        raise ExecutorError("lost", f"the environments are incomplete: {first_line(done)}")
    starts = dict(wanted)
    out: dict[int, dict[str, str]] = {}
    for pid, variables, stat in zip(parts[1:-1:3], parts[2:-1:3], parts[3:-1:3], strict=True):
        proc = process_table.parse_stat(stat)
        if proc is None or not _is_pid(pid) or proc.pid != int(pid) or starts.get(proc.pid) != proc.start:
            continue
        pairs = (line.partition("=") for line in os.fsdecode(variables).split("\n"))
        out[proc.pid] = {name: value for name, sep, value in pairs if sep}
    return out


def first_line(done: ProgramResult) -> str:
    """Return the first line that a failed command printed, for a message."""
    text = (done.stderr or done.stdout).decode("utf-8", "replace").strip().partition("\n")[0]
    return text[:200] or f"it printed nothing (exit status {done.returncode})"


def _number(text: str) -> float | None:
    """Parse an uptime in seconds. None for anything that cannot be one."""
    try:
        read = float(text.split()[0])
    except (IndexError, ValueError):
        return None
    return read if 0 <= read < UPTIME_MOST else None
