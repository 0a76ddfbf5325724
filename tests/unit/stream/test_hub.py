"""The stream: cursors, resuming, merging, slow watchers, the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.listing import Filter
from agtmuxd.core.model import NS
from agtmuxd.stream.history import PAGE, Batch, LogEntry
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import Change, PublishedRows, changes_for, name_of
from agtmuxd.stream.watcher import Watcher, WatchRequest
from tests.rows import STATES, Item, by_key, pane, steps

START = 1_767_225_600 * NS
Line = dict[str, Any]
Rows = dict[tuple[str, ...], Item]


class Stream:
    """A hub with a log behind it, as the daemon has: every batch is logged, then published."""

    def __init__(self, *panes: Item, **limits: Any) -> None:
        self.view = PublishedRows("stream-1", 0, by_key(*panes))
        self.log: list[tuple[int, int, str, str]] = []
        self.purged = 0  # entries up to this sequence are gone
        self.reads = 0
        self.during_read: Callable[[], object] | None = None
        self.hub = Hub(self.view, now=lambda: START, read_log=self.read_log, **limits)

    async def read_log(self, after: int, scope: str, limit: int) -> list[LogEntry] | None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.during_read is not None:
            self.during_read()
            self.during_read = None
        if after < self.purged:
            return None
        found = [
            (sequence, at, [Change.from_json(scope, value) for value in json.loads(text)])
            for sequence, at, kept, text in self.log
            if kept == scope and sequence > after
        ]
        return found[:limit]

    def publish(self, changes: dict[str, Item | None]) -> int:
        found = changes_for(self.view, changes)
        if found:
            sequence = self.view.sequence + 1
            for scope, some in found.items():
                text = json.dumps([change.to_json() for change in some])
                self.log.append((sequence, START + sequence, scope, text))
            self.hub.publish(Batch(sequence, START + sequence, found))
        return self.view.sequence

    def show(self, *panes: Item) -> int:
        return self.publish(dict(by_key(*panes)))

    async def watch(self, **asked: Any) -> Reader:
        watcher = await self.hub.open(WatchRequest(**asked))
        return Reader(watcher)


class Reader:
    """A client: takes lines, keeps rows and the last cursor."""

    def __init__(self, watcher: Watcher, rows: Rows | None = None) -> None:
        self.watcher = watcher
        self.rows: Rows = dict(rows or {})
        self.cursor = ""
        self.lines: list[Line] = []
        self._lines: AsyncIterator[bytes] = watcher.lines()

    async def take(self) -> Line:
        async with asyncio.timeout(10):
            raw = await anext(self._lines)
        assert raw.endswith(b"\n")
        assert raw.count(b"\n") == 1
        line: Line = json.loads(raw)
        self.lines.append(line)
        self.cursor = line["cursor"]
        if line["type"] == "snapshot":
            self.rows = {name_of(item["identity"]): item for item in line["items"]}
        for change in line.get("changes", ()):
            if change["op"] == "delete":
                del self.rows[name_of(change["identity"])]
            else:
                self.rows[name_of(change["identity"])] = change["item"]
        return line

    async def rest(self) -> list[Line]:
        out = []
        while True:
            try:
                out.append(await self.take())
            except StopAsyncIteration:
                return out

    def leave(self) -> None:
        self.watcher.close()


async def catch_up(stream: Stream, cursor: str | None, rows: Rows | None = None, **asked: Any) -> Reader:
    """All that a one-shot request answers, on top of the rows that the client has."""
    reader = await stream.watch(cursor=cursor, once=True, **asked)
    reader.rows = dict(rows or {})
    reader.cursor = cursor or ""
    await reader.rest()
    reader.leave()
    return reader


def fresh(stream: Stream, scope: str, wanted: Filter) -> Rows:
    return {name_of(item["identity"]): item for item in stream.view.select(scope, wanted)}


FILTERS = st.builds(
    Filter,
    targets=st.sampled_from([(), ("host",)]),
    sessions=st.sampled_from([(), ("work",), ("a/b %", "日本")]),
    states=st.sampled_from([(), ("running", "error"), STATES[1:3]]),
    agents=st.sampled_from([(), ("codex",)]),
    needs_action=st.booleans(),
    everything=st.booleans(),
)
SCOPES = st.sampled_from(["panes", "windows", "sessions"])


async def test_without_a_cursor_the_first_line_is_a_snapshot() -> None:
    reader = await Stream(pane(), pane("%2", state="idle")).watch()
    line = await reader.take()
    assert line["type"] == "snapshot"
    assert line["cursor"] == "stream-1:0"
    assert line["summary"]["total"] == len(line["items"]) == 2


async def test_a_delta_is_there_as_soon_as_it_is_published() -> None:
    stream = Stream(pane())
    reader = await stream.watch()
    await reader.take()
    stream.show(pane(state="waiting_approval"))
    line = await reader.take()
    assert (line["type"], line["sequence"], line["cursor"]) == ("delta", 1, "stream-1:1")
    assert [(change["op"], change["item"]["state"]) for change in line["changes"]] == [("upsert", "waiting_approval")]
    assert line["summary"]["by_state"]["waiting_approval"] == 1


async def test_a_row_that_no_longer_matches_is_deleted_and_one_never_had_is_not() -> None:
    stream = Stream(pane("%1", state="idle"), pane("%2", state="running"))
    reader = await stream.watch(wanted=Filter(states=("running",)))
    await reader.take()
    stream.show(pane("%1", state="completed"))  # never matched: no line
    stream.show(pane("%2", state="completed"))
    line = await reader.take()
    assert line["sequence"] == 2
    assert line["changes"] == [{"op": "delete", "identity": pane("%2")["identity"]}]
    assert line["summary"]["total"] == 0


async def test_panes_without_an_agent_are_told_only_to_those_who_ask_for_all() -> None:
    stream = Stream()
    some, everything = await stream.watch(), await stream.watch(wanted=Filter(everything=True))
    await some.take()
    await everything.take()
    stream.show(pane("%1", agent=None))
    stream.show(pane("%1"))
    assert [(await everything.take())["changes"][0]["item"]["agent_type"] for _ in range(2)] == [None, "claude"]
    assert (await some.take())["sequence"] == 2


@pytest.mark.tc("TC-019")
@pytest.mark.parametrize("ring", [2048, 2])
async def test_a_cursor_resumes_with_the_very_lines_that_were_missed(ring: int) -> None:
    stream = Stream(pane("%1"), ring=ring)
    steady = await stream.watch()
    await steady.take()
    cursors = [steady.cursor]
    for n in range(6):
        stream.show(pane("%1", title=f"t{n}"), pane("%2", state=STATES[n]))
        cursors.append((await steady.take())["cursor"])
    for missed, cursor in enumerate(cursors):
        reader = await stream.watch(cursor=cursor, once=True)
        assert await reader.rest() == steady.lines[missed + 1 :]
        reader.leave()


@pytest.mark.tc("TC-019")
@settings(deadline=None, max_examples=100)
@given(
    repository=st.lists(steps(), min_size=1, max_size=14),
    cut=st.integers(0, 14),
    ring=st.sampled_from([1, 3, 2048]),
    scope=SCOPES,
    wanted=FILTERS,
    interval=st.sampled_from([0.0, 5.0]),
)
def test_resuming_gives_what_a_fresh_snapshot_says(
    repository: list[dict[str, Item | None]], cut: int, ring: int, scope: str, wanted: Filter, interval: float
) -> None:
    async def play() -> None:
        stream = Stream(ring=ring)
        asked: dict[str, Any] = {"scope": scope, "wanted": wanted}
        for step in repository[:cut]:
            stream.publish(step)
        had = await catch_up(stream, None, **asked)
        for step in repository[cut:]:
            stream.publish(step)
        reader = await catch_up(stream, had.cursor, had.rows, interval=interval, **asked)
        assert reader.rows == fresh(stream, scope, wanted)
        assert {line["type"] for line in reader.lines} <= {"delta"}
        sequences = [line["sequence"] for line in reader.lines]
        assert sequences == sorted(set(sequences))
        assert all(line["changes"] for line in reader.lines)
        if reader.lines:
            assert reader.lines[-1]["summary"] == stream.view.tally(scope, wanted).summary()

    asyncio.run(play())


@pytest.mark.tc("TC-019")
@settings(deadline=None, max_examples=100)
@given(
    repository=st.lists(steps(), min_size=1, max_size=12),
    cuts=st.sets(st.integers(0, 12)),
    ring=st.sampled_from([1, 2048]),
    wanted=FILTERS,
)
def test_a_watcher_that_comes_and_goes_hears_what_a_steady_one_hears(
    repository: list[dict[str, Item | None]], cuts: set[int], ring: int, wanted: Filter
) -> None:
    async def play() -> None:
        stream = Stream(ring=ring)
        steady = await stream.watch(wanted=wanted, once=False)
        first = await steady.take()
        heard: list[Line] = []
        cursor, rows = first["cursor"], steady.rows
        for n, step in enumerate(repository):
            stream.publish(step)
            if n in cuts:
                reader = await catch_up(stream, cursor, rows, wanted=wanted)
                heard += reader.lines
                cursor, rows = reader.cursor, reader.rows
        heard += (await catch_up(stream, cursor, rows, wanted=wanted)).lines
        await stream.hub.close(0)
        assert (await steady.rest())[:-1] == heard

    asyncio.run(play())


@pytest.mark.tc("TC-019")
async def test_what_is_published_while_the_log_is_read_comes_after_it_and_once() -> None:
    stream = Stream(pane("%1"), ring=1)
    for n in range(PAGE + 20):
        stream.show(pane("%1", title=f"t{n}"))
    reader = await stream.watch(cursor="stream-1:0")
    assert stream.reads > 1
    titles = []
    for n in range(PAGE + 20):
        if n == 3:
            stream.show(pane("%1", title="live"))
        titles.append((await reader.take())["changes"][0]["item"]["title"])
    stream.show(pane("%1", title="end"))
    titles += [(await reader.take())["changes"][0]["item"]["title"] for _ in range(2)]
    assert titles == [*(f"t{n}" for n in range(PAGE + 20)), "live", "end"]


@pytest.mark.tc("TC-019")
async def test_what_is_published_while_the_log_is_read_is_merged_after_it() -> None:
    stream = Stream(pane("%1"), ring=1)
    for title in ("a", "b", "c"):
        stream.show(pane("%1", title=title))
    stream.during_read = lambda: stream.show(pane("%1", title="live"))
    reader = await stream.watch(cursor="stream-1:0", interval=60)
    line = await reader.take()
    assert [change["item"]["title"] for change in line["changes"]] == ["live"]
    assert line["sequence"] == stream.view.sequence


@pytest.mark.tc("TC-020")
@pytest.mark.parametrize(("cursor", "reason"), [("stream-1:1", "cursor_expired"), ("other:0", "other_stream")])
@pytest.mark.parametrize("interval", [0.0, 1.0])
async def test_a_cursor_that_cannot_be_resumed_gets_a_reset_and_then_a_snapshot(
    cursor: str, reason: str, interval: float
) -> None:
    stream = Stream(ring=1)
    for state in STATES:
        stream.show(pane(state=state))
    stream.purged = 3
    reader = await stream.watch(cursor=cursor, interval=interval)
    reset, snapshot = await reader.take(), await reader.take()
    assert (reset["type"], reset["reason"], reset["stream_id"]) == ("reset", reason, "stream-1")
    assert (snapshot["type"], snapshot["sequence"], len(snapshot["items"])) == ("snapshot", 7, 1)
    stream.show(pane(state="idle"))
    assert (await reader.take())["sequence"] == 8


@pytest.mark.tc("TC-020")
@pytest.mark.parametrize("cursor", ["stream-1:1", "other:0"])
async def test_a_one_shot_request_is_refused_where_its_cursor_cannot_be_resumed(cursor: str) -> None:
    stream = Stream(ring=1)
    for state in STATES:
        stream.show(pane(state=state))
    stream.purged = 3
    with pytest.raises(AgtmuxError) as caught:
        await stream.watch(cursor=cursor, once=True)
    assert caught.value.code == "E_CURSOR_EXPIRED"
    assert stream.hub.watchers == 0


@pytest.mark.tc("TC-020")
async def test_a_log_purged_in_the_middle_of_a_replay_ends_in_a_reset() -> None:
    stream = Stream(pane("%1"), ring=1)
    for n in range(PAGE + 5):
        stream.show(pane("%1", title=f"t{n}"))
    reader = await stream.watch(cursor="stream-1:0")
    await reader.take()
    stream.purged = PAGE + 2
    types = [(await reader.take())["type"] for _ in range(PAGE + 1)]
    assert types[-3:] == ["delta", "reset", "snapshot"]
    assert reader.rows == fresh(stream, "panes", Filter())


@pytest.mark.tc("TC-020")
@pytest.mark.parametrize(
    "cursor", ["", "x", "stream-1", "stream-1:", "stream-1:-1", "stream-1:1x", ":1", "stream-1:9", "a b:1"]
)
async def test_a_malformed_cursor_or_one_from_the_future_is_invalid(cursor: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        await Stream(pane()).watch(cursor=cursor)
    assert caught.value.code == "E_CURSOR_INVALID"


async def test_an_interval_merges_to_the_net_effect_and_what_came_and_went_vanishes() -> None:
    stream = Stream(pane("%1", state="idle"), pane("%2", state="idle"), pane("%3"))
    reader = await stream.watch(interval=0.05)
    await reader.take()
    stream.show(pane("%1", state="running"))
    await reader.take()  # the first change is told at once, the next ones wait
    for state in ("completed", "idle", "waiting_input"):
        stream.show(pane("%1", state=state), pane("%2", state=state))
    stream.show(pane("%2", state="idle"))
    stream.show(pane("%4"))
    stream.publish({"host/%4": None, "host/%3": None})
    line = await reader.take()
    assert line["sequence"] == stream.view.sequence
    listed = {change["identity"]["pane_id"]: change["op"] for change in line["changes"]}
    assert listed == {"%1": "upsert", "%3": "delete"}
    assert reader.rows == fresh(stream, "panes", Filter())


async def test_a_heartbeat_moves_the_cursor_of_a_watcher_that_sees_nothing() -> None:
    stream = Stream(pane("%1"))
    reader = await stream.watch(wanted=Filter(targets=("elsewhere",)), heartbeat=0.05)
    await reader.take()
    stream.show(pane("%1", title="new"))
    line = await reader.take()
    assert (line["type"], line["sequence"], line["cursor"]) == ("heartbeat", 1, "stream-1:1")
    assert "items" not in line
    assert "changes" not in line


async def test_a_slow_watcher_loses_its_backlog_and_gets_reset_and_snapshot() -> None:
    stream = Stream(pane("%1"), backlog_lines=5)
    slow, steady = await stream.watch(), await stream.watch()
    await slow.take()
    await steady.take()
    for n in range(20):
        stream.show(pane("%1", title=f"t{n}"))
        assert (await steady.take())["type"] == "delta"
    reset, snapshot = await slow.take(), await slow.take()
    assert (reset["type"], reset["reason"], reset["sequence"]) == ("reset", "slow_consumer", 0)
    assert (snapshot["type"], snapshot["sequence"]) == ("snapshot", 20)
    stream.show(pane("%1", title="after"))
    assert (await slow.take())["changes"][0]["item"]["title"] == "after"


async def test_a_backlog_is_bounded_in_bytes_too_but_one_large_line_is_nobodys_slowness() -> None:
    stream = Stream(pane("%1"), backlog_bytes=3000)
    reader = await stream.watch()
    await reader.take()
    stream.show(pane("%1", title="x" * 5000))
    assert (await reader.take())["type"] == "delta"
    for n in range(4):
        stream.show(pane("%1", title=f"{n}" * 2000))
    assert (await reader.take())["reason"] == "slow_consumer"


async def test_at_shutdown_every_watcher_gets_what_it_waits_for_and_a_terminal_reset() -> None:
    stream = Stream(pane("%1"))
    readers: Sequence[Reader] = [
        await stream.watch(),
        await stream.watch(scope="windows"),
        await stream.watch(interval=60),
    ]
    for reader in readers:
        await reader.take()
    stream.show(pane("%1", state="error"))

    async def finish(reader: Reader) -> list[Line]:
        lines = await reader.rest()
        reader.leave()
        return lines

    ends = [asyncio.create_task(finish(reader)) for reader in readers]
    await stream.hub.close(10)
    for end in ends:
        lines = await end
        assert [line["type"] for line in lines] == ["delta", "reset"]
        assert lines[-1]["reason"] == "shutdown"
        assert lines[-1]["cursor"] == "stream-1:1"
    assert stream.hub.watchers == 0


async def test_the_cursor_of_a_terminal_reset_never_skips_what_was_dropped() -> None:
    stream = Stream(pane("%1"), backlog_lines=2)
    reader = await stream.watch()
    await reader.take()
    for n in range(5):
        stream.show(pane("%1", title=f"t{n}"))
    await stream.hub.close(0)
    lines = await reader.rest()
    assert [(line["type"], line["sequence"]) for line in lines] == [("reset", 0), ("snapshot", 5), ("reset", 5)]


async def test_a_hundred_watchers_of_one_filter_share_one_line() -> None:
    stream = Stream(pane("%1"))
    watchers = [await stream.hub.open(WatchRequest()) for _ in range(100)]
    sources = [watcher.lines() for watcher in watchers]
    for source in sources:
        await anext(source)
    stream.show(pane("%1", title="new"))
    lines = [await anext(source) for source in sources]
    assert len({id(line) for line in lines}) == 1
    for watcher in watchers:
        watcher.close()
    assert stream.hub.watchers == 0


async def test_a_batch_out_of_order_is_refused() -> None:
    stream = Stream(pane("%1"))
    stream.show(pane("%1", title="x"))
    with pytest.raises(ValueError, match="batch 1 after 1"):
        stream.hub.publish(Batch(1, START, {}))


async def test_the_ring_is_bounded_by_the_changes_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agtmuxd.stream.history.RING_CHANGES", 10)
    stream = Stream(*(pane(f"%{n}") for n in range(8)))
    for title in ("a", "b"):
        stream.show(*(pane(f"%{n}", title=title) for n in range(8)))
    assert stream.hub.history.recent(0) is None
    assert stream.hub.history.recent(1) is not None
