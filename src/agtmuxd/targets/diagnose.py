"""Connect to a target step by step, to show where it fails.

Owns the names and order of the steps: resolve, connect, host key, auth (of ssh targets), tmux found, version, round
trip. A failed step ends the list; it raises nothing. Knows no adapter and no database.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from agtmuxd.targets.executor import ExecutorError, TargetExecutor
from agtmuxd.targets.observer import Observer
from agtmuxd.tmux.server import MINIMUM, parse_version

T = TypeVar("T")

AGAIN: Final = (0.25, 1.0)
"""Pauses (s) before a single read for a caller is tried again. A round is not: the next round is its retry."""
_PASSING: Final = frozenset({"timeout", "lost", "channel_limit"})

Step = dict[str, Any]
"""``{"step", "ok", "message"}``"""


async def read_again(read: Callable[[], Awaitable[T]], pauses: Sequence[float] = AGAIN) -> T:
    """Read once, and try again after a failure that may pass. Only for reads without effect. Raises ExecutorError."""
    for pause in pauses:
        try:
            return await read()
        except ExecutorError as error:
            if error.reason not in _PASSING:
                raise
        await asyncio.sleep(pause * (0.75 + 0.5 * random.random()))  # noqa: S311 jitter
    return await read()


def passed_step(name: str, message: str) -> Step:
    return {"step": name, "ok": True, "message": message}


def failed_step(name: str, message: str) -> Step:
    return {"step": name, "ok": False, "message": message}


async def tmux_steps(
    executor: TargetExecutor, find: Callable[[], Awaitable[str]], observer: Observer, limit: float
) -> list[Step]:
    """Run the steps from "tmux found" to "round trip". ``find`` returns tmux's path; ``limit``: seconds per program."""
    out: list[Step] = []
    try:
        program = await read_again(find)
        out.append(passed_step("tmux found", program))
        done = await read_again(lambda: executor.run([program, "-V"], timeout=limit))
    except ExecutorError as error:
        return [*out, failed_step("version" if out else "tmux found", str(error))]
    text = done.stdout.decode("utf-8", "replace").strip()
    number = parse_version(text)
    if number is not None and number < MINIMUM:
        return [*out, failed_step("version", f"{text}: 3.3 or newer is needed")]
    return [*out, passed_step("version", text), await _round_trip(observer)]


async def _round_trip(observer: Observer) -> Step:
    """Run rounds until the target is ``ok`` again: after a failure that takes two."""
    for _ in range(2):
        before = observer.health.last_good
        await observer.once()
        if observer.health.last_good == before:
            return failed_step("round trip", f"{observer.health.reason}: {observer.failure_message}")
        if observer.health.level == "ok":
            break
    return passed_step("round trip", f"{observer.rtt_ms:.1f} ms" if observer.rtt_ms is not None else "")
