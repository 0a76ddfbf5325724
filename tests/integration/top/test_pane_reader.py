"""Looks at panes: output, messages and reasons."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.top.conftest import Open
from tests.integration.top.fleet import fleet
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-306")
async def test_pages_show_output_messages_and_reasons(stages: Stages, dashboard: Open) -> None:
    """``o`` follows the output, and Tab there shows the last message. ``q`` closes a page, not the program."""
    stage = stages(*fleet())
    stage.answers["view-output"] = {"output": "\n".join(f"line {n}" for n in range(100)) + "\n"}
    async with dashboard(stage) as seen:
        await seen.press("o")
        await seen.shows("line 99")
        await seen.press("g")
        await seen.shows("line 0")
        await seen.press("G", "ctrl+u", "j", "k")
        stage.answers["view-output"] = {"output": "a new line\n"}
        await seen.shows("a new line")
        await seen.press("tab")
        await seen.shows("the whole message")
        await seen.press("tab", "q")
        await seen.press("e")
        await seen.shows("Decided by:")
        await seen.press("escape")
        assert seen.app.is_running
        asked = stage.done("view-output")
        assert {one.get("again") for one in asked[1:]} == {"a1"}
