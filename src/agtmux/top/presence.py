"""Decide when the dashboard tells the daemon that a person looks at a pane.

What is not known counts as not looked at.
"""

from __future__ import annotations

AWAY = 60.0
"""Seconds without a key or the mouse after which the person may have left."""
STAYS = 2.0
"""Seconds for which a pane must stay selected before it counts as looked at."""
EVERY = 15.0
"""Seconds between two reports about the same pane."""


class Presence:
    """``focused``: whether the terminal said that it has the focus. It stays False if the terminal never says so.

    All times are seconds of the same clock.
    """

    def __init__(self) -> None:
        self.focused = False
        self._used: float | None = None
        self._ref: str | None = None
        self._since = 0.0
        self._reported: tuple[str, float] | None = None

    def used(self, now: float) -> None:
        """Note that the person pressed a key or moved the mouse."""
        self._used = now

    def due(self, ref: str | None, now: float) -> str | None:
        """Return the ref that is to be reported now. ``ref``: the pane that is shown, None if there is none."""
        if ref != self._ref:
            self._ref, self._since = ref, now
        if ref is None or now - self._since < STAYS:
            return None
        if not self.focused or self._used is None or now - self._used >= AWAY:
            return None
        if self._reported is not None and self._reported[0] == ref and now - self._reported[1] < EVERY:
            return None
        self._reported = (ref, now)
        return ref
