"""What hooks on another machine wrote down while nobody was connected: fetched once, in order, in bounded pieces.

Owns the taking over by rename there and the place reached in it. Lines are read as those of the spool here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from agtmuxd.ingest.spool import BATCH, SpoolCounts, Take, forget, ingest_events, parse_line, read_offset, save_offset
from agtmuxd.remote_hooks import install_program
from agtmuxd.store.db import Store
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.commands import first_line
from agtmuxd.targets.ssh.executor import SshExecutor

BURST: Final = 64 * 1024 * 1024
"""Bytes that are fetched at once: what the hook program lets a spool grow to."""
FILES: Final = 64
"""Files of one spool that are looked at at once."""
LINE: Final = 256
"""Bytes that a line counts for at least: each costs the daemon something."""
PIECE: Final = 1_500_000
"""Bytes fetched at once; longer than any line that the hook program writes."""
_SECONDS: Final = 30.0

_TAKE: Final = rf"""
cd "$HOME/{install_program.STATE}" 2>/dev/null || exit 0
[ -s "$1.spool.jsonl" ] && mv "$1.spool.jsonl" "$1.spool.jsonl.drain-$2"
for f in "$1".spool.jsonl.drain-*; do [ -f "$f" ] && printf '%s\n' "$f"; done
exit 0
"""
_READ: Final = rf"""cd "$HOME/{install_program.STATE}" && tail -c "+$2" "$1" | head -c "$3" """
_DROP: Final = rf"""cd "$HOME/{install_program.STATE}" && rm -f "$1" """


class ByteBudget:
    """How many bytes may be fetched now: ``rate`` a second in the long run, ``BURST`` at once."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._now = rate, now
        self._left, self._at = float(BURST), now()

    def is_left(self) -> bool:
        at = self._now()
        self._left = min(float(BURST), self._left + (at - self._at) * self._rate)
        self._at = at
        return self._left > 0

    def spend(self, size: int) -> None:
        """Bytes that were fetched; more than is left keeps the next ones waiting for longer."""
        self._left -= size


class RemoteSpool:
    """Drains the spool that one machine keeps for this daemon."""

    def __init__(
        self,
        target_id: str,
        name: str,
        executor: SshExecutor,
        store: Store,
        take: Take,
        allowance: ByteBudget | None = None,
    ) -> None:
        """``name``: of our files there. ``take`` returns when the events are committed."""
        self.waits = False
        """Whether more is there than may be fetched now."""
        self._allowance = allowance or ByteBudget(float(BURST))
        self.drained = SpoolCounts()
        self._target_id = target_id
        self._name = name
        self._executor = executor
        self._store = store
        self._take = take

    async def drain(self) -> None:
        """Take everything in. A break in between costs nothing: ids dedupe, and the place reached is kept.

        Raises ExecutorError, AgtmuxError.
        """
        self.waits = not self._allowance.is_left()
        if self.waits:
            return
        said = await self._script(_TAKE, self._name, f"{time.time_ns():020d}")
        names = said.decode("utf-8", "replace").split()
        for name in names[:FILES]:
            if self.waits:
                return
            if name.startswith(f"{self._name}.spool.jsonl.drain-"):  # a login shell may say this and that
                await self._one(name)

    async def _one(self, name: str) -> None:
        at = await self._store.run(lambda c: read_offset(c, self._target_id, name))
        while True:
            if not self._allowance.is_left():
                self.waits = True
                return
            data = await self._script(_READ, name, str(at + 1), str(PIECE))
            whole = data.rfind(b"\n") + 1
            if not whole and len(data) == PIECE:  # no line of ours
                self.drained.broken += 1
                whole = len(data)
            lines = data[:whole].splitlines()
            self._allowance.spend(len(data) + LINE * len(lines))
            for first in range(0, len(lines), BATCH):
                events = [e for line in lines[first : first + BATCH] if (e := parse_line(line, self.drained))]
                await ingest_events(events, self._take, self.drained)
            at += whole
            await self._store.run(lambda c, at=at: save_offset(c, self._target_id, name, at))  # type: ignore[misc]
            if len(data) < PIECE:
                break  # a hook that was cut off in its line wrote it again, into the spool that came after
        await self._script(_DROP, name)
        await self._store.run(lambda c: forget(c, self._target_id, name))

    async def _script(self, script: str, *arguments: str) -> bytes:
        done = await self._executor.run(
            ["sh", "-c", script, "sh", *arguments], timeout=_SECONDS, max_output=PIECE + 65536
        )
        if done.returncode != 0 or done.truncated:
            raise ExecutorError("refused", f"the spool on {self._executor.alias}: {first_line(done)}")
        return done.stdout
