"""The lines of the stream: written once for all watchers that share a filter."""

from __future__ import annotations

from agtmuxd.core.listing import Filter
from agtmuxd.stream.watcher import WatchRequest
from tests.rows import pane
from tests.unit.stream.streams import Stream


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


async def test_a_heartbeat_moves_the_cursor_of_a_watcher_that_sees_nothing() -> None:
    stream = Stream(pane("%1"))
    reader = await stream.watch(wanted=Filter(targets=("elsewhere",)), heartbeat=0.05)
    await reader.take()
    stream.show(pane("%1", title="new"))
    line = await reader.take()
    assert (line["type"], line["sequence"], line["cursor"]) == ("heartbeat", 1, "stream-1:1")
    assert "items" not in line
    assert "changes" not in line


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
