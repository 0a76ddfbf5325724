"""The log of the stream: its cursors, its ring in memory, and what happens when it was purged."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.listing import Filter
from agtmuxd.stream.history import PAGE
from tests.rows import pane
from tests.unit.stream.streams import Stream, fresh


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


async def test_the_ring_is_bounded_by_the_changes_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agtmuxd.stream.history.RING_CHANGES", 10)
    stream = Stream(*(pane(f"%{n}") for n in range(8)))
    for title in ("a", "b"):
        stream.show(*(pane(f"%{n}", title=title) for n in range(8)))
    assert stream.hub.history.recent(0) is None
    assert stream.hub.history.recent(1) is not None
