"""Let a feature write its own tables in the pipeline's order, and publish what it changed in the same transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.ingest.context import IngestContext
from agtmuxd.stream.coordination import coordination_change

PublishChange = Callable[[str, str, Mapping[str, Any] | None], None]
"""``publish(kind, id, item)``: put a change into the stream, in the scope ``coord``. ``item`` None: it is gone."""


@dataclass(frozen=True, slots=True)
class RefusedWrite:
    """The write raised this error, and left nothing behind."""

    error: AgtmuxError


def write(run: IngestContext, work: Callable[[sqlite3.Connection, PublishChange], Any]) -> Any:
    """Run ``work`` in a savepoint. Return its result, or RefusedWrite: other operations of the transaction go on."""
    published = len(run.coordination)

    def publish(kind: str, name: str, item: Mapping[str, Any] | None) -> None:
        run.coordination.append(coordination_change(kind, name, item))

    run.connection.execute("SAVEPOINT feature_write")
    try:
        result = work(run.connection, publish)
    except AgtmuxError as error:
        run.connection.execute("ROLLBACK TO feature_write")
        run.connection.execute("RELEASE feature_write")
        del run.coordination[published:]
        return RefusedWrite(error)
    run.connection.execute("RELEASE feature_write")
    return result
