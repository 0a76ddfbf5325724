"""The input field of the real CLIs: what the agent shows there is told from what a person typed, by how it is drawn."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.terminal import ScreenTimeoutError
from tests.agents.test_actions import Operator, operate
from tests.conftest import until

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

WORDS = {
    ClaudeDriver: 'Try "fix typecheck errors"',
    CodexDriver: "Ask Codex to do anything",
    GeminiDriver: "Type your message or @path/to/file",
}
"""What each of them shows, at times, in an empty field."""


def accepts(me: Operator, wanted: bool) -> None:
    until(
        lambda: me.session.watch.item(me.pane).get("accepts_input") is wanted, within=20, what=f"accepts_input {wanted}"
    )


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("kind", WORDS)
def test_a_draft_of_a_placeholders_very_words_is_left_alone(start: Start, kind: type[Driver]) -> None:
    """Typed by a person, cursor put in front of them: but for their style the field looks as if it were empty."""
    me = operate(start, kind)
    asked = len(me.driver.model.seen)
    words, at = WORDS[kind], me.driver.at
    at.type(words)
    if kind is GeminiDriver:
        at.keys("Escape")  # closes its list of files
    at.keys("C-a")
    at.wait_still()
    accepts(me, False)
    me.refused("draft", "send", me.pane, "--text", "hello there", "--enter", "--force-stale")
    me.refused("draft", "send", me.pane, "--enter", "--force-stale")
    assert words in at.look().text
    assert len(me.driver.model.seen) == asked
    at.keys("C-e")
    at.keys("C-u")
    accepts(me, True)
    assert me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s").startswith("completed")


@pytest.mark.tc("TC-564")
@pytest.mark.parametrize("kind", WORDS)
def test_a_text_that_agtmux_typed_is_removed_to_its_last_character(start: Start, kind: type[Driver]) -> None:
    """One line, and one that the field wraps; what a person added stays with all of it."""
    me = operate(start, kind)
    asked = len(me.driver.model.seen)
    for text in ("hello there, naïve one", "a text that is much wider than this pane is " * 4 + "and ends"):
        me.does("send", me.pane, "--text", text, "--force-stale")
        me.refused("draft", "send", me.pane, "--text", "another one", "--enter", "--force-stale")
        me.driver.at.type("x")
        me.driver.at.wait_still()
        me.refused("draft", "send", me.pane, "--clear-own-draft", "--force-stale")
        me.driver.at.keys("BSpace")
        me.driver.at.wait_still()
        assert me.does("send", me.pane, "--clear-own-draft", "--force-stale").startswith("cleared")
        accepts(me, True)
    assert len(me.driver.model.seen) == asked
    assert me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s").startswith("completed")


class Suggesting(ClaudeDriver):
    """Claude Code that offers the next prompt in its empty field: from the second turn on, but not after each."""

    def env(self) -> dict[str, str]:
        return {**super().env(), "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "1"}


@pytest.mark.tc("TC-107")
def test_a_prompt_that_claude_offers_is_no_draft_and_is_not_submitted(start: Start) -> None:
    """Its field takes text, which then stands there alone; Enter alone is left to a person."""
    me = operate(start, Suggesting)
    for turn in range(1, 7):
        assert me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s").startswith("completed")
        me.driver.wait_ready()
        try:
            me.driver.at.wait_text("run the tests", 10 if turn > 1 else 0)
            break
        except ScreenTimeoutError:
            if turn == 6:
                raise
    accepts(me, True)
    me.refused("draft", "send", me.pane, "--enter", "--force-stale")
    assert me.does("prompt", me.pane, "hello again", "--wait", "--timeout", "60s").startswith("completed")
    asked = [seen.prompt for seen in me.driver.model.seen if seen.script != "suggestion"]
    assert [prompt for prompt in asked if "run the tests" in prompt] == []
    assert any("hello again" in prompt for prompt in asked), asked


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("kind", [CodexDriver, GeminiDriver])
def test_a_placeholder_of_unknown_words_is_a_free_field(start: Start, kind: type[Driver]) -> None:
    """As if of another version: the rules in use name none of the words that it shows."""
    me = operate(start, kind)
    shipped = (resources.files("agtmuxd.adapters") / kind.agent / "rules.toml").read_text(encoding="utf-8")
    rules = me.driver.world.config.parent / "rules"
    rules.mkdir(exist_ok=True)
    (rules / f"{kind.agent}.toml").write_text(re.sub(r"(?m)^hints = .*$", "hints = '^never shown$'", shipped))
    me.does("daemon", "reload")
    assert WORDS[kind] in me.driver.at.look().text
    me.refused("draft", "send", me.pane, "--enter")  # by now the new rules are in use: it may be an offered prompt
    accepts(me, True)
    assert me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s").startswith("completed")
