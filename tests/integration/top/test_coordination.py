"""From a key to a message or a queued prompt: written, looked at, and sent by a second stroke."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.integration.top.conftest import Open
from tests.integration.top.coord_stage import CoordStage
from tests.integration.top.fleet import fleet, pointed_at
from tests.unit.daemon_stub import error
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-907")
@pytest.mark.parametrize(
    ("key", "title", "path"),
    [("w", "Message to codex", "/v1/messages"), ("Q", "Prompt for the queue of codex", "/v1/queue")],
)
async def test_a_text_is_shown_before_it_is_sent_to_the_runtime_of_the_selected_row(
    stages: Stages, dashboard: Open, key: str, title: str, path: str
) -> None:
    coord = CoordStage(stages(*fleet()))
    async with dashboard(coord.stage) as seen:
        await pointed_at(seen, "codex")
        await seen.press(key)
        await seen.shows(title, "⏎ look at it")
        await seen.press(*"run tests", "enter")
        await seen.shows(title, "run tests", "typed")
        assert coord.writes == []
        await seen.strike(key)
        await seen.until(lambda: coord.writes)
        (one,) = coord.writes
        assert one["path"] == path and one["request_ref"]
        assert one.get("to", [one.get("ref")]) == [f"runtime:{'r' * 16}"]
        assert one.get("body", one.get("text")) == "run tests"
        await seen.until(lambda: len(seen.app.screen_stack) == 1)


@pytest.mark.tc("TC-907")
async def test_a_refused_message_says_why_and_escape_sends_nothing(stages: Stages, dashboard: Open) -> None:
    coord = CoordStage(stages(*fleet()))
    coord.refusal = (409, error("E_QUEUE_FULL", "50 messages wait already"))
    async with dashboard(coord.stage) as seen:
        await pointed_at(seen, "codex")
        await seen.press("w", "a", "enter")
        await seen.strike("w")
        await seen.shows("nothing was done: 50 messages wait already")
        await seen.press("escape", "Q", "b", "enter", "escape")
        assert len(coord.writes) == 1
        assert len(seen.app.screen_stack) == 1


@pytest.mark.tc("TC-907")
async def test_marked_rows_get_one_message_together_and_a_prompt_each(stages: Stages, dashboard: Open) -> None:
    coord = CoordStage(stages(*fleet()))
    async with dashboard(coord.stage) as seen:
        await seen.press("g", "space", "space", "w", *"hi", "enter")
        await seen.shows("Message to 2 agents")
        await seen.strike("w")
        await seen.until(lambda: coord.writes)
        assert len(coord.writes[0]["to"]) == 2
        await seen.press("g", "space", "space", "Q", *"hi", "enter")
        await seen.strike("Q")
        await seen.until(lambda: len(coord.writes) == 3)


@pytest.mark.tc("TC-903")
def test_the_dashboard_imports_nothing_of_it_before_it_is_used() -> None:
    """So the first frame comes no later."""
    code = (
        "import sys, agtmux.top.app; print([name for name in sys.modules if '.top.coord' in name or 'confirm' in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
