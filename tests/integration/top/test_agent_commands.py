"""From keys to requests: cards, prompts, going there. No agent is ever acted on by one stroke."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agtmux.top.agent_commands import Leave
from agtmux.top.card import HELD
from agtmux.top.keys import KEYS
from tests.integration.top.conftest import Open
from tests.integration.top.fleet import ASKS, asking, asking_fleet, pointed_at
from tests.unit.daemon_stub import error
from tests.unit.top.rows import item
from tests.unit.top.stage import Stage

Stages = Callable[..., Stage]


@pytest.mark.tc("TC-307")
async def test_no_key_acts_on_an_agent_by_one_stroke(stages: Stages, dashboard: Open) -> None:
    """Every key of the table, on every kind of row. Marking as seen and going there change nothing at an agent."""
    stage = stages(*asking_fleet())
    for row in asking_fleet()[:4:2] + asking_fleet()[4:]:
        async with dashboard(stage) as seen:
            for key in KEYS:
                if key.id in ("quit", "go", "seen"):
                    continue
                seen.app.list.select(("host", row["identity"]["pane_id"]))
                await seen.press(textual_name(key.keys[0]))
                seen.later()
                await seen.press("escape", "escape")
                assert len(seen.app.screen_stack) == 1, key
    assert stage.done() == []


def textual_name(key: str) -> str:
    names = {"/": "slash", "+": "plus", "_": "underscore", ":": "colon", "?": "question_mark"}
    return names.get(key, key)


@pytest.mark.tc("TC-307")
async def test_approving_takes_two_strokes_and_names_the_prompt_that_was_shown(stages: Stages, dashboard: Open) -> None:
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        await seen.press("a")
        await seen.shows("Approve?", "claude in host/work:1.0 %1", "npm test", "(also later ones)", "Esc close")
        await seen.press("a")
        await seen.shows("too soon")
        await seen.strike("a")
        await seen.until(lambda: stage.done())
        await seen.shows("approved: claude in host/work:1.0 %1")
        (act,) = stage.done()
        assert act["kind"] == "approve"
        assert (act["if_fingerprint"], act["if_state_version"], act["if_runtime"]) == ("f1", 7, "r" * 16)
        assert len(seen.app.screen_stack) == 1


@pytest.mark.tc("TC-307")
async def test_a_held_key_approves_nothing(stages: Stages, dashboard: Open) -> None:
    """Its repeats open one card and decide nothing, however long it is held."""
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        await seen.press("a")
        for _ in range(60):
            seen.later(0.033)
            await seen.press("a")
        await seen.shows("held down")
        seen.later()
        await seen.pilot.pause(HELD * 2)
        assert stage.done() == []


@pytest.mark.tc("TC-307")
async def test_a_card_whose_prompt_changes_says_so_and_does_nothing(stages: Stages, dashboard: Open) -> None:
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        await seen.press("a")
        seen.later()
        stage.change(asking("%1", 1, waiting_for={**ASKS, "text": "rm -rf /", "fingerprint": "f9"}, state_version=8))
        await seen.shows("the prompt changed: nothing was done", "npm test")
        for key in ("a", "enter", "1", "d"):
            await seen.strike(key)
        assert stage.done() == []
        await seen.press("escape", "a")
        await seen.shows("rm -rf /")


@pytest.mark.tc("TC-307")
async def test_a_refused_request_is_told_on_its_card(stages: Stages, dashboard: Open) -> None:
    """The daemon saw another prompt than the dashboard: nothing was done, and the card is worth nothing."""
    stage = stages(*asking_fleet())
    stage.answers["approve"] = (412, error("E_PRECONDITION_FAILED", "the prompt is another one now"))
    async with dashboard(stage) as seen:
        await seen.press("a")
        await seen.strike("a")
        await seen.shows("nothing was done: the prompt is another one now", "Esc close")
        await seen.strike("a")
        assert len(stage.done()) == 1


@pytest.mark.tc("TC-307")
async def test_digits_answer_inside_a_card_and_nowhere_else(stages: Stages, dashboard: Open) -> None:
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        await seen.press(*"123456789")
        assert len(seen.app.screen_stack) == 1
        await seen.press("a")
        await seen.strike("9")
        assert stage.done() == []
        await seen.strike("3")
        await seen.until(lambda: stage.done())
        (act,) = stage.done()
        assert (act["kind"], act["option"], act["if_fingerprint"]) == ("answer", 3, "f1")


@pytest.mark.tc("TC-307")
async def test_marked_rows_are_shown_one_after_another(stages: Stages, dashboard: Open) -> None:
    """Each has a card and a stroke of its own. Escape goes to the next one without doing anything."""
    stage = stages(*asking_fleet(), asking("%6", 40, agent_type="qwen", waiting_for={**ASKS, "fingerprint": "f6"}))
    async with dashboard(stage) as seen:
        await seen.press("space", "space", "space", "space", "space")
        await seen.shows("5 marked")
        await seen.press("a")
        await seen.shows("Approve?  1 of 3", "%1")
        await seen.strike("a")
        await seen.shows("Approve?  2 of 3", "codex in host/work:1.0 %2")
        await seen.press("a")
        await seen.shows("too soon")
        await seen.press("escape")
        await seen.shows("Approve?  3 of 3", "qwen")
        await seen.strike("a")
        await seen.until(lambda: len(stage.done()) == 2)
        assert [(act["kind"], act["if_fingerprint"]) for act in stage.done()] == [("approve", "f1"), ("approve", "f6")]
        await seen.until(lambda: "marked" not in seen.text)


@pytest.mark.tc("TC-307")
async def test_interrupt_and_kill_ask_on_a_card_too(stages: Stages, dashboard: Open) -> None:
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        await pointed_at(seen, "gemini")
        await seen.press("i")
        await seen.shows("Interrupt?")
        await seen.strike("i")
        await seen.shows("interrupted: gemini")
        await seen.press("x")
        await seen.shows("SIGTERM to process 7 (gemini)")
        await seen.strike("x")
        await seen.until(lambda: len(stage.done()) == 2)
        first, second = stage.done()
        assert (first["kind"], first["if_state"]) == ("interrupt", ["running"])
        assert (second["kind"], second["mode"], second["signal"]) == ("kill", "key", "INT")


@pytest.mark.tc("TC-306")
async def test_a_prompt_and_seen_take_all_marked_rows(stages: Stages, dashboard: Open) -> None:
    stage = stages(*asking_fleet())
    async with dashboard(stage) as seen:
        await seen.press("space", "space", "p")
        await seen.shows("Prompt for claude in host/work:1.0 %1", "Prompt for codex")
        await seen.press(*"go", "enter")
        await seen.until(lambda: len(stage.done()) == 2)
        assert {act["ref"][-2:] for act in stage.done()} == {"%1", "%2"}
        await seen.press("G", "s")
        await seen.until(lambda: len(stage.done("ack")) == 1)
        await seen.press("p", "escape")
        assert len(stage.done()) == 3


@pytest.mark.tc("TC-306")
async def test_a_key_with_nothing_to_do_says_why(stages: Stages, dashboard: Open) -> None:
    stage = stages(item("%1", "idle", agent_type="pi"))
    async with dashboard(stage) as seen:
        for key, verb in (("a", "approve"), ("d", "deny"), ("r", "answer"), ("i", "interrupt")):
            await seen.press(key)
            await seen.shows(f"there is nothing to {verb}: pi in host/work:1.0 %1 is idle")
        await seen.press("n")
        await seen.shows("nothing needs you")
        assert stage.done() == []
    async with dashboard(stages()) as seen:
        await seen.press("a")
        await seen.shows("select an agent first")
        await seen.press("p", "s", "x", "o", "e", "enter", "space", "z", "b", "G", "tab")
        assert len(seen.app.screen_stack) == 1


@pytest.mark.tc("TC-310")
@pytest.mark.parametrize("popup", [True, False])
async def test_going_there_ends_a_popup_and_nothing_else(
    stages: Stages, dashboard: Open, monkeypatch: pytest.MonkeyPatch, popup: bool
) -> None:
    """In the same tmux server the client switches; a popup first gets out of the way."""
    monkeypatch.setenv("TMUX", "/tmp/t/default,41,0")
    stage = stages(*asking_fleet())
    switch = ["/bin/sh", "-c", "echo no such client >&2; exit 1"]
    result = {"kind": "local", "socket": "/tmp/t/default", "server_pid": 41, "argv": ["attach"], "switch": switch,
              "whole": ["tmux", "attach", "a b"]}  # fmt: skip
    stage.answers["attach"] = result
    async with dashboard(stage, popup=popup) as seen:
        await seen.press("enter")
        if popup:
            await seen.until(lambda: seen.app._exit)
            assert seen.app.return_value == Leave(argv=tuple(switch))
        else:
            await seen.shows("tmux did not switch: no such client")
        (act,) = stage.done()
        assert act["inside"] == {"socket": "/tmp/t/default", "server_pid": 41}
    if not popup:
        stage.answers["attach"] = {**result, "server_pid": 42}
        async with dashboard(stage) as seen:
            await seen.press("enter")
            await seen.shows("this terminal is inside another tmux; run this outside of it: tmux attach")


@pytest.mark.tc("TC-306")
async def test_muting_asks_for_how_long(stages: Stages, dashboard: Open) -> None:
    """Every mute ends. Marked rows are muted together. A daemon without mutes is said to be old."""
    stage = stages(*asking_fleet())
    stage.answers["mute"] = {"until": "2099-01-01T00:00:00.000Z"}
    async with dashboard(stage) as seen:
        await seen.press("m")
        await seen.shows("Mute claude in host/work:1.0 %1", "2 hours", "until 8 in the morning")
        await seen.press("j", "enter")
        await seen.shows("muted for ")
        await seen.press("space", "space", "m", "k", "j", "j", "j", "enter")
        await seen.until(lambda: len(stage.done()) == 3)
        first, *others = stage.done()
        assert (first["kind"], first["seconds"], first["pane"][-2:]) == ("mute", 7200, "%1")
        assert all(0 < act["seconds"] <= 86_400 for act in others)
        await seen.until(lambda: len(seen.app.screen_stack) == 1)
        await seen.press("m", "j", "j", "j", "j", "enter")
        await seen.shows("no longer muted")
        stage.answers["mute"] = (404, error("E_INVALID_REQUEST", "no route POST /v1/notify/mute"))
        await seen.press("m", "enter")
        await seen.shows("mute needs a newer daemon: run agtmux daemon restart")
        await seen.press("m", "q")
        assert len(seen.app.screen_stack) == 1
