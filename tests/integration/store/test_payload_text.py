"""Long texts of payloads: each is stored once, and cut where it is too long."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

import pytest

from agtmuxd.core.model import Source
from agtmuxd.store import history
from tests.integration.store.test_migrate import put, row
from tests.integration.store.test_retention import NOW, column, event


@pytest.mark.tc("TC-154")
def test_a_text_that_an_earlier_event_has_is_kept_once(db: sqlite3.Connection) -> None:
    content = os.urandom(1500).hex()
    before = {"tool_name": "Write", "tool_input": {"file_path": "/a", "content": content}}
    after = {**before, "tool_response": {"content": content, "parts": [content, "short"]}}
    history.add_event(db, event(1, event_type="PreToolUse", payload=before), "r1", "applied")
    history.add_event(db, event(2, event_type="PostToolUse", ingested_at=NOW + 1, payload=after), "r1", "applied")
    first, second = (
        one["raw_payload"] for one in reversed(history.history(db, runtime_ids=None, before=None, limit=9))
    )
    same = {"same_as": "e1", "chars": len(content)}
    assert first == before
    assert second["tool_input"] == {"file_path": "/a", "content": same}
    assert second["tool_response"] == {"content": same, "parts": [same, "short"]}
    assert sum(column(db, "SELECT length(raw_payload) FROM events")) < 1.2 * len(content)


@pytest.mark.tc("TC-154")
def test_a_text_is_named_within_its_runtime_and_source_only_and_words_of_the_payload_itself_stay(
    db: sqlite3.Connection,
) -> None:
    text = os.urandom(1500).hex()
    put(db, "runtimes", **row("runtimes", runtime_id="r2", pane_id="%9"))
    nested: dict[str, Any] = {"tool_input": {"content": text}}
    message = {"last_assistant_message": text}
    for number, (runtime, source, payload) in enumerate(
        [("r1", Source.HOOK, nested), ("r2", Source.HOOK, nested), ("r1", Source.NOTIFY, nested),
         ("r1", Source.HOOK, message), ("r1", Source.HOOK, message)]
    ):  # fmt: skip
        made = event(number, source=source, ingested_at=NOW + number, payload=payload)
        history.add_event(db, made, runtime, "applied")
    kept = [one["raw_payload"] for one in reversed(history.history(db, runtime_ids=None, before=None, limit=9))]
    assert kept == [nested, nested, nested, message, message]


@pytest.mark.tc("TC-154")
def test_long_texts_inside_a_payload_are_cut_and_the_rest_stays_whole(db: sqlite3.Connection) -> None:
    payload = {"tool_name": "Read", "tool_response": {"file": {"content": "x" * 100_000, "lines": 12}}}
    history.add_event(db, event(1, payload=payload), "r1", "applied")
    (one,) = history.history(db, runtime_ids=None, before=None, limit=9)
    file = one["raw_payload"]["tool_response"]["file"]
    assert file["lines"] == 12
    assert file["content"].endswith("(95904 more characters)")
    assert len(file["content"]) < 4200
