"""Actions as the API asks for them and lists them."""

from __future__ import annotations

import sqlite3
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.audit import action_item
from agtmuxd.actions.runner import ActionRunner
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.routes.actions import ActionQuery
from agtmuxd.core.action.request import Request
from agtmuxd.repository import Repository
from agtmuxd.store import actions as action_rows
from agtmuxd.store.actions import ActionRow
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows


class ActionRequests:
    """Implements ``ActionService`` of ``api.routes.actions``."""

    def __init__(
        self, *, envelope: Envelope, view: PublishedRows, runner: ActionRunner, store: Store, repository: Repository
    ) -> None:
        self.envelope = envelope
        self.view = view
        self._runner = runner
        self._store = store
        self._repository = repository

    async def act(self, request: Request, uid: int | None, pid: int | None) -> dict[str, Any]:
        return await self._runner.perform(request, uid, pid)

    async def listing(self, query: ActionQuery, pane: str | None) -> list[dict[str, Any]]:
        where = None if pane is None else self._repository.pane_key(pane)

        def read(connection: sqlite3.Connection) -> tuple[list[ActionRow], dict[str, list[str]]]:
            found = action_rows.listing(
                connection, limit=query.limit, action=query.action, kind=query.kind, runtime=query.runtime, pane=where,
                since=query.since, before=query.before,
            )  # fmt: skip
            return found, action_rows.events_of(connection, [row.action_id for row in found])

        found, events = await self._store.read(read)
        if query.action is not None and not found:
            raise AgtmuxError("E_ACTION_NOT_FOUND", f"there is no action {query.action}: agtmux actions lists them")
        names = {t.target_id: t.name for t in self._repository.targets.values()}
        return [
            {**action_item(row, names.get(row.target_id or "")), "events": events.get(row.action_id, [])}
            for row in found
        ]
