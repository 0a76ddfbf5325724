"""Find out which panes somebody looks at now. What is not known counts as not looked at.

A pane is looked at if a terminal shows its window, has the focus, and was used within the last minute. Only terminals
that report their focus to tmux can say so (``focus-events on``). It is also looked at for a while after the dashboard
or the web page told that a person sees it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from agtmuxd.core.model import NS
from agtmuxd.features.notify.channels.clients import Terminal
from agtmuxd.features.notify.model import Item

AWAY_AFTER: Final = 60
"""Seconds without a key after which somebody may have left."""
EVERY: Final = 3 * NS
"""How often it is asked (ns) while something new waits to be sent."""
SELDOM: Final = 15 * NS
"""The same once nothing is new."""
FRESH: Final = 60 * NS
"""For how long (ns) an episode is new."""


def looked_at(
    found: Iterable[Terminal], panes: Mapping[str, Item], target_ids: Mapping[str, str], now: int
) -> frozenset[str]:
    """Return the keys of the panes that somebody looks at.

    ``panes``: the rows of interest by key. ``target_ids``: ids of targets by name. ``now``: ns.
    """
    seen = {
        (one.target_id, one.client.window_id)
        for one in found
        if one.client.reports_focus and "focused" in one.client.flags and now // NS - one.client.activity < AWAY_AFTER
    }
    return frozenset(
        key
        for key, item in panes.items()
        if (target_ids.get(item["identity"]["target"], ""), item["identity"]["window_id"]) in seen
    )


COUNTS: Final = 30 * NS
"""For how long (ns) a reported look counts."""
MOST: Final = 1000
"""Agents whose last reported look is kept."""


class RecentLooks:
    """The looks that other surfaces reported, by runtime id. They are kept in memory only."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}

    def note(self, runtime_ids: Iterable[str], now: int) -> None:
        """Let a look at these agents count from ``now`` (ns). Beyond ``MOST`` the oldest are forgotten."""
        counted = self.current(now)
        self._until = {one: until for one, until in self._until.items() if one in counted}
        for one in runtime_ids:
            self._until.pop(one, None)
            self._until[one] = now + COUNTS
        for one in list(self._until)[:-MOST]:
            del self._until[one]

    def current(self, now: int) -> frozenset[str]:
        """Return the agents that are looked at ``now`` (ns). A clock that was set back makes no look longer."""
        return frozenset(one for one, until in self._until.items() if now < until <= now + COUNTS)
