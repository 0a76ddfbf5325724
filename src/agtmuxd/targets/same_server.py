"""Which of several targets may watch one tmux server, where two of them lead to the same.

Owns the claims and the order of precedence. What names a server is the observer's to say. Pure.
"""

from __future__ import annotations

from collections.abc import Callable


class SharedServers:
    """What each target was last seen to be: its server's name, None where there is none or it cannot be told."""

    def __init__(self, rank: Callable[[str], tuple[int, ...]], down: Callable[[str], bool]) -> None:
        """``rank(target_id)``: the least of two keeps the server. ``down(target_id)``: it reads nothing now."""
        self._rank = rank
        self._down = down
        self._servers: dict[str, str | None] = {}

    def claim(self, target_id: str, server: str | None) -> str | None:
        """Say which server a target reads now. The target that has it already and keeps it, if there is one."""
        self._servers[target_id] = server
        if server is None:
            return None
        others = [t for t, theirs in self._servers.items() if theirs == server and t != target_id and not self._down(t)]
        first = min(others, key=self._rank, default=None)
        return first if first is not None and self._rank(first) < self._rank(target_id) else None

    def forget(self, target_id: str) -> None:
        """It is watched no more."""
        self._servers.pop(target_id, None)
