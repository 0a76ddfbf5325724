"""Actions on the real CLIs: what is approved, denied, answered and interrupted is what was meant, and no more."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.agents.cline import ClineDriver
from tests.agents.conftest import Start
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.observe import BIN
from tests.agents.pi import PiDriver
from tests.agents.qwen import QwenDriver
from tests.agents.session import Session
from tests.conftest import until

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

DRIVERS = [ClaudeDriver, CodexDriver, GeminiDriver, PiDriver, QwenDriver, ClineDriver]


class Operator:
    """Somebody at the command line of a session's daemon."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.driver = session.driver

    def try_it(self, *argv: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / "agtmux"), *argv], env=self.driver.world.env(), capture_output=True, text=True, timeout=90,
            check=False, input=stdin or "",
        )  # fmt: skip

    def does(self, *argv: str, stdin: str | None = None) -> str:
        done = self.try_it(*argv, stdin=stdin)
        shown = self.driver.at.look().text
        assert done.returncode == 0, f"agtmux {argv}: {done.returncode} {done.stdout}{done.stderr}\n{shown}"
        return done.stdout

    def refused(self, reason: str, *argv: str) -> None:
        """It is refused for that reason. Where what was meant changed meanwhile (a hook told of a box that is being
        drawn), it is refused for that, and asked again as a person would.
        """

        def why() -> str | None:
            done = self.try_it(*argv, "--json")
            body: dict[str, Any] = json.loads(done.stdout)
            assert done.returncode != 0, f"agtmux {argv} did it: {done.stdout}"
            message: str | None = body["error"]["details"].get("reason")
            assert message in (reason, "state_version"), body
            return message

        until(lambda: why() == reason, within=20, what=f"agtmux {argv} is refused: {reason}")

    def becomes(self, state: str) -> None:
        """Waits for a state, by ``agtmux wait``."""
        assert state in self.does("wait", self.pane, "--for", state, "--timeout", "40s")

    @property
    def pane(self) -> str:
        return self.session.pane


def operate(start: Start, kind: type[Driver]) -> Operator:
    session = start(kind)
    session.start_trusted()
    until(lambda: session.watch.item(session.pane).get("accepts_input"), within=20, what="its composer is free")
    return Operator(session)


@pytest.mark.tc("TC-027")
@pytest.mark.parametrize("kind", DRIVERS)
def test_a_real_agent_is_asked_answered_and_stopped(start: Start, kind: type[Driver]) -> None:
    """prompt --wait, a prompt of several lines, an answered question, an interrupt."""
    me = operate(start, kind)
    output = me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s")
    assert output.startswith("completed"), output
    me.session.expect("running", "completed")
    before = len(me.driver.model.seen)
    output = me.does("send", me.pane, "--stdin", "--enter", stdin="hello again\n  and a second line; #{pane_id} 'q'")
    assert output.startswith("submitted"), output
    me.session.expect("running", "completed")
    asked = [seen.prompt for seen in me.driver.model.seen[before:]]
    assert any("hello again\n  and a second line; #{pane_id} 'q'" in prompt for prompt in asked), asked
    me.driver.wait_ready()
    me.does("prompt", me.pane, "ask me")
    me.session.expect("running", "waiting_input")
    me.refused("dialog_open", "send", me.pane, "--text", "yes", "--enter")
    me.driver.wait_question()
    me.does("answer", me.pane, "1")
    me.session.expect("running", "completed")
    me.driver.wait_ready()
    me.refused("not_running", "interrupt", me.pane)
    me.refused("not_running", "kill", me.pane, "--yes")
    me.does("prompt", me.pane, "slow 20")
    me.session.expect("running")
    me.driver.wait_streaming()
    me.does("interrupt", me.pane)
    me.session.expect("idle" if kind.interrupt_shows else "completed")


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("kind", DRIVERS)
def test_a_real_approval_is_given_or_refused_and_never_by_text(start: Start, kind: type[Driver]) -> None:
    """Text into an open approval box leaves it unanswered; approve and deny answer exactly that box."""
    me = operate(start, kind)
    me.does("prompt", me.pane, "bash one")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    for argv in (["--text", "yes please", "--enter"], ["--enter"], ["--key", "Enter"], ["--key", "y"]):
        me.refused("dialog_open", "send", me.pane, *argv)
    me.driver.wait_approval()
    me.becomes("waiting_approval")
    output = me.does("approve", me.pane)
    assert output.startswith(f"approved in host {me.pane}"), output
    me.becomes("completed")
    me.driver.wait_ready()
    me.does("prompt", me.pane, "bash two")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    me.does("deny", me.pane)
    me.becomes("idle" if kind.denial_ends_turn else "completed")


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("kind", DRIVERS)
def test_a_draft_in_a_real_agent_is_left_alone(start: Start, kind: type[Driver]) -> None:
    """A half-typed draft of the operator is neither submitted nor added to."""
    me = operate(start, kind)
    asked = len(me.driver.model.seen)
    me.driver.at.type("half a thought")
    me.refused("draft", "send", me.pane, "--text", "hello there", "--enter", "--force-stale")
    me.refused("draft", "send", me.pane, "--enter", "--force-stale")
    assert "half a thought" in me.driver.at.look().text
    assert len(me.driver.model.seen) == asked
    me.does("send", me.pane, "--text", " and hello", "--enter", "--over-draft", "--force-stale")

    def arrived(_: object) -> bool:
        return any("half a thought and hello" in seen.prompt for seen in me.driver.model.seen[asked:])

    me.driver.at.wait(arrived, "both halves at the model", 15)


