"""Give features a number for the words of each row of an agent's screen, so that they can tell whether it moves.

Numbers and signs are left out: a clock or a spinner is no movement. The text itself is not handed out.
"""

from __future__ import annotations

from collections.abc import Callable

from agtmuxd.target_manager.watches import Watches


def screen_rows(watches: Watches) -> Callable[[str, str], frozenset[int] | None]:
    """Return the function ``(target_id, pane_id)`` -> numbers, or None if the agent's screen was not read."""

    def rows(target_id: str, pane_id: str) -> frozenset[int] | None:
        observer = watches.observer(target_id)
        agent = observer.roster.agents.get(pane_id) if observer is not None else None
        if agent is None or agent.sample is None:
            return None
        words = ("".join(filter(str.isalpha, line)) for line in agent.sample.lines)
        return frozenset(hash(text) for text in words if text)

    return rows
