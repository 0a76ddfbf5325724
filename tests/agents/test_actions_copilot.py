"""Actions on the real Copilot CLI: boxes and questions are answered as was meant, nothing is typed past them."""

from __future__ import annotations

import json

import pytest

from tests.agents.conftest import Start
from tests.agents.copilot import CopilotDriver
from tests.agents.test_actions import Operator, operate

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]


def fingerprint(me: Operator) -> str:
    """Of the prompt that is open."""
    wanted = json.loads(me.does("ls", "--json"))["items"][0]["waiting_for"]
    assert wanted, "nothing is waited for"
    return str(wanted["fingerprint"])


def asked(me: Operator, prompt: str) -> None:
    """A prompt that ends in a question, which is up."""
    me.driver.wait_ready()
    me.does("prompt", me.pane, prompt)
    me.becomes("waiting_input")
    me.driver.at.wait_text("Copilot needs information[\\s\\S]*esc cancel", 10)


@pytest.mark.tc("TC-027")
def test_the_real_copilot_is_asked_answered_and_stopped(start: Start) -> None:
    """A prompt and its last words, a large prompt, an option, words of one's own, an interrupt, a look, a signal."""
    me = operate(start, CopilotDriver)
    output = me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s")
    assert output.startswith("completed"), output
    lines = [f"hello again {n}; #{{pane_id}} 'q'" for n in range(200)]
    before = len(me.driver.model.seen)
    output = me.does("send", me.pane, "--stdin", "--enter", "--timeout", "10", stdin="\n".join(lines))
    assert output.startswith("submitted"), output
    me.becomes("completed")
    assert any("\n".join(lines) in seen.prompt for seen in me.driver.model.seen[before:])
    asked(me, "ask me")
    me.refused("dialog_open", "send", me.pane, "--text", "yes", "--enter")
    done = me.try_it("answer", me.pane, "3")
    assert (done.returncode, "needs a text" in done.stderr) == (5, True), done.stderr
    me.does("answer", me.pane, "2")
    me.becomes("completed")
    me.driver.at.wait_text("User responded: Blue", 10)
    asked(me, "ask me")
    me.does("answer", me.pane, "a colour like sand")
    me.becomes("completed")
    me.driver.at.wait_text("User responded: a colour like sand", 10)
    assert "a colour like sand" in me.does("view-output", me.pane, "--lines", "40")
    me.driver.wait_ready()
    me.refused("not_running", "interrupt", me.pane)
    me.refused("not_running", "kill", me.pane, "--yes")
    me.does("prompt", me.pane, "slow 20")
    me.driver.wait_streaming()
    me.does("interrupt", me.pane)
    me.becomes("idle")
    assert "it ended" in me.does("kill", me.pane, "--mode", "signal", "--signal", "TERM", "--yes")
    me.driver.wait_shell()


@pytest.mark.tc("TC-107")
def test_the_real_copilots_boxes_are_answered_once_and_never_by_text(start: Start) -> None:
    """Text leaves an approval and a draft as they are; yes, no and "no, but" answer exactly the box that was shown."""
    me = operate(start, CopilotDriver)
    me.does("prompt", me.pane, "bash one")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    for argv in (["--text", "yes please", "--enter"], ["--enter"], ["--key", "Enter"], ["--key", "y"]):
        me.refused("dialog_open", "send", me.pane, *argv)
    me.driver.wait_approval()
    shown = fingerprint(me)
    me.refused("fingerprint", "approve", me.pane, "--if-fingerprint", "0" * 64)
    output = me.does("approve", me.pane, "--if-fingerprint", shown)
    assert output.startswith(f"approved in host {me.pane}"), output
    again = me.try_it("approve", me.pane, "--if-fingerprint", shown)
    assert again.returncode == 5, again
    me.becomes("completed")
    me.driver.at.wait_text("shell-ok", 10)
    me.driver.wait_ready()
    me.does("prompt", me.pane, "bash two")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    me.does("answer", me.pane, "use make instead")
    me.becomes("completed")
    me.driver.at.wait_text("User feedback: use make instead", 10)
    me.driver.wait_ready()
    me.does("prompt", me.pane, "bash three")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    me.driver.at.keys("3")
    me.driver.at.type("half a thought")
    for argv in (["approve", me.pane], ["answer", me.pane, "1"], ["answer", me.pane, "sand"]):
        done = me.try_it(*argv)
        assert done.returncode == 5, done
    assert "half a thought" in me.driver.at.look().text
    me.does("deny", me.pane)
    me.becomes("idle")
    me.driver.wait_ready()
    before = len(me.driver.model.seen)
    me.driver.at.type("half a thought")
    me.refused("draft", "send", me.pane, "--text", "hello there", "--enter", "--force-stale")
    me.does("send", me.pane, "--text", " and hello", "--enter", "--over-draft", "--force-stale")
    me.becomes("completed")
    assert any("half a thought and hello" in seen.prompt for seen in me.driver.model.seen[before:])
