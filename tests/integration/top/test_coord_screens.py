"""The panel of mail, leases, worktrees and failed deliveries, on a screen in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from agtmux.top.card import HELD
from agtmux.top.coord_screens import CoordScreen
from tests.integration.top.conftest import Open
from tests.integration.top.coord_stage import CoordStage, delivery, message
from tests.integration.top.fleet import fleet
from tests.unit.daemon_stub import error
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.fixture
def coord(stages: Stages) -> Iterator[CoordStage]:
    made = CoordStage(stages(*fleet()))
    yield made
    made.end()


@pytest.mark.tc("TC-903")
async def test_nothing_of_coordination_is_read_or_followed_while_the_panel_is_closed(
    coord: CoordStage, dashboard: Open
) -> None:
    """Opened, it reads each list once; a change reads only the lists that it makes old; closed, it ends its stream."""
    async with dashboard(coord.stage) as seen:
        await seen.press("j", "k")
        coord.change("message")
        assert (coord.reads, coord.streams) == ([], [])
        await seen.press("c")
        await seen.shows("[1 Mail 1 unread]", "2 Leases 1", "3 Worktrees 1", "4 Failed 2")
        assert sorted(coord.reads) == ["failed", "inbox", "inbox", "leases", "worktrees"]
        screen = seen.app.screen
        assert isinstance(screen, CoordScreen)
        coord.reads.clear()
        coord.leases = []
        coord.change("lease")
        await seen.until(lambda: coord.reads == ["leases"])
        await seen.until(lambda: "2 Leases 1" not in seen.text)
        await seen.press("escape")
        assert screen._feed is not None
        feed = screen._feed
        await seen.until(lambda: feed.join(0))
        coord.change("lease")
        assert coord.reads == ["leases"]


@pytest.mark.tc("TC-904")
@pytest.mark.parametrize("size", [(80, 24), (40, 20)])
async def test_the_panel_says_who_holds_what_and_what_failed_with_words_and_shapes(
    coord: CoordStage, dashboard: Open, size: tuple[int, int]
) -> None:
    async with dashboard(coord.stage, size=size) as seen:
        await seen.press("c")
        await seen.shows("@", "port 2", "question 2 from web/builder", "r reply")
        rows = seen.rows
        assert [int(row.partition("port ")[2][0]) for row in rows[1:4]] == [2, 3, 1]
        await seen.press("2")
        await seen.shows("src/api/**", "builder holds", "(exclusive)", "until 2126-01-01")
        await seen.press("tab")
        await seen.shows("agtmux/builder", "/state/worktrees/a/1")
        await seen.press("4")
        await seen.shows("†", "~", "tester", "E_TARGET_DOWN")
        assert all(len(row) <= size[0] for row in seen.rows)


@pytest.mark.tc("TC-905")
async def test_a_message_is_opened_and_so_read_answered_and_acknowledged(coord: CoordStage, dashboard: Open) -> None:
    async with dashboard(coord.stage) as seen:
        await seen.press("c")
        await seen.shows("port 2")
        await seen.press("enter")
        await seen.shows("which one?", "the second line", "to people")
        assert coord.writes[-1]["path"] == "/v1/messages/m2/read"
        await seen.press("escape", "s")
        await seen.shows("acknowledged: message 2")
        assert coord.writes[-1]["path"] == "/v1/messages/m2/ack"
        await seen.press("r")
        await seen.shows("Reply to web/builder, message 2")
        await seen.press(*"8080", "enter")
        await seen.shows("8080", "Esc close")
        assert coord.writes[-1]["path"] == "/v1/messages/m2/ack"
        await seen.strike("r")
        await seen.shows("replied to web/builder")
        assert (coord.writes[-1]["path"], coord.writes[-1]["body"]) == ("/v1/messages/m2/reply", "8080")
        assert coord.writes[-1]["request_ref"]


@pytest.mark.tc("TC-906")
@pytest.mark.parametrize(("key", "verb"), [("r", "retry"), ("x", "drop")])
async def test_a_failed_delivery_is_tried_again_or_dropped_by_a_second_stroke_only(
    coord: CoordStage, dashboard: Open, key: str, verb: str
) -> None:
    """A stroke that comes too soon or is held down counts nothing. A refusal is shown, and nothing more is sent."""
    async with dashboard(coord.stage) as seen:
        await seen.press("c", "4")
        await seen.shows("tester")
        await seen.press(key)
        await seen.shows(f"{verb.capitalize()} the delivery to tester?")
        await seen.press(key)
        await seen.shows("too soon")
        seen.later()
        await seen.press(key, key)
        seen.later(HELD / 2)
        await seen.pilot.pause(HELD + 0.05)
        assert coord.writes == []
        await seen.strike(key)
        await seen.shows(f"{verb}: delivery to tester")
        assert [one["path"] for one in coord.writes] == [f"/v1/deliveries/d7/{verb}"]
        coord.refusal = (409, error("E_PRECONDITION_FAILED", "it was delivered meanwhile"))
        await seen.press("j", key)
        await seen.shows(f"{verb.capitalize()} the delivery to tester?")
        await seen.strike(key)
        await seen.shows("nothing was done: it was delivered meanwhile")
        await seen.strike(key)
        assert len(coord.writes) == 2


@pytest.mark.tc("TC-904")
async def test_the_selection_stays_on_its_item_when_the_list_changes(coord: CoordStage, dashboard: Open) -> None:
    async with dashboard(coord.stage) as seen:
        await seen.press("c")
        await seen.shows("port 2")
        await seen.press("j")
        await seen.shows("question 3 from")
        coord.inbox.append(message(4))
        coord.change("message")
        await seen.shows("port 4")
        assert "question 3 from" in seen.text
        coord.failed = [delivery(8), delivery(7)]


@pytest.mark.tc("TC-904")
async def test_a_list_that_cannot_be_read_says_why_and_the_others_are_there(coord: CoordStage, dashboard: Open) -> None:
    coord.stage.stub.routes["GET /v1/leases"] = lambda _: (500, error("E_INTERNAL", "the database is locked"))
    async with dashboard(coord.stage) as seen:
        await seen.press("c", "2")
        await seen.shows("the database is locked")
        await seen.press("1")
        await seen.shows("port 2")
