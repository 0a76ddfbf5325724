"""Fetch the spool that hooks on another machine wrote while no daemon was connected.

Fetches each event once, in order, in bounded pieces. Owns the rename by which the daemon takes a spool over, and the
offset up to which it was read. Parses lines like those of the local spool.
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
"""Bytes that may be fetched at once: the size up to which the hook program lets a spool grow."""
FILES: Final = 64
"""Files of one spool that one ``drain`` fetches."""
LINE: Final = 256
"""Bytes of the budget that each line costs on top of its size: each is work for the daemon."""
PIECE: Final = 1_500_000
"""Bytes fetched by one command; longer than any line that the hook program writes."""
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
    """Limit the bytes that are fetched: ``rate`` a second in the long run, ``BURST`` at once."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._now = rate, now
        self._left, self._at = float(BURST), now()

    def has_bytes_left(self) -> bool:
        at = self._now()
        self._left = min(float(BURST), self._left + (at - self._at) * self._rate)
        self._at = at
        return self._left > 0

    def spend(self, size: int) -> None:
        """Count fetched bytes. If they exceed the budget, the next fetch waits longer."""
        self._left -= size


class RemoteSpool:
    """Fetch the spool that one machine keeps for this daemon."""

    def __init__(
        self,
        target_id: str,
        name: str,
        executor: SshExecutor,
        store: Store,
        take: Take,
        allowance: ByteBudget | None = None,
    ) -> None:
        """``name`` begins the names of this daemon's files there. ``take`` returns when the events are committed."""
        self.waits = False
        """Whether the budget was used up before the whole spool was fetched."""
        self._allowance = allowance or ByteBudget(float(BURST))
        self.drained = SpoolCounts()
        self._target_id = target_id
        self._name = name
        self._executor = executor
        self._store = store
        self._take = take

    async def drain(self) -> None:
        """Fetch the whole spool. It may be interrupted: the offset is stored, and repeated events are duplicates.

        Raises ExecutorError, AgtmuxError.
        """
        self.waits = not self._allowance.has_bytes_left()
        if self.waits:
            return
        output = await self._script(_TAKE, self._name, f"{time.time_ns():020d}")
        names = output.decode("utf-8", "replace").split()
        for name in names[:FILES]:
            if self.waits:
                return
            if name.startswith(f"{self._name}.spool.jsonl.drain-"):  # a login shell may print other text
                await self._fetch_file(name)

    async def _fetch_file(self, name: str) -> None:
        at = await self._store.run(lambda c: read_offset(c, self._target_id, name))
        while True:
            if not self._allowance.has_bytes_left():
                self.waits = True
                return
            data = await self._script(_READ, name, str(at + 1), str(PIECE))
            complete = data.rfind(b"\n") + 1
            if not complete and len(data) == PIECE:  # longer than any line of the hook program
                self.drained.broken += 1
                complete = len(data)
            lines = data[:complete].splitlines()
            self._allowance.spend(len(data) + LINE * len(lines))
            for first in range(0, len(lines), BATCH):
                events = [e for line in lines[first : first + BATCH] if (e := parse_line(line, self.drained))]
                await ingest_events(events, self._take, self.drained)
            at += complete
            await self._store.run(lambda c, at=at: save_offset(c, self._target_id, name, at))  # type: ignore[misc]
            if len(data) < PIECE:
                break  # a hook that was interrupted in a line wrote it again, into the next spool
        await self._script(_DROP, name)
        await self._store.run(lambda c: forget(c, self._target_id, name))

    async def _script(self, script: str, *arguments: str) -> bytes:
        done = await self._executor.run(
            ["sh", "-c", script, "sh", *arguments], timeout=_SECONDS, max_output=PIECE + 65536
        )
        if done.returncode != 0 or done.truncated:
            raise ExecutorError("refused", f"the spool on {self._executor.alias}: {first_line(done)}")
        return done.stdout
