"""The panels: their sizes, what they show of the stream, a lost daemon, hostile text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual import events

from tests.integration.top.conftest import Open
from tests.integration.top.fleet import asking_fleet, fleet
from tests.unit.top.rows import item
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-306")
async def test_agents_are_shown_where_all_are_quiet(stages: Stages, dashboard: Open) -> None:
    """Otherwise the first look would show one line."""
    async with dashboard(stages(item("%1", "idle"), item("%2", "idle", agent_type="codex"))) as seen:
        await seen.shows("○ idle      claude", "○ idle      codex")


@pytest.mark.tc("TC-306")
@pytest.mark.parametrize(
    ("size", "list_size", "detail"),
    [((80, 24), (80, 11), 9), ((160, 50), (92, 47), 37), ((40, 20), (40, 17), 0), ((100, 12), (100, 9), 0)],
)
async def test_heights_follow_from_the_size_of_the_terminal_alone(
    stages: Stages, dashboard: Open, size: tuple[int, int], list_size: tuple[int, int], detail: int
) -> None:
    """With nothing to show and with much."""
    for items in ([], fleet() * 9):
        stage = stages(*items)
        async with dashboard(stage, size=size) as seen:
            assert (seen.app.list.size.width, seen.app.list.size.height) == list_size
            assert seen.app.detail.size.height == detail
        stage.stop()


@pytest.mark.tc("TC-303")
async def test_hostile_text_does_no_harm(stages: Stages, dashboard: Open) -> None:
    """Control, bidi, wide and combining characters in every field, and markup: it is text, in its place."""
    evil = "\x1b[2J\x1b]0;x\x07\u202e\u2066[bold red]界界\u0301\u0301\u200d👩\u200d💻\x9b31m[/]\nend"
    asks = {"kind": evil, "subject": evil, "text": evil, "options": [evil] * 3, "fingerprint": "f"}
    rows = [
        item(f"%{n}", state, waiting_for=asks if n < 3 else None, title=evil, task=evil, message=evil, cwd=evil,
             detail=evil, session=evil, target=evil if n > 3 else "host", agent_type=evil, agent_name=evil)
        for n, state in enumerate(("waiting_approval", "waiting_input", "error", "running", "idle", "unknown"), 1)
    ]  # fmt: skip
    stage = stages(*rows)
    stage.answers["view-output"] = {"output": "\x1b[1m" + evil + "\n\x1b[?1049h\x1b]8;;http://x\x07link\x1b]8;;\x07\n"}
    for size in ((80, 24), (160, 50), (40, 20)):
        async with dashboard(stage, size=size) as seen:
            strokes = "j b b b g j a escape o escape e escape question_mark escape slash 界 escape"
            for key in strokes.split(" "):
                await seen.press(key)
                bad = [c for c in seen.text if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)]
                assert bad == []
                assert not set(seen.text) & set("\u202e\u2066\u200d")
                assert seen.app.is_running
            assert not [part for strip in seen.app.detail._screen for part in strip if part.style and part.style.link]


@pytest.mark.tc("TC-305")
async def test_a_lost_daemon_is_told_and_its_rows_stay(stages: Stages, dashboard: Open) -> None:
    """Nothing can be done then, and it says so; when the daemon is back, the rows are those of now."""
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        stage.stop()
        await seen.shows("lost the daemon", "approval  claude")
        assert seen.app.list.dimmed
        await seen.press("a")
        await seen.strike("a")
        await seen.shows("nothing was done: no daemon answers")
        await seen.press("escape")
        stage.change(item("%3", "error", agent_type="gemini"))
        stage.start()
        await seen.shows("✗ error     gemini")
        await seen.until(lambda: "lost the daemon" not in seen.text)
        assert not seen.app.list.dimmed
        assert stage.cursors[-1] == "s:1"


@pytest.mark.tc("TC-302")
async def test_the_panels_follow_a_terminal_that_changes_its_size(stages: Stages, dashboard: Open) -> None:
    """Also while a card is open, and down to a size at which hardly anything can be seen."""
    async with dashboard(stages(*asking_fleet())) as seen:
        for cols, rows in ((160, 50), (40, 20), (100, 12), (12, 4), (80, 24)):
            await seen.pilot.resize_terminal(cols, rows)
            await seen.pilot.pause()
            assert max(len(row) for row in seen.rows) <= cols
        await seen.shows("approval  claude", "npm test", "? help")
        await seen.press("a")
        for size in ((30, 10), (160, 50), (80, 24)):
            await seen.pilot.resize_terminal(*size)
            await seen.pilot.pause()
        await seen.shows("Approve?", "npm test")


@pytest.mark.tc("TC-420")
async def test_it_tells_which_pane_a_person_looks_at(stages: Stages, dashboard: Open) -> None:
    """Only with the focus. An older daemon without the route makes no notice."""
    stage = stages(*fleet())
    async with dashboard(stage) as seen:

        async def look(*keys: str) -> str:
            """Select a row, and stay there."""
            await seen.press(*keys)
            seen.app.tick()
            seen.later(3)
            seen.app.tick()
            assert seen.app.list.row is not None
            return seen.app.list.row.ref

        await look("g")
        seen.app.post_message(events.AppFocus())
        await seen.until(lambda: seen.app.presence.focused)
        expected = [await look("j")]
        await seen.until(lambda: stage.done("look"))
        stage.answers["look"] = (404, {"error": {"code": "E_NOT_FOUND", "message": "there is no such route"}})
        expected.append(await look("j", "o"))
        await seen.until(lambda: len(stage.done("look")) > 1)
        await seen.press("escape")
        seen.app.post_message(events.AppBlur())
        await seen.until(lambda: not seen.app.presence.focused)
        await look("g")
        seen.app.post_message(events.AppFocus())
        await seen.until(lambda: seen.app.presence.focused)
        expected.append(await look("j"))
        await seen.until(lambda: len(stage.done("look")) > 2)
        assert stage.done("look") == [{"kind": "look", "panes": [ref], "surface": "top"} for ref in expected]
        assert "failed" not in seen.text
