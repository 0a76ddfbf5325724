"""Define how actions reach a target, and the points at which a test crashes the daemon.

Decides nothing. The target manager makes a ``TargetAccess`` for each target, local or remote.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from agtmuxd.actions.buffers import Buffers
from agtmuxd.targets.executor import TargetExecutor


@dataclass(frozen=True, slots=True)
class TargetAccess:
    """One target: its executor, and ``tmux``, the start of every tmux argument list there. ``timeout`` is in
    seconds.
    """

    target_id: str
    name: str
    kind: str
    executor: TargetExecutor
    tmux: tuple[str, ...]
    timeout: float
    buffers: Buffers = field(default_factory=lambda: Buffers(os.urandom(32)))


Reach = Callable[[str], TargetAccess]
"""Returns the access to a target by its id. Raises AgtmuxError (E_TARGET_NOT_FOUND, E_TARGET_UNREACHABLE)."""


class Failpoints:
    """Points at which a test ends the daemon as a crash would. Without ``AGTMUX_FAILPOINT`` there are none."""

    def __init__(self, setting: str | None = None) -> None:
        """``setting``: ``<name>:kill``, the value of ``AGTMUX_FAILPOINT``."""
        name, _, how = (setting or "").partition(":")
        self._name = name if how == "kill" else ""

    def __call__(self, name: str) -> None:
        """End the process if ``name`` is the chosen point."""
        if name == self._name:
            os.kill(os.getpid(), signal.SIGKILL)
