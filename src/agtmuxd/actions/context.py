"""Give an action what it needs while it runs: the request, the pane as it was read, and ways to read it again.

Owns the waiting for signs on the screen. Only ``core.action.guard`` decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints, TargetAccess
from agtmuxd.actions.keystrokes import Keystrokes
from agtmuxd.actions.pane_check import PaneReader, PaneReading
from agtmuxd.core.action.guard import GuardInput, KnownState, Refusal, decide
from agtmuxd.core.model import Claim, Sample, Source, State
from agtmuxd.core.screen.controls import Controls
from agtmuxd.core.state.registers import TURN_START
from agtmuxd.repository import PaneKey, Repository, Runtime

PAUSES = (0.02, 0.03, 0.05, 0.08, 0.1)
"""Seconds between two readings while waiting for a sign. The last one repeats."""

STEADY = 0.15
"""Seconds that typed text must stay in the field before it is submitted. Programs treat an Enter that follows text at
once as a line of a paste. Gemini CLI 0.61 does so for 30 ms after a key and 40 ms after a paste, and until it has drawn
the text.
"""

STEADY_PASTE = 0.6
"""The same for pasted text. Gemini CLI 0.61 does nothing for 40 ms after a paste, but it takes note of their end only
when it draws again. After 8 s without a key that took up to 0.3 s. An Enter before that is a line break."""

Result = dict[str, Any]
"""The result of an action, as its answer shows it."""


def refused(refusal: Refusal) -> AgtmuxError:
    return AgtmuxError(refusal.code, refusal.message, {**refusal.details, "reason": refusal.reason})


@dataclass(slots=True)
class ActionContext:
    """One running action. ``case``: what the decision was based on. ``look_again`` and ``check_again`` renew it."""

    key: PaneKey
    boot_id: str
    runtime: Runtime | None
    case: GuardInput
    reading: PaneReading
    reached: TargetAccess
    reader: PaneReader
    repository: Repository
    clock: Callable[[], int]
    failpoint: Failpoints
    session: str | None = None  # the session that the caller's ref names, by its plain name
    put: bool = False  # whether keys or text arrived in the pane: after that the action cannot be refused any more

    @property
    def keystrokes(self) -> Keystrokes:
        """Keystrokes that are written only while the pane is as it was read."""
        held = self.reading.write_guard
        if held is None:
            raise AgtmuxError(
                "E_REF_NOT_FOUND", f"the pane {self.key[1]} is gone: run agtmux list panes --all to see panes"
            )
        return Keystrokes(self.reached, held, self.reading.version, self._has_put, self.failpoint)

    def _has_put(self) -> None:
        self.put = True

    @property
    def controls(self) -> Controls:
        return self.reader.controls(self.runtime)

    @property
    def sample(self) -> Sample:
        if self.reading.sample is None:
            raise AgtmuxError(
                "E_REF_NOT_FOUND", f"the pane {self.key[1]} is gone: run agtmux list panes --all to see panes"
            )
        return self.reading.sample

    def known(self) -> KnownState:
        """Return what the daemon knows of the pane now."""
        return known_state(self.repository, self.key)

    async def look_again(self, *, processes: bool = True) -> PaneReading:
        """Read the pane again. Without ``processes``, the last reading of them is kept. Raises E_TARGET_UNREACHABLE."""
        claim = screen_claim(self.repository, self.runtime)
        last = None if processes else self.reading.current
        self.reading = await self.reader.read(self.reached, self.key[1], self.boot_id, self.runtime, claim, last)
        return self.reading

    async def check_again(self) -> None:
        """Read the pane and decide once more. Raises the reason for a refusal."""
        reading = await self.look_again()
        self.case = replace(self.case, known=self.known(), current=reading.current, now=self.clock())
        refusal = decide(self.case)
        if refusal is not None:
            raise refused(refusal)

    async def until(
        self, sign: Callable[[PaneReading], bool], seconds: float, *, twice: bool = False, steady: float = 0.0,
        processes: bool = False,
    ) -> bool:  # fmt: skip
        """Read the pane until ``sign`` is seen or ``seconds`` are over. Return whether it was seen.

        ``twice``: two readings in a row must show it. ``steady``: all readings must show it for this many seconds, and
        for as long as it took to appear, up to 1.5 s: a program that is slow to draw is slow to read too.
        ``processes``: read the processes too, because the sign is one of them. A target that cannot be read shows no
        sign.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        seen, turn, first = 0, 0, begun
        while True:
            try:
                seen = seen + 1 if sign(await self.look_again(processes=processes)) else 0
            except AgtmuxError:
                seen = 0
            now = loop.time()
            if seen == 1:
                first = now
            wanted = max(steady, min(first - begun, 1.5)) if steady else 0.0
            if seen >= (2 if twice or steady else 1) and now - first >= wanted:
                return True
            if not seen and now > begun + seconds:
                return False
            await asyncio.sleep(PAUSES[min(turn, len(PAUSES) - 1)])
            turn += 1

    def turn_began(self, since: int) -> bool:
        """Return whether the agent itself reported after ``since`` (ns) that a turn began."""
        marks = self.repository.marks.get(self.runtime.runtime_id, {}) if self.runtime is not None else {}
        return marks.get(TURN_START, 0) > since


def known_state(repository: Repository, key: PaneKey, *, crashed: bool = False) -> KnownState:
    """Return the pane as the daemon knows it. ``crashed``: an agent whose crash is still shown counts too."""
    runtime_id = repository.active.get(key)
    state = repository.states.get(key)
    if runtime_id is None and crashed and state is not None:
        runtime_id = state.runtime_id
    runtime = repository.runtimes.get(runtime_id) if runtime_id is not None else None
    if runtime is None:
        return KnownState()
    mine = state if state is not None and state.runtime_id == runtime_id else None
    if mine is None:
        return KnownState(runtime.runtime_id, State.UNKNOWN, None, None, runtime.agent_type, runtime.headless)
    return KnownState(
        runtime.runtime_id, mine.state, mine.state_version, mine.updated_at, runtime.agent_type, runtime.headless,
        mine.waiting_for.fingerprint if mine.waiting_for is not None else None,
    )  # fmt: skip


def screen_claim(repository: Repository, runtime: Runtime | None) -> Claim | None:
    """Return the last claim of the runtime's screen, for rules that depend on it."""
    if runtime is None:
        return None
    register = repository.registers.get(runtime.runtime_id, {}).get((Source.POLLER, "turn"))
    return None if register is None else register.entry.claim
