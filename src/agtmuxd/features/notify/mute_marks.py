"""Say which rows must show that their pane is muted, and until when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agtmuxd.core.json_codec import stamp
from agtmuxd.features.notify.model import Item

FIELD: Final = "muted_until"
"""The field of a pane's row."""


def changed_marks(panes: Mapping[str, Item], muted: Mapping[str, int], muted_all: int | None) -> dict[str, str | None]:
    """Return by runtime what ``muted_until`` must become where it differs. None: it is removed.

    ``muted``: until when (ns) by pane key. ``muted_all``: until when everything is.
    """
    out: dict[str, str | None] = {}
    for key, item in panes.items():
        runtime_id = item.get("runtime_id")
        if runtime_id is None:
            continue
        until = max(muted.get(key, 0), muted_all or 0)
        wanted = stamp(until) if until else None
        if item.get(FIELD) != wanted:
            out[str(runtime_id)] = wanted
    return out
