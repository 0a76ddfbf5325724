"""Actions on the real OpenCode: colour alone shows what Enter takes in its dialogs, and two keys stop its turns."""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.opencode import OpenCodeDriver
from tests.agents.test_actions import operate

pytestmark = [pytest.mark.agents, pytest.mark.timeout(180)]


@pytest.mark.tc("TC-107")
def test_real_requests_are_answered_as_was_meant_wherever_the_choice_stood(start: Start) -> None:
    """approve allows once and deny refuses, also after somebody moved the choice; a yes for good is left to them."""
    me = operate(start, OpenCodeDriver)
    made = me.driver.world.work / "note.txt"

    def ask(prompt: str) -> None:
        made.unlink(missing_ok=True)
        me.does("prompt", me.pane, prompt)
        me.becomes("waiting_approval")
        me.driver.wait_approval()
        me.driver.at.wait_still()

    for moved in (["Right"], ["Right", "Right"]):
        ask("write one")
        me.driver.at.keys(*moved)
        me.driver.at.wait_still()
        me.refused("dialog_open", "send", me.pane, "--text", "yes please", "--enter")
        told = me.does("approve", me.pane)
        assert told.startswith(f"approved in host {me.pane}"), told
        me.becomes("completed")
        assert made.exists()
        me.driver.wait_ready()
    ask("write two")
    me.does("deny", me.pane)
    me.becomes("idle")
    me.driver.wait_ready()
    ask("write three")
    me.does("answer", me.pane, "2")
    me.driver.at.wait_text("△ Always allow")
    for verb in ("approve", "deny"):
        done = me.try_it(verb, me.pane)
        assert done.returncode == 5, done
    assert me.driver.at.look().has(r"△ Always allow")
    assert not made.exists()


@pytest.mark.tc("TC-027")
def test_the_real_opencode_is_asked_answered_and_stopped(start: Start) -> None:
    """prompt --wait, an option, words of one's own, an interrupt; words that somebody types are left alone."""
    me = operate(start, OpenCodeDriver)
    told = me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s")
    assert told.startswith("completed"), told
    me.driver.wait_ready()
    for answer, told in (("2", '"Blue"'), ("a colour like sand", '"a colour like')):
        me.does("prompt", me.pane, "ask me")
        me.becomes("waiting_input")
        me.driver.wait_question()
        me.does("answer", me.pane, answer)
        me.becomes("completed")
        assert me.driver.at.look().has(told)
        me.driver.wait_ready()
    me.does("prompt", me.pane, "ask me")
    me.becomes("waiting_input")
    me.driver.wait_question()
    me.driver.at.keys("3")
    me.driver.at.wait_still()
    me.driver.at.type("half a thought")
    for answer in ("1", "sand"):
        done = me.try_it("answer", me.pane, answer)
        assert done.returncode == 5, done
    assert me.driver.at.look().has("half a thought$")
    me.driver.at.keys("Escape")  # out of the field
    me.driver.at.wait(lambda look: not look.has("half a thought"), "the field closed", 10)
    me.driver.at.keys("Escape")
    me.becomes("idle")
    me.driver.wait_ready()
    me.refused("not_running", "interrupt", me.pane)
    me.does("prompt", me.pane, "slow 20")
    me.driver.wait_streaming()
    me.does("interrupt", me.pane)
    me.becomes("idle")
    me.driver.wait_ready()
    assert "interrupted" in me.does("view-output", me.pane, "--lines", "20")
    me.driver.at.type("half a thought")
    me.refused("draft", "send", me.pane, "--text", "hello there", "--enter", "--force-stale")
    assert "it ended" in me.does("kill", me.pane, "--mode", "signal", "--signal", "TERM", "--yes")
    me.driver.wait_shell()
