"""Read tmux for one round: the list of panes and the wanted screens, within the limits.

Uses one tmux command if this tmux can. Owns the form of the command, and leaves out screens that are too large. Never
attaches a client, and changes nothing on the tmux server.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agtmuxd.core.model import PaneRow
from agtmuxd.targets.executor import ExecutorError, ProgramResult, TargetExecutor
from agtmuxd.targets.limits import MIB, OFF_LOOP, Bounds, too_large
from agtmuxd.targets.oversize import OversizedPanes
from agtmuxd.tmux import round as tmux_round

_LEFT_OUT_MOST: Final = 4
"""Too large screens that one round leaves out. With more of them the whole round fails."""


class RoundReader:
    """Read rounds of one target."""

    def __init__(self, executor: TargetExecutor, argv: Callable[[], list[str]], timeout: float, bounds: Bounds) -> None:
        """``argv`` returns the first words of every tmux command line. ``timeout`` in seconds."""
        self.oversized = OversizedPanes()
        self.worked = 0.0
        """Seconds that it took to parse the last reply."""
        self.by_arguments = False
        self._executor = executor
        self._argv = argv
        self._timeout = timeout
        self._bounds = bounds
        self._replies = tmux_round.Replies()
        self._list_first = False

    async def read(
        self, wanted: Sequence[str], styled: frozenset[str], panes: Mapping[str, PaneRow], now: int
    ) -> tmux_round.Round | tmux_round.RoundFailure:
        """Read one round without the screens that are too large.

        If the reply is too long, lists the panes, leaves out the largest screen and reads again. ``wanted``: panes
        whose screens to read. ``styled``: those to read with styles. ``panes``: the last listing. ``now``: ns. Raises
        ExecutorError.
        """
        fits = list(wanted)
        for turn in range(_LEFT_OUT_MOST + 1):
            if turn or self._list_first:
                listed = await self._round([])
                if isinstance(listed, tmux_round.RoundFailure):
                    return listed
                panes = {row.pane_id: row for row in listed.panes}
                if turn and not self.oversized.leave_out_largest(fits, panes, now):
                    break
            out = self.oversized.why(wanted, panes, now)
            fits = [pane for pane in wanted if pane not in out]
            try:
                seen = await self._round(fits, styled)
            except ExecutorError as error:
                self._list_first = error.reason == "timeout"  # tmux may take too long to print a screen that grew
                if error.reason != "too_large" or not fits or turn == _LEFT_OUT_MOST:
                    raise
            else:
                self._list_first = False
                return seen
        raise too_large("the reply of tmux is longer", "max_answer", self._bounds.answer // MIB, " MiB")

    async def _round(
        self, wanted: Sequence[str], styled: frozenset[str] = frozenset()
    ) -> tmux_round.Round | tmux_round.RoundFailure:
        nonce = os.urandom(6).hex()
        if self.by_arguments:
            return await self._round_by_arguments(nonce, wanted, styled)
        done = await self._executor.run(
            [*self._argv(), "source-file", "-"],
            stdin=tmux_round.build(nonce, wanted, styled),
            timeout=self._timeout,
            max_output=self._bounds.answer,
        )
        self._check_complete(done)
        if not done.stdout and not done.stderr and done.returncode == 0:
            self.by_arguments = True  # this tmux prints no output for ``source-file -``
            return await self._round_by_arguments(nonce, wanted, styled)
        return await self._parsed(nonce, done)

    async def _parsed(self, nonce: str, done: ProgramResult) -> tmux_round.Round | tmux_round.RoundFailure:
        """Parse a reply, a long one in a thread. Raises ExecutorError (too_large)."""
        began = time.monotonic()
        replies, reply = self._replies, (nonce, done.stdout, done.stderr, done.returncode)
        if len(done.stdout) <= OFF_LOOP:
            seen = replies.parse(*reply)
        else:
            self._replies = tmux_round.Replies()  # only the thread may use ``replies`` now
            seen = await asyncio.to_thread(replies.parse, *reply)
            self._replies = replies
        self.worked = time.monotonic() - began
        if isinstance(seen, tmux_round.Round) and len(seen.panes) > self._bounds.panes:
            raise too_large("tmux lists more panes", "max_panes", self._bounds.panes)
        return seen

    async def _round_by_arguments(
        self, nonce: str, wanted: Sequence[str], styled: frozenset[str]
    ) -> tmux_round.Round | tmux_round.RoundFailure:
        out, err, status = b"", b"", 0
        for arguments in tmux_round.build_chunks(nonce, wanted, styled):
            room = self._bounds.answer - len(out)
            done = await self._executor.run([*self._argv(), *arguments], timeout=self._timeout, max_output=room)
            self._check_complete(done)
            out, err, status = out + done.stdout, err + done.stderr, status or done.returncode
        return await self._parsed(nonce, ProgramResult(status, out, err))

    def _check_complete(self, done: ProgramResult) -> None:
        """Check that the reply is complete. Raises ExecutorError (too_large)."""
        if done.truncated:
            raise too_large("the reply of tmux is longer", "max_answer", self._bounds.answer // MIB, " MiB")
