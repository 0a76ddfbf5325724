"""The list of agents on a screen in memory: its selection, by keys and by mouse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.top.conftest import Open
from tests.integration.top.fleet import fleet, pointed
from tests.unit.top.rows import ago, item
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-306")
async def test_the_selection_moves_by_keys_and_stays_on_its_row(stages: Stages, dashboard: Open) -> None:
    """Also where the row goes to another place, and where rows around it come and go."""
    stage = stages(*fleet())
    async with dashboard(stage) as seen:
        assert "approval" in pointed(seen.rows)
        await seen.press("j")
        assert "input" in pointed(seen.rows)
        await seen.press("k", "G")
        assert "2 idle" in pointed(seen.rows)
        await seen.press("g", "j", "j")
        assert "parser" in pointed(seen.rows)
        stage.change(item("%2", "error", agent_type="codex", session="parser", attention_since=ago(99)))
        await seen.shows("✗ error")
        assert "✗ error     codex    host/parser:1.0" in pointed(seen.rows)
        stage.change(gone=(stage.items[stage._key(item("%1"))],))
        await seen.until(lambda: "approval" not in seen.text)
        assert "codex" in pointed(seen.rows)
        await seen.press("ctrl+d", "ctrl+u", "home", "end", "down", "up", "pageup", "pagedown")
        assert "idle" in pointed(seen.rows)


@pytest.mark.tc("TC-306")
async def test_the_mouse_selects_goes_and_opens_a_menu(stages: Stages, dashboard: Open) -> None:
    stage = stages(*fleet())
    stage.answers["attach"] = (400, {"error": {"code": "E_REF_NOT_FOUND", "message": "it is gone"}})
    async with dashboard(stage) as seen:
        await seen.pilot.click("#list", offset=(5, 2))
        assert "codex" in pointed(seen.rows)
        await seen.pilot.double_click("#list", offset=(5, 0))
        await seen.shows("cannot go there: it is gone")
        assert stage.done()[-1]["kind"] == "attach"
        await seen.pilot.click("#list", offset=(5, 2), button=3)
        await seen.shows("codex %2", "Interrupt the turn")
        await seen.press("escape")
        await seen.pilot.click("#list", offset=(5, 9))
        assert "codex" in pointed(seen.rows)
