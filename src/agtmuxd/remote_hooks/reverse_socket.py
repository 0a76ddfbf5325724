"""Open a socket on a machine behind ssh that leads to this daemon, and write the file by which hooks find it.

Owns the socket, its folder and this daemon's supervisor file there. Reads the clock there. Nothing is written on a
machine without an installed hook program: ``link`` checks that first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Final

import asyncssh

from agtmuxd.remote_hooks import install_program
from agtmuxd.remote_hooks.clock_offset import read_clock
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.commands import first_line
from agtmuxd.targets.ssh.executor import SshExecutor

_READINGS: Final = 3

_OPEN: Final = rf"""
umask 077
s=$HOME/{install_program.STATE}
mkdir -p "$s" && chmod 700 "$s" || exit 1
old=
[ -f "$s/$1.supervisor" ] && read -r old <"$s/$1.supervisor"
case $old in */agtmux-*/s) rm -f "$old"; rmdir "${{old%/s}}" 2>/dev/null;; esac
for b in "$XDG_RUNTIME_DIR" "${{TMPDIR:-/tmp}}" /tmp; do
  [ -n "$b" ] && [ "${{#b}}" -lt 70 ] && mktemp -d "$b/agtmux-XXXXXXXXXX" 2>/dev/null && exit 0
done
exit 1
"""
"""``sh -c OPEN sh ID``: make a new folder for the socket, and remove what an earlier connection left."""

_PLACED: Final = f"""
[ -f "$HOME/{install_program.FOLDER}/{install_program.NAME}" ] && echo yes
exit 0
"""

_POINT: Final = rf"""
umask 077
cd "$HOME/{install_program.STATE}" || exit 1
printf '%s\n' "$2" >"$1.supervisor.new" && mv -f "$1.supervisor.new" "$1.supervisor" && rm -f "$1.hung"
"""

_UNPOINT: Final = rf"""
umask 077
cd "$HOME/{install_program.STATE}" || exit 0
: >"$1.supervisor"
case $2 in */agtmux-*/s) rm -f "$2"; rmdir "${{2%/s}}" 2>/dev/null;; esac
exit 0
"""
"""The supervisor file stays, empty: from now on hooks spool events for this daemon."""

_WRITE_PATTERNS: Final = rf"""
umask 077
cd "$HOME/{install_program.STATE}" || exit 1
printf '%s\n' "$2" >"$1.patterns.json.new" && mv -f "$1.patterns.json.new" "$1.patterns.json"
"""
"""``sh -c _WRITE_PATTERNS sh ID JSON``: write the patterns that hooks there redact before they spool an event."""

_FORGET: Final = rf"""
cd "$HOME/{install_program.STATE}" || exit 0
case $2 in */agtmux-*/s) rm -f "$2"; rmdir "${{2%/s}}" 2>/dev/null;; esac
rm -f "$1.supervisor" "$1.supervisor.new" "$1.hung" "$1.patterns.json" "$1.patterns.json.new" "$1".spool.jsonl*
rmdir "$HOME/{install_program.STATE}" 2>/dev/null
exit 0
"""


class ReverseSocket:
    """The socket of one daemon on one machine. ``name`` begins the names of this daemon's files there."""

    def __init__(self, executor: SshExecutor, name: str, socket: str, timeout: float) -> None:
        """``socket``: the listener on this side; ``timeout``: seconds for each command there."""
        self._executor = executor
        self._name = name
        self._socket = socket
        self._timeout = timeout
        self._conn: asyncssh.SSHClientConnection | None = None
        self._listener: asyncssh.SSHListener | None = None
        self._there = ""
        self._sent_patterns: tuple[str, ...] | None = None  # not known: an earlier daemon may have left some
        self.was_open = False
        """Whether files of this daemon are there."""

    @property
    def is_open(self) -> bool:
        return self._conn is not None and not self._conn.is_closed()

    async def is_installed(self) -> bool:
        """Return whether the hook program is installed there. Raises ExecutorError."""
        return bool((await self._script(_PLACED)).strip())

    async def open(self) -> None:
        """Make the socket there, and write its path to the supervisor file. Raises ExecutorError."""
        folder = (await self._script(_OPEN, self._name)).strip()
        there = self._there = f"{folder}/s"
        self.was_open = True
        conn = await self._executor.link.connection()
        try:
            async with asyncio.timeout(self._timeout):
                self._listener = await conn.forward_remote_path(there, self._socket)
        except TimeoutError as error:
            raise ExecutorError("timeout", f"the forwarded socket did not appear within {self._timeout:g} s") from error
        except (asyncssh.Error, asyncssh.ChannelListenError, OSError) as error:
            await self._script(_UNPOINT, self._name, there)  # so hooks spool, and the daemon fetches the spool
            raise ExecutorError(
                "refused",
                f"{self._executor.alias} does not forward sockets: allow AllowStreamLocalForwarding in its sshd_config",
            ) from error
        await self._script(_POINT, self._name, there)
        self._conn = conn

    async def send_patterns(self, patterns: Sequence[str]) -> None:
        """Write the patterns that hooks there redact before they spool an event. Raises ExecutorError."""
        known = self._sent_patterns if self.was_open else self._sent_patterns or ()
        if tuple(patterns) != known:
            await self._script(_WRITE_PATTERNS, self._name, json.dumps(list(patterns)))
            self._sent_patterns = tuple(patterns)

    async def close(self, *, forget: bool) -> None:
        """Remove the socket. ``forget``: also remove all files of this daemon there. Raises ExecutorError."""
        if self._listener is not None:
            self._listener.close()
        self._conn = self._listener = None
        self._sent_patterns = None
        self.was_open = False
        await self._script(_FORGET if forget else _UNPOINT, self._name, self._there)

    async def offset(self, clock: Callable[[], int]) -> int:
        """Return the clock there minus ours in ns, by the quickest of three readings. Raises ExecutorError."""
        best: tuple[int, int] | None = None
        for _ in range(_READINGS):
            before = clock()
            done = await self._executor.run(["date", "+%s%N"], timeout=self._timeout)
            after = clock()
            there = read_clock(done.stdout)
            if there is None:
                raise ExecutorError(
                    "refused", f"the clock of {self._executor.alias} cannot be read: {first_line(done)}"
                )
            reading = (after - before, there - (before + after) // 2)
            best = reading if best is None else min(best, reading)
        assert best is not None  # noqa: S101 there was a reading
        return best[1]

    async def _script(self, script: str, *arguments: str) -> str:
        done = await self._executor.run(["sh", "-c", script, "sh", *arguments], timeout=self._timeout)
        if done.returncode != 0:
            raise ExecutorError("refused", f"{self._executor.alias}: {first_line(done)}")
        return done.stdout.decode("utf-8", "surrogateescape")
