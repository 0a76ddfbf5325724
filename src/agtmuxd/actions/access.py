"""How the actions reach a target, and what they know of the daemon: the parts that they are handed.

Owns no decision. The fleet makes a ``TargetAccess`` of each target, local or remote alike.
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
    """One target: its executor and the head of every tmux argument list there. ``timeout`` in seconds."""

    target_id: str
    name: str
    kind: str
    executor: TargetExecutor
    tmux: tuple[str, ...]
    timeout: float
    buffers: Buffers = field(default_factory=lambda: Buffers(os.urandom(32)))


Reach = Callable[[str], TargetAccess]
"""By target id. Raises AgtmuxError (E_TARGET_NOT_FOUND, E_TARGET_UNREACHABLE)."""


class Failpoints:
    """Places at which a test ends the daemon as a crash would. Without ``AGTMUX_FAILPOINT`` there are none."""

    def __init__(self, told: str | None = None) -> None:
        """``told``: ``<name>:kill``."""
        name, _, how = (told or "").partition(":")
        self._name = name if how == "kill" else ""

    def __call__(self, name: str) -> None:
        """Say that this place is reached."""
        if name == self._name:
            os.kill(os.getpid(), signal.SIGKILL)
