"""Tell what happened since a time. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.json_codec import stamp
from agtmuxd.features.recap import store as rows
from agtmuxd.features.recap.coordination import CoordinationRecap
from agtmuxd.features.recap.model import RecapBuilder, agent_item
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows


class Recap:
    """Implements ``RecapService`` of ``routes``."""

    def __init__(self, *, envelope: Envelope, store: Store, view: PublishedRows, clock: Callable[[], int]) -> None:
        self.envelope = envelope
        self._store = store
        self._view = view
        self._clock = clock

    async def since(self, since: int) -> dict[str, Any]:
        """Give the summary, the items, and from when on the log is complete. ``since``: ns.

        Raises E_INVALID_REQUEST for a time that is still to come.
        """
        now = self._clock()
        if since > now:
            raise AgtmuxError("E_INVALID_REQUEST", "since: this time is in the future: give one in the past")
        oldest = await self._store.read(rows.oldest)
        builder, coordination = RecapBuilder(since, oldest), CoordinationRecap(since)
        after: rows.Position | None = (since, "", -1)
        while after is not None:
            position = after
            found, after = await self._store.read(lambda connection: rows.page(connection, position, now))  # noqa: B023 awaited here
            for at, changes, coordinated in found:
                for change in changes:
                    builder.change(change["key"], at, change["item"], change["was"])
                for change in coordinated:
                    identity = change["identity"]
                    coordination.change(identity["kind"], identity["id"], at, change["item"])
        builder.now(self._view.panes.items())
        items = [agent_item(agent, now) for agent in builder.result(now)]
        return {
            "since": stamp(since),
            "until": stamp(now),
            "log_begins": None if oldest is None else stamp(oldest),
            "summary": {
                "agents": len(items),
                "waited_s": round(sum(item["waited_s"] for item in items), 1),
                "waits": sum(item["wait_count"] for item in items),
                "finished": sum(item["finished"] for item in items),
                "failed": sum(item["failed"] for item in items),
                "running_s": round(sum(item["running_s"] for item in items), 1),
            },
            "coordination": coordination.result(),
            "items": items,
        }
