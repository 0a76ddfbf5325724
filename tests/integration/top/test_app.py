"""The keys of the dashboard: what each does to the panels, on a screen in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agtmux.top.agent_commands import Leave
from agtmux.top.keys import DEFAULTS
from tests.integration.top.conftest import Open
from tests.integration.top.fleet import fleet, pointed
from tests.unit.top.rows import ago, item
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-306")
async def test_n_goes_round_what_needs_you(stages: Stages, dashboard: Open) -> None:
    async with dashboard(stages(*fleet())) as seen:
        await seen.press("G", "n")
        assert "approval" in pointed(seen.rows)
        await seen.press("n")
        assert "input" in pointed(seen.rows)
        await seen.press("n")
        assert "approval" in pointed(seen.rows)
        await seen.press("N")
        assert "input" in pointed(seen.rows)


@pytest.mark.tc("TC-306")
async def test_a_filter_narrows_while_it_is_typed_and_escape_clears_it(stages: Stages, dashboard: Open) -> None:
    """Enter keeps it. What is typed there is text: no key acts."""
    stage = stages(*fleet())
    async with dashboard(stage) as seen:
        await seen.press("slash", *"agent:claude")
        await seen.shows("/", "⏎ keep  Esc clear")
        assert "interrupt" not in seen.rows[-1]
        assert "codex" not in "\n".join(seen.rows[:12])
        await seen.press("enter")
        await seen.shows("filter: agent:claude")
        await seen.press("escape")
        await seen.shows("codex")
        await seen.press("slash", *"@gpu")
        await seen.until(lambda: "codex" not in "\n".join(seen.rows[:12]))
        await seen.press("escape")
        await seen.shows("codex")
        await seen.press("slash", *"qaxd", "down")
        await seen.shows("No agent fits this filter")
        assert stage.done() == []
        await seen.press("escape", "slash", *"state:wat", "enter")
        await seen.shows("no state begins with wat")


@pytest.mark.tc("TC-306")
async def test_folds_and_groups_open_and_go_round(stages: Stages, dashboard: Open) -> None:
    async with dashboard(stages(*fleet())) as seen:
        await seen.shows("… 2 idle (z shows them)")
        await seen.press("z")
        await seen.shows("gemini")
        await seen.press("z")
        await seen.shows("… 2 idle")
        await seen.press("G", "enter")
        await seen.shows("gemini")
        for name in ("target", "session", "cwd", "attention"):
            await seen.press("b")
            await seen.shows(f"grouped by {name}")
        await seen.press("b")
        await seen.shows("gpu  1 input, 1 needs you", "host  4 agents, 1 needs you")


@pytest.mark.tc("TC-306")
async def test_panels_get_bigger_and_smaller_and_take_the_focus(stages: Stages, dashboard: Open) -> None:
    async with dashboard(stages(*fleet())) as seen:
        assert seen.app.detail.size.height == 9
        await seen.press("plus")
        assert seen.app.list.size.height == 21
        await seen.press("underscore", "tab", "plus")
        assert seen.app.detail.size.height == 20
        await seen.press("escape")
        assert (seen.app.list.size.height, seen.app.detail.size.height) == (11, 9)
        await seen.press("tab", "j", "k", "g", "G", "tab")
        assert seen.app.list.has_focus


@pytest.mark.tc("TC-306")
async def test_a_narrow_screen_shows_the_detail_on_its_own(stages: Stages, dashboard: Open) -> None:
    async with dashboard(stages(*fleet()), size=(40, 20)) as seen:
        await seen.press("tab")
        await seen.shows("npm test")
        await seen.press("tab")
        await seen.until(lambda: "npm test" not in seen.text)


@pytest.mark.tc("TC-306")
@pytest.mark.parametrize("before", [(), ("a",), ("question_mark",), ("o",), ("tab",), ("plus",), ("space",)])
async def test_q_and_ctrl_c_always_lead_out(stages: Stages, dashboard: Open, before: tuple[str, ...]) -> None:
    """q closes what is open and then the program; Ctrl-C the program at once. Nothing is done to an agent."""
    stage = stages(*fleet())
    async with dashboard(stage) as seen:
        await seen.press(*before, "q")
        if seen.app.is_running and seen.app._exit is False:
            await seen.press("q")
        assert seen.app._exit
    async with dashboard(stage) as seen:
        await seen.press(*before, "ctrl+c")
        assert seen.app._exit
    assert stage.done() == []


@pytest.mark.tc("TC-306")
async def test_a_keymap_counts_everywhere(stages: Stages, dashboard: Open) -> None:
    """In the list, in cards, in hints and in help."""
    stage = stages(*fleet())
    keymap = {**DEFAULTS, "approve": ("y",), "deny": ("ctrl+n",), "mute": ()}
    async with dashboard(stage, keymap=keymap) as seen:
        await seen.shows("y approve", "^n deny")
        await seen.press("a")
        assert len(seen.app.screen_stack) == 1
        await seen.press("y")
        await seen.shows("Approve?")
        await seen.strike("y")
        await seen.until(lambda: stage.done())
        assert [act["kind"] for act in stage.done()] == ["approve"]


@pytest.mark.tc("TC-306")
async def test_picking_gives_the_ref_of_a_row(stages: Stages, dashboard: Open) -> None:
    """All rows are there, what is typed narrows them, arrows move, Enter chooses, Escape leaves."""
    stage = stages(*fleet())
    async with dashboard(stage, pick=True, prints=True) as seen:
        await seen.shows("gemini", "⏎ go  Esc leave")
        await seen.press(*"claude", "down", "enter")
        assert seen.app.return_value == Leave(ref=stage.items[stage._key(fleet()[2])]["ref"])
    async with dashboard(stage, pick=True, prints=True) as seen:
        await seen.press(*"zz", "escape", "escape")
        assert seen.app._exit
        assert seen.app.return_value is None


@pytest.mark.tc("TC-900")
@pytest.mark.parametrize("size", [(80, 24), (40, 20)])
async def test_the_list_and_the_detail_show_names_mail_and_questions(
    stages: Stages, dashboard: Open, size: tuple[int, int]
) -> None:
    asks = {"kind": "question", "overdue": True, "count": 1, "since": ago(9), "attention": "needs_action"}
    one = item("%1", "running", task="Fix it", agent={"agent_id": "a1", "name": "builder", "team": None},
               asks=asks, mail={"unread": 2, "dead": 1}, attention="needs_action")  # fmt: skip
    async with dashboard(stages(one), size=size) as seen:
        await seen.shows("builder", "◆")
        assert ("overdue" in seen.rows[1]) is (size[0] == 80)
        if size[0] == 40:
            await seen.press("tab")
        await seen.shows("an answer is overdue", "1 message not delivered", "2 unread messages")