@pytest.mark.tc("TC-027")
@pytest.mark.parametrize("kind", DRIVERS)
@pytest.mark.parametrize("shape", ["one long line", "many lines", "64 KiB"])
def test_a_real_agent_gets_a_large_prompt_whole(start: Start, kind: type[Driver], shape: str) -> None:
    """Taller than the field, or shown as a chip: submitted once, and every word of it at the model."""
    if kind is QwenDriver and shape == "64 KiB":
        pytest.skip("Qwen Code takes in a paste sign by sign, in time that grows with the text: 7.6 s for 62 KB")
    me = operate(start, kind)
    asked = len(me.driver.model.seen)
    words = [f"word{n}" for n in range(7000 if shape == "64 KiB" else 500)]
    text = "hello " + ("\n" if shape == "many lines" else " ").join(words)
    output = me.does("send", me.pane, "--stdin", "--enter", "--timeout", "10", stdin=text)
    assert output.startswith("submitted"), output

    def arrived(_: object) -> bool:
        return any(all(word in seen.prompt for word in words[::50]) for seen in me.driver.model.seen[asked:])

    me.driver.at.wait(arrived, "all of it at the model", 60)


OWN_WORDS = [(ClaudeDriver, "ask me"), (CodexDriver, "ask me"), (GeminiDriver, "ask me"), (GeminiDriver, "asktext me")]


@pytest.mark.tc("TC-027")
@pytest.mark.parametrize(("kind", "prompt"), OWN_WORDS)
def test_a_real_question_takes_words_of_ones_own(start: Start, kind: type[Driver], prompt: str) -> None:
    """They are what was answered; longer ones than the field shows too."""
    me = operate(start, kind)
    for words in ("a colour like sand", " ".join(f"word{n}" for n in range(60))):
        me.driver.wait_ready()
        me.does("prompt", me.pane, prompt)
        me.becomes("waiting_input")
        me.does("answer", me.pane, words)
        me.becomes("completed")
        me.driver.at.wait_text(words.split()[-1], 10)


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("kind", "prompt", "keys"),
    [(ClaudeDriver, "ask me", ["3"]), (CodexDriver, "ask me", ["Tab"]), (GeminiDriver, "asktext me", [])],
)
def test_words_that_somebody_types_into_a_real_question_are_left_alone(
    start: Start, kind: type[Driver], prompt: str, keys: list[str]
) -> None:
    """Neither added to nor submitted."""
    me = operate(start, kind)
    me.does("prompt", me.pane, prompt)
    me.becomes("waiting_input")
    me.driver.at.wait_still()
    if keys:
        me.driver.at.keys(*keys)
        me.driver.at.wait_still()
    me.driver.at.type("half a thought")
    done = me.try_it("answer", me.pane, "ochre")
    assert done.returncode == 5, done
    me.driver.at.wait_still()
    shown = me.driver.at.look().text
    assert "half a thought" in shown
    assert "ochre" not in shown
    me.becomes("waiting_input")


@pytest.mark.tc("TC-107")
def test_a_real_plan_is_approved_by_a_number_and_by_no_bare_yes(start: Start) -> None:
    """Its first choice also changes what the agent may do unasked, so the refusal tells the numbers."""
    session = start(ClaudeDriver)
    session.start_trusted("claude --permission-mode plan")
    me = Operator(session)
    me.does("prompt", me.pane, "plan a shed")
    me.becomes("waiting_approval")
    done = me.try_it("approve", me.pane)
    assert (done.returncode, f"agtmux answer {me.pane} N" in done.stderr) == (5, True), done.stderr
    me.becomes("waiting_approval")
    me.does("answer", me.pane, "2")
    me.becomes("completed")


@pytest.mark.tc("TC-030")
@pytest.mark.parametrize("kind", DRIVERS)
def test_a_real_agent_ends_by_a_signal(start: Start, kind: type[Driver]) -> None:
    """SIGTERM reaches the program that works, also where another process wraps it."""
    me = operate(start, kind)
    assert "it ended" in me.does("kill", me.pane, "--mode", "signal", "--signal", "TERM", "--yes")
    me.driver.wait_shell()
