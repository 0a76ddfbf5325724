"""What of the changes a watcher with a filter sees, and several changes made into one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agtmuxd.core.listing import Filter, Tally
from agtmuxd.stream.published import Change, Identity, name_of, same


def visible(changes: Iterable[Change], wanted: Filter) -> list[Change]:
    """The changes that a watcher with this filter must hear of; a row that no longer matches is gone for it."""
    out = []
    for change in changes:
        if change.now is not None and wanted.matches(change.now):
            out.append(change)
        elif change.was is not None and wanted.matches(change.was):
            out.append(replace(change, op="delete", item=None, now=None))
    return out


def recount(tally: Tally, changes: Iterable[Change], wanted: Filter, sign: int = 1) -> None:
    """Bring a filtered tally over ``changes``, forward (1) or back (-1)."""
    for change in changes:
        if change.was is not None and wanted.matches(change.was):
            tally.add(change.was, -sign)
        if change.now is not None and wanted.matches(change.now):
            tally.add(change.now, sign)


class NetChanges:
    """The net effect of changes in a row, one per identity; what came and went in between vanishes."""

    def __init__(self) -> None:
        self._net: dict[Identity, Change] = {}

    def __bool__(self) -> bool:
        return bool(self._net)

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            name = name_of(change.identity)
            first = self._net.pop(name, None)
            if first is not None:
                change = replace(change, was=first.was, before=first.before)  # the newest content, the oldest past
            self._net[name] = change

    def extend(self, later: NetChanges) -> None:
        self.add(later._net.values())

    def take(self, wanted: Filter) -> list[Change]:
        """The visible net changes; empties the collection."""
        net, self._net = self._net, {}
        return [change for change in visible(net.values(), wanted) if not _says_nothing(change)]


def _says_nothing(change: Change) -> bool:
    return change.item is not None and change.before is not None and same(change.item, change.before)
