"""Decide which target watches a tmux server that several targets lead to.

Owns which target reads which server, and their order of precedence. The observer gives each server's name. Pure.
"""

from __future__ import annotations

from collections.abc import Callable


class SharedServers:
    """The server that each target last read, by name; None if it has no server or the server has no name."""

    def __init__(self, rank: Callable[[str], tuple[int, ...]], down: Callable[[str], bool]) -> None:
        """``rank(target_id)``: the lower of two ranks keeps the server. ``down(target_id)``: the target is down."""
        self._rank = rank
        self._down = down
        self._servers: dict[str, str | None] = {}

    def claim(self, target_id: str, server: str | None) -> str | None:
        """Note which server a target reads now. Return the target that keeps this server, None if it is this one."""
        self._servers[target_id] = server
        if server is None:
            return None
        others = [
            t
            for t, server_name in self._servers.items()
            if server_name == server and t != target_id and not self._down(t)
        ]
        first = min(others, key=self._rank, default=None)
        return first if first is not None and self._rank(first) < self._rank(target_id) else None

    def forget(self, target_id: str) -> None:
        """Forget a target that is no longer watched."""
        self._servers.pop(target_id, None)
