"""Which changes a watcher gets, and what several of them merge to."""

from __future__ import annotations

from agtmuxd.core.listing import Filter
from tests.rows import pane
from tests.unit.stream.streams import Stream, fresh


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
