"""Limit the CPU time of an adapter, so that one bad pattern cannot stop the daemon.

Owns the timer. It counts this process's own CPU time, so a busy machine interrupts nothing. Patterns of ``re`` and
Python code can be interrupted. A call that sleeps, or a C library that computes, cannot. Knows no adapter.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, TypeVar

from agtmuxd.core.model import Claim, Sample
from agtmuxd.core.screen.rules import RuleSet

T = TypeVar("T")

LOOK_FOR: Final = 0.3
"""Seconds of CPU for one screen. The shipped rules take about a thousandth of that."""
_RULE_FOR: Final = 0.05


class TimeLimitError(Exception):
    """The call took longer than its limit."""


_waiting = False


def _over(_signal: int, _frame: FrameType | None) -> None:
    if _waiting:  # else the signal arrived after the call had ended
        raise TimeLimitError("it takes too long")


def run_within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of ``call``. Raises TimeLimitError if it takes more CPU time than ``seconds``.

    There is no limit outside the main thread, because no signal arrives there.
    """
    global _waiting
    if threading.current_thread() is not threading.main_thread():
        return call()
    if signal.getsignal(signal.SIGVTALRM) is not _over:
        signal.signal(signal.SIGVTALRM, _over)
    _waiting = True
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        return call()
    finally:
        _waiting = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def slow_rule(rules: RuleSet, sample: Sample, before: Claim | None) -> str | None:
    """Return the name of the first rule that alone takes too long on this screen, or None."""
    view = rules.view(sample)
    for rule in rules.rules:
        try:
            run_within(_RULE_FOR, lambda rule=rule: rule.matches(view, before))  # type: ignore[misc]
        except TimeLimitError:
            return rule.name
    return None
