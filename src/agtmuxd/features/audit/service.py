"""List the audit. Changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.audit import action_item
from agtmuxd.api.envelopes import Envelope
from agtmuxd.features.audit import store as rows
from agtmuxd.features.audit.model import AuditFilter
from agtmuxd.repository import Repository
from agtmuxd.store.actions import ActionRow
from agtmuxd.store.db import Store


class Audit:
    """Implements ``AuditService`` of ``routes``."""

    def __init__(
        self, *, envelope: Envelope, resolve: Callable[[str], str], store: Store, repository: Repository
    ) -> None:
        """``resolve``: gives a pane's published key for its ref."""
        self.envelope = envelope
        self._resolve = resolve
        self._store = store
        self._repository = repository

    async def listing(self, wanted: AuditFilter, pane: str | None) -> list[dict[str, Any]]:
        if pane is not None:
            wanted = replace(wanted, pane=self._repository.pane_key(self._resolve(pane)))

        def read(connection: sqlite3.Connection) -> tuple[list[ActionRow], dict[str, list[str]]]:
            found = rows.listing(connection, wanted)
            return found, rows.events_of(connection, [row.action_id for row in found])

        found, events = await self._store.read(read)
        if wanted.action is not None and not found:
            raise AgtmuxError("E_ACTION_NOT_FOUND", f"there is no action {wanted.action}: agtmux actions lists them")
        names = {t.target_id: t.name for t in self._repository.targets.values()}
        return [
            {**action_item(row, names.get(row.target_id or "")), "events": events.get(row.action_id, [])}
            for row in found
        ]
