"""Write the counts to the tmux servers whose users want them, and answer them to the API."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import suppress
from typing import Final

import structlog

from agtmux.protocol import status_text
from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.features.contract import Context, Tmux
from agtmuxd.features.tmux_status.model import Counts, Line, Step, build_commands, count, wants_status
from agtmuxd.services.health import HealthPart
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync

_LOG = structlog.get_logger("tmux_status")
TICK: Final = 1.0
"""Seconds between two looks at the options."""
GAP: Final = 0.1
"""Seconds for which changes are taken together."""


class StatusLines:
    """Implements ``StatusService`` of ``routes``, and a subscriber. ``run`` writes until it is cancelled."""

    def __init__(self, context: Context) -> None:
        self.envelope: Envelope = context.envelope
        self._view = context.view
        self._tmux: Tmux = context.tmux
        self._clock = context.clock
        self._own = hashlib.sha256(context.view.stream_id.encode()).hexdigest()[:12]
        self._lines: dict[str, Line] = {}
        self._writing: set[str] = set()
        self._changed = asyncio.Event()
        self._counted: tuple[int, Counts] | None = None
        self._counters = Counter({"writes": 0, "failures": 0})

    # ---------------------------------------------------------------- counts

    def counts(self) -> Counts:
        """Return the counts of all targets. Counted once for each publication."""
        sequence = self._view.sequence
        if self._counted is None or self._counted[0] != sequence:
            self._counted = sequence, count(self._view.panes.values())
        return self._counted[1]

    async def on_changes(self, _batch: Batch) -> None:
        self._changed.set()

    async def on_resync(self, _reason: Resync) -> None:
        self._changed.set()

    # ---------------------------------------------------------------- status lines

    async def run(self) -> None:
        """Write to each server what its user wants. A slow server delays no other."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                self._write_all(group)
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK - loop.time() % TICK):  # at the same moments as other checks
                        await self._changed.wait()
                        await asyncio.sleep(GAP)

    def _write_all(self, group: asyncio.TaskGroup) -> None:
        connected = self._tmux.targets()
        for gone in self._lines.keys() - set(connected):
            del self._lines[gone]
        now = self._clock()
        for target in connected:
            options = self._tmux.options(target)
            if not options or target in self._writing:
                continue  # nobody wants anything there
            line = self._lines.setdefault(target, Line())
            text = status_text.tmux(self.counts().to_json()) if wants_status(options) else ""
            step = line.step(options, text, self._own, now)
            if step is not None:
                self._writing.add(target)
                group.create_task(self._write(target, line, step, text), name=f"status line of {target}")

    async def _write(self, target: str, line: Line, step: Step, text: str) -> None:
        failed = False
        try:
            await self._tmux.run(target, build_commands(step, text, self._own))
            self._counters["writes"] += 1
        except AgtmuxError as error:
            failed = True
            self._counters["failures"] += 1
            _LOG.info("a status line was not written", target=target, error=error.message)
        finally:
            self._writing.discard(target)
        line.note_try(step, text, self._clock(), failed=failed)

    def health(self) -> HealthPart:
        notes = [
            f"another agtmux daemon writes the status line of target {target}: this one does not"
            for target, line in self._lines.items()
            if line.yields
        ]
        return HealthPart(notes=tuple(notes), counters=dict(self._counters))
