"""The stream as the dashboard follows it: rows, changes, a lost daemon and its return."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.client import Client
from agtmux.protocol.errors import AgtmuxError
from agtmux.top import feed as feeds
from agtmux.top.feed import Feed
from tests.conftest import until
from tests.unit.daemon_stub import Stub, error
from tests.unit.top.rows import item
from tests.unit.top.stage import Stage

Start = Callable[[], Feed]


@pytest.fixture
def stage(short_dir: Path) -> Iterator[Stage]:
    made = Stage(short_dir, item("%1"), item("%2", "idle")).start()
    yield made
    made.stop()


@pytest.fixture
def start(short_dir: Path) -> Iterator[Start]:
    made: list[Feed] = []

    def begin() -> Feed:
        feed = Feed(lambda _: Client([str(short_dir / "run" / "agtmuxd.sock")], timeout=5.0), clock=lambda: 1000.0)
        made.append(feed)
        feed.start()
        return feed

    yield begin
    for feed in made:
        feed.stop()


def panes(feed: Feed) -> dict[str, str]:
    return {row.pane_id: row.state for row in feed.view.rows.values()}


@pytest.mark.tc("TC-305")
def test_a_snapshot_comes_first_then_changes(stage: Stage, start: Start) -> None:
    """Rows come, change and go. Whoever is told reads the view."""
    feed = start()
    moves = itertools.count(1)
    moved = [0]
    feed.moved = lambda: moved.__setitem__(0, next(moves))
    assert panes(feed) in ({}, {"%1": "running", "%2": "idle"})
    feed.first()
    assert panes(feed) == {"%1": "running", "%2": "idle"}
    stage.change(item("%1", "error"), item("%3"), gone=(item("%2", "idle"),))
    until(lambda: panes(feed) == {"%1": "error", "%3": "running"}, what="the change is shown")
    until(lambda: moved[0] > 0, what="somebody is told")
    until(lambda: [target.name for target in feed.view.targets] == ["host"], what="targets are known")


@pytest.mark.tc("TC-305")
def test_a_lost_daemon_leaves_its_rows_and_is_found_again_by_the_cursor(stage: Stage, start: Start) -> None:
    """Nothing is asked for twice: the stream goes on after the last change that was seen."""
    feed = start()
    feed.first()
    stage.change(item("%1", "waiting_input"))
    until(lambda: panes(feed)["%1"] == "waiting_input")
    stage.stop()
    until(lambda: feed.view.lost_at is not None, what="the daemon counts as lost")
    assert feed.view.lost_at == 1000.0
    assert "no daemon answers" in feed.view.why or "ended the stream" in feed.view.why
    assert panes(feed) == {"%1": "waiting_input", "%2": "idle"}
    stage.change(item("%2", "running"))
    stage.start()
    until(lambda: feed.view.lost_at is None, what="the daemon is back")
    until(lambda: panes(feed) == {"%1": "waiting_input", "%2": "running"}, what="what was missed is shown")
    assert stage.cursors == [None, "s:2"]


@pytest.mark.tc("TC-305")
def test_a_daemon_that_falls_silent_is_lost(
    stage: Stage, start: Start, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heartbeat does not come: it was stopped, or hangs."""
    monkeypatch.setattr(feeds, "SILENCE", 0.2)
    feed = start()
    feed.first()
    until(lambda: feed.view.lost_at is not None, what="the daemon counts as lost")
    assert "said nothing for" in feed.view.why


@pytest.mark.tc("TC-305")
def test_a_first_attempt_that_fails_is_the_error_of_the_program(short_dir: Path, start: Start) -> None:
    with pytest.raises(AgtmuxError) as caught:
        start().first()
    assert caught.value.code == "E_DAEMON_UNREACHABLE"


@pytest.mark.tc("TC-305")
def test_a_cursor_that_is_refused_and_a_reset_begin_anew(short_dir: Path, start: Start) -> None:
    """A shutdown takes nothing back. Lines that cannot be read are left out."""
    (short_dir / "run").mkdir(mode=0o700)
    stub, end = Stub(short_dir / "run" / "agtmuxd.sock"), threading.Event()
    cursors: list[str | None] = []
    one, two = Stage(short_dir, item("%1")), Stage(short_dir, item("%2"))

    def lines(*texts: bytes, stay: bool = False) -> Iterator[bytes]:
        yield from texts
        if stay:
            end.wait(30)

    scripts: list[Any] = [
        lines(one._line("snapshot", items=[item("%1")]), b"garbage\n", b'{"type": "reset", "reason": "shutdown"}\n'),
        error("E_CURSOR_INVALID", "no such place"),
        lines(b'{"type": "reset", "reason": "other_stream"}\n'),
        lines(two._line("snapshot", items=[item("%2")]), stay=True),
    ]

    def watch(call: Any) -> tuple[int, Any]:
        cursors.append(call.query.get("cursor", [None])[0])
        script = scripts.pop(0)
        return (400, script) if isinstance(script, dict) else (200, script)

    stub.routes["GET /v1/watch"] = watch
    stub.start()
    try:
        feed = start()
        feed.first()
        until(lambda: panes(feed) == {"%2": "running"}, what="the new stream is shown")
        assert cursors == [None, "s:1", None, None]
    finally:
        end.set()
        stub.stop()


@pytest.mark.tc("TC-305")
def test_a_row_that_cannot_be_read_costs_no_other_row_anything(stage: Stage, start: Start) -> None:
    """And a line that is no object costs nothing: the stream is read again."""
    feed = start()
    feed.first()
    stage.change(
        {**item("%3"), "identity": {"target": "host", "pane_id": "%3"}, "waiting_for": {"options": 5}}, item("%4")
    )
    until(lambda: "%4" in panes(feed), what="the other row is shown")
    assert "%3" not in panes(feed)
    with stage._lock:
        for stream in stage._streams:
            stream.put(b"[5]\n")
    until(lambda: feed.view.why != "", what="it is told")
    until(lambda: feed.view.lost_at is None, what="it goes on")


@pytest.mark.tc("TC-305")
def test_a_storm_of_changes_is_shown_ten_times_a_second_at_most(stage: Stage, start: Start) -> None:
    """And its end is shown."""
    feed = start()
    feed.first()
    moves: list[int] = []
    feed.moved = lambda: moves.append(len(feed.view.rows))
    for n in range(400):
        stage.change(item("%1", "running", task=f"step {n}"))
    until(lambda: next(iter(feed.view.rows.values())).task == "step 399", what="the last change is shown")
    assert len(moves) < 100
