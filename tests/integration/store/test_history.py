"""Events and the inbox in the database: written once, read in order, page by page."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import Source
from agtmuxd.store import history
from tests.integration.store.test_migrate import put, row
from tests.integration.store.test_retention import NOW, column, event
from tests.rig import Agent, Clock, Rig
from tests.rig import event as posted


@pytest.mark.tc("TC-154")
async def test_an_event_that_waited_for_its_runtime_is_stored_once(tmp_path: Path) -> None:
    agent, text = Agent(), os.urandom(1500).hex()
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        asked = {"tool_name": "Bash", "tool_input": {"command": text}}
        (answer,) = await rig.post(posted("PreToolUse", agent, at=rig.clock(), payload=asked))
        assert answer.status == "pending_bind"
        assert rig.rows("SELECT raw_payload FROM event_inbox") == [(None,)]
        await rig.round(agent)
        assert rig.rows("SELECT status, envelope, raw_payload FROM event_inbox") == [("bound", None, None)]
        (kept,) = (row[0] for row in rig.rows("SELECT raw_payload FROM events WHERE event_type = 'PreToolUse'"))
        assert text in kept


@pytest.mark.tc("TC-156")
def test_the_newest_events_of_a_pane_come_in_order_whoever_told_them(db: sqlite3.Connection) -> None:
    put(db, "runtimes", **row("runtimes", runtime_id="r2", pane_id="%9"))
    for number in range(300):
        source = (Source.HOOK, Source.POLLER, Source.TRANSCRIPT)[number % 3]
        at = NOW + number // 4  # several at one moment
        history.add_event(db, event(number, source=source, ingested_at=at), ("r1", "r2")[number % 2], "applied")
    every = column(db, "SELECT event_id FROM events ORDER BY ingested_at DESC, event_id DESC")
    paged: list[str] = []
    while page := history.history(db, runtime_ids=["r1", "r2"], before=paged[-1] if paged else None, limit=7):
        paged += [one["event_id"] for one in page]
    assert paged == every


@pytest.mark.tc("TC-156")
def test_an_id_to_page_on_from_that_is_not_there_is_an_error_that_names_it(db: sqlite3.Connection) -> None:
    for runtimes in (None, ["r1"]):
        with pytest.raises(AgtmuxError, match=r"before: there is no .* no-such-id") as caught:
            history.history(db, runtime_ids=runtimes, before="no-such-id", limit=5)
        assert caught.value.code == "E_INVALID_REQUEST"
