"""Actions on the real OpenCode: colour alone shows what Enter takes in its dialogs, and two keys stop its turns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agents.conftest import Start
from tests.agents.opencode import OpenCodeDriver
from tests.agents.test_actions import Operator, operate

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
        output = me.does("approve", me.pane)
        assert output.startswith(f"approved in host {me.pane}"), output
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
    expected = me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s")
    assert expected.startswith("completed"), expected
    me.driver.wait_ready()
    for answer, expected in (("2", '"Blue"'), ("a colour like sand", '"a colour like')):
        me.does("prompt", me.pane, "ask me")
        me.becomes("waiting_input")
        me.driver.wait_question()
        me.does("answer", me.pane, answer)
        me.becomes("completed")
        assert me.driver.at.look().has(expected)
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


def open_request(me: Operator, text: str) -> str:
    """The fingerprint of the command's request that stands on the screen, once ``text`` is in what is asked."""

    def shown(item: dict[str, Any]) -> bool:
        wanted = item.get("waiting_for") or {}
        return bool(wanted.get("fingerprint")) and wanted["subject"] == "Shell command" and text in str(wanted["text"])

    me.session.watch.wait_for(me.pane, shown)
    me.driver.at.wait_still(0.5)  # a box is drawn in two steps
    return str(me.session.watch.wait_for(me.pane, shown)["waiting_for"]["fingerprint"])


@pytest.mark.tc("TC-107")
def test_of_two_requests_at_once_the_one_that_was_seen_is_answered(start: Start) -> None:
    """A yes to the first is none to the second, nor is a second yes to what was seen; a no ends the turn."""
    me = operate(start, OpenCodeDriver)
    work = me.driver.world.work
    me.does("prompt", me.pane, "twobash now")
    me.becomes("waiting_approval")
    first = open_request(me, "first-of-two")
    me.does("approve", me.pane, "--if-fingerprint", first)
    second = open_request(me, "second-of-two")
    assert first != second
    for verb in ("approve", "deny"):
        me.refused("fingerprint", verb, me.pane, "--if-fingerprint", first)
    assert (work / "first-of-two").exists()
    assert not (work / "second-of-two").exists()
    me.does("deny", me.pane, "--if-fingerprint", second)
    me.becomes("idle")
    assert not (work / "second-of-two").exists()
    me.session.expect("running", "waiting_approval", "idle", timeout=5)
    me.driver.wait_ready()
    me.does("prompt", me.pane, "bashask now")
    command = open_request(me, "by-main.txt")
    me.does("approve", me.pane, "--if-fingerprint", command)
    me.becomes("waiting_input")
    me.driver.wait_question()
    me.refused("fingerprint", "answer", me.pane, "1", "--if-fingerprint", command)
    me.does("answer", me.pane, "1")
    me.becomes("completed")
    me.session.expect("running", "waiting_approval", "waiting_input", "running", "completed", timeout=5)
    assert (work / "by-main.txt").exists()


@pytest.mark.tc("TC-107")
def test_a_sub_agents_request_is_refused_for_good_and_the_main_agents_beside_it_is_not(start: Start) -> None:
    """Its refusal takes two keys, which ``deny`` presses; where the next one stands in such a box, a person looks."""
    me = operate(start, OpenCodeDriver)
    work = me.driver.world.work
    me.does("prompt", me.pane, "task bash")
    helper = open_request(me, "made-by-shell")
    assert me.does("deny", me.pane, "--if-fingerprint", helper).startswith("denied")
    me.becomes("completed")
    me.session.expect("running", "waiting_approval", "running", "completed", timeout=5)
    assert not (work / "made-by-shell.txt").exists()
    me.driver.wait_ready()
    me.does("prompt", me.pane, "helperbash now")
    helper = open_request(me, "made-by-shell")
    me.try_it("deny", me.pane, "--if-fingerprint", helper)  # what comes next stands in the very same box
    me.driver.at.wait_text("△ Reject permission")
    for argv in (["approve", me.pane], ["deny", me.pane], ["answer", me.pane, "1"]):
        done = me.try_it(*argv)
        assert done.returncode in (2, 5), done
    assert "waiting_approval" in me.does("ls", "--json")
    me.driver.at.keys("Escape")
    main = open_request(me, "by-main.txt")
    me.does("approve", me.pane, "--if-fingerprint", main)
    me.becomes("completed")
    assert ((work / "by-main.txt").exists(), (work / "made-by-shell.txt").exists()) == (True, False)
