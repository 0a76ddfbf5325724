"""The screens above the dashboard: menus and what they run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agtmux.top.keys import KEYS
from tests.integration.top.conftest import Open
from tests.integration.top.fleet import fleet, pointed_menu
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-306")
async def test_help_lists_every_key_and_runs_the_chosen_one(stages: Stages, dashboard: Open) -> None:
    """By Enter on its line, or by its key."""
    stage = stages(*fleet())
    async with dashboard(stage, size=(100, 50)) as seen:
        await seen.press("question_mark")
        for key in KEYS:
            assert key.help in seen.text
        await seen.press("e")
        await seen.shows("Decided by:")
        await seen.press("q", "question_mark", "q", "question_mark", "escape", "question_mark")
        while "Group by" not in pointed_menu(seen.app):
            await seen.press("j")
        await seen.press("enter")
        await seen.shows("grouped by target")
        assert stage.done() == []


@pytest.mark.tc("TC-306")
async def test_the_palette_finds_a_command_by_its_words(stages: Stages, dashboard: Open) -> None:
    async with dashboard(stages(*fleet())) as seen:
        await seen.press("colon", *"group by", "enter")
        await seen.shows("grouped by target")
        await seen.press("ctrl+p", *"nothing like it", "enter", "escape")
        await seen.press("ctrl+p", "down", "up", "escape")
        assert len(seen.app.screen_stack) == 1
