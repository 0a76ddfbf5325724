"""A watcher: where it begins, how it goes on, and what it gets when it is too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.listing import Filter
from agtmuxd.stream.history import PAGE
from tests.rows import STATES, Item, pane, steps
from tests.unit.stream.streams import Line, Reader, Stream, catch_up, fresh

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
