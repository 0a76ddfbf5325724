"""Filter changes for a watcher, and merge several changes into one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agtmuxd.core.listing import Filter, Tally
from agtmuxd.stream.coordination import COORD
from agtmuxd.stream.published import Change, Identity, name_of, same


def visible(changes: Iterable[Change], wanted: Filter) -> list[Change]:
    """Give the changes that a watcher with this filter must get. A row that no longer matches becomes a delete."""
    out = []
    for change in changes:
        if change.scope == COORD or (change.now is not None and wanted.matches(change.now)):
            out.append(change)
        elif change.was is not None and wanted.matches(change.was):
            out.append(replace(change, op="delete", item=None, now=None))
    return out


def recount(tally: Tally, changes: Iterable[Change], wanted: Filter, sign: int = 1) -> None:
    """Update a filtered tally by ``changes``, forward (``sign`` 1) or back (-1)."""
    for change in changes:
        if change.was is not None and wanted.matches(change.was):
            tally.add(change.was, -sign)
        if change.now is not None and wanted.matches(change.now):
            tally.add(change.now, sign)


class NetChanges:
    """The net effect of successive changes, one per identity. A row that was added and deleted leaves no change."""

    def __init__(self) -> None:
        self._net: dict[Identity, Change] = {}

    def __bool__(self) -> bool:
        return bool(self._net)

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            name = name_of(change.identity)
            first = self._net.pop(name, None)
            if first is not None:
                # the newest content with the oldest previous row
                change = replace(change, was=first.was, before=first.before)
            self._net[name] = change

    def extend(self, later: NetChanges) -> None:
        self.add(later._net.values())

    def take(self, wanted: Filter) -> list[Change]:
        """Give the visible net changes, and empty the collection."""
        net, self._net = self._net, {}
        return [change for change in visible(net.values(), wanted) if not _has_no_effect(change)]


def _has_no_effect(change: Change) -> bool:
    return change.item is not None and change.before is not None and same(change.item, change.before)
