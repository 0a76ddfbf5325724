"""The audit's SQL: it goes by indexes, and names what is not there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.audit.model import AuditFilter
from agtmuxd.features.audit.store import events_of, listing
from agtmuxd.store import history
from agtmuxd.store.db import open_database
from tests.integration.store.test_migrate import put, row
from tests.integration.store.test_retention import event, goes_by_index, plans


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    connection, _ = open_database(str(tmp_path / "b.db"))
    put(connection, "targets", **row("targets"))
    put(connection, "runtimes", **row("runtimes"))
    return connection


@pytest.mark.tc("TC-156")
def test_an_action_to_page_on_from_that_is_not_there_is_an_error_that_names_it(db: sqlite3.Connection) -> None:
    with pytest.raises(AgtmuxError, match=r"before: there is no action no-such-id") as caught:
        listing(db, AuditFilter(5, before="no-such-id"))
    assert caught.value.code == "E_INVALID_REQUEST"


@pytest.mark.tc("TC-013")
@pytest.mark.parametrize(
    ("wanted", "index"),
    [(AuditFilter(100), "actions_by_time"), (AuditFilter(100, pane=("t1", "%1")), "actions_by_pane")],
    ids=["all", "of a pane"],
)
def test_the_audit_goes_by_an_index(db: sqlite3.Connection, wanted: AuditFilter, index: str) -> None:
    history.add_event(db, event(1), "r1", "applied")
    goes_by_index(db, lambda c: listing(c, wanted))
    assert any(index in line for _, line in plans(db, lambda c: listing(c, wanted)))
    goes_by_index(db, lambda c: events_of(c, ["a1", "a2"]))
