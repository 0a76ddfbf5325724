"""Fields for text: what is typed there is text, and arrives as it was typed or pasted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.top.conftest import Open
from tests.integration.top.fleet import asking_fleet, pointed_at
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-306")
async def test_answers_and_prompts_are_typed_into_a_field(stages: Stages, dashboard: Open) -> None:
    """Letters there are text. Line ends that are pasted arrive as line ends."""
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        await pointed_at(seen, "input")
        await seen.press("r")
        await seen.shows("Answer?", "a number, or your own words")
        await seen.press("enter", *"quit", "enter")
        await seen.until(lambda: len(stage.done()) == 1)
        assert (stage.done()[0]["kind"], stage.done()[0]["text"]) == ("answer", "quit")
        await pointed_at(seen, "gemini")
        await seen.press("p", "enter", *"run it")
        from textual.events import Paste

        seen.app.screen.focused.post_message(Paste(":\n\tmake\r\nnow\x1b[2J\n"))  # type: ignore[union-attr]
        await seen.shows("make")
        await seen.press("enter")
        await seen.until(lambda: len(stage.done()) == 2)
        act = stage.done()[1]
        assert (act["kind"], act["text"], act["enter"], act["if_runtime"]) == (
            "send", "run it:\n\tmake\nnow[2J", True, "r" * 16,
        )  # fmt: skip
        assert "over_draft" not in act
