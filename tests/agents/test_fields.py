"""The input fields of the real CLIs in each of their modes: a prompt arrives whole or not at all, a turn is stopped.

The cells of the table in docs/input-fields.md are driven here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agents.cline import ClineDriver
from tests.agents.conftest import Start
from tests.agents.copilot import CopilotDriver
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.opencode import OpenCodeDriver
from tests.agents.pi import PiDriver
from tests.agents.qwen import QwenDriver
from tests.agents.terminal import Look
from tests.agents.test_actions import Operator, operate
from tests.conftest import until

pytestmark = [pytest.mark.agents, pytest.mark.cells, pytest.mark.timeout(300)]


def merged(path: Path, **more: object) -> None:
    """Puts top-level keys into a JSON file of settings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**body, **more}) + "\n")


class VimClaude(ClaudeDriver):
    """Claude Code with vim's keys. NORMAL shows no sign."""

    def seed(self, *, trusted: bool) -> None:
        super().seed(trusted=trusted)
        merged(self.world.home / ".claude/settings.json", editorMode="vim")


class VimCodex(CodexDriver):
    """Codex with vim's keys."""

    def seed(self, *, trusted: bool) -> None:
        super().seed(trusted=trusted)
        path = self.world.home / ".codex/config.toml"
        path.write_text(path.read_text() + "[tui]\nvim_mode_default = true\n")


class VimGemini(GeminiDriver):
    """Gemini CLI with vim's keys: its empty field says which mode it is in."""

    ready_pattern = r"Type your message or @path|Press '(Esc|i)' for"

    def seed(self, *, trusted: bool) -> None:
        super().seed(trusted=trusted)
        path = self.world.home / ".gemini/settings.json"
        general = json.loads(path.read_text())["general"]
        merged(path, general={**general, "vimMode": True})


class VimCopilot(CopilotDriver):
    """Copilot CLI with vim's keys, which its ``/vim`` switches on."""

    ready_pattern = r"^ (-- \w+ -- · )?(← open sidebar · )?Interactive · "

    def pass_start_up(self) -> None:
        super().pass_start_up()
        self.at.type("/vim")
        self.at.keys("Enter")
        self.at.wait_text(r"^ -- INSERT --")

    def is_running(self, look: Look) -> bool:
        return look.has(r"^ (-- \w+ -- · )?[●○◉◎] Working\b")


@dataclass(frozen=True)
class Vim:
    """How a field shows vim's modes. ``normal`` None: it shows nothing."""

    kind: type[Driver]
    insert: str
    normal: str | None

    def to_normal(self, driver: Driver) -> None:
        driver.at.keys("Escape")
        normal = self.normal
        driver.at.wait(
            lambda look: look.has(normal) if normal else not look.has(self.insert), f"{driver.agent} in NORMAL", 10
        )

    def to_insert(self, driver: Driver) -> None:
        driver.at.wait_still()
        driver.at.keys("i")
        driver.at.wait_text(self.insert, 10)


VIMS = [
    Vim(VimClaude, r"-- INSERT --", None),
    Vim(VimCodex, r"Vim: Insert", r"Vim: Normal"),
    Vim(VimGemini, r"^ \[INSERT\]", r"^ \[NORMAL\]"),
    Vim(VimCopilot, r"^ -- INSERT --", r"^ -- NORMAL --"),
]


def asked(me: Operator) -> list[str]:
    """What reached the model of a prompt of ours."""
    return [seen.prompt for seen in me.driver.model.seen if "hello" in seen.prompt or "slow" in seen.prompt]


@pytest.mark.tc("TC-170")
@pytest.mark.parametrize("vim", VIMS, ids=lambda vim: vim.kind.agent)
def test_a_prompt_arrives_whole_whatever_vim_mode_the_field_is_in(start: Start, vim: Vim) -> None:
    """No letter of it is a command, and a draft keeps every letter: it is added to at its end or not at all."""
    me = operate(start, vim.kind)
    at = me.driver.at
    output = me.does("prompt", me.pane, "please say hello", "--wait", "--timeout", "60s")  # in INSERT, as it starts
    assert output.startswith("completed"), output
    me.driver.wait_ready()
    if not at.look().has(vim.insert):
        vim.to_insert(me.driver)
    vim.to_normal(me.driver)
    output = me.does("prompt", me.pane, "please say hello again", "--wait", "--timeout", "60s")
    assert output.startswith("completed"), output
    assert any("please say hello again" in prompt for prompt in asked(me)), asked(me)
    me.driver.wait_ready()
    if not at.look().has(vim.insert):
        vim.to_insert(me.driver)
    at.type("half a thought")
    vim.to_normal(me.driver)
    count = len(me.driver.model.seen)
    done = me.try_it("prompt", me.pane, "dd hello", "--over-draft", "--force-stale", "--json")
    assert json.loads(done.stdout)["error"]["details"]["reason"] in ("draft", "field_mode"), done
    at.wait_still()
    assert "half a thought" in at.look().text
    assert len(me.driver.model.seen) == count


@pytest.mark.tc("TC-171")
@pytest.mark.parametrize("vim", VIMS, ids=lambda vim: vim.kind.agent)
@pytest.mark.parametrize("mode", ["insert", "normal", "insert with a draft"])
def test_a_turn_is_interrupted_whatever_vim_mode_the_field_is_in(start: Start, vim: Vim, mode: str) -> None:
    """In INSERT the agent's key only ends that mode; what is typed there stays."""
    me = operate(start, vim.kind)
    at = me.driver.at
    me.does("prompt", me.pane, "slow 30")
    me.session.expect("running")
    me.driver.wait_streaming()
    if not at.look().has(vim.insert):
        vim.to_insert(me.driver)
    if mode == "normal":
        vim.to_normal(me.driver)
        at.wait_still(0.7)  # Gemini CLI takes two Escapes within 0.5 s for another command
    if mode == "insert with a draft":
        at.type("half a thought")
        until(lambda: not me.session.watch.item(me.pane).get("accepts_input"), within=20, what="a draft is seen")
    output = me.does("interrupt", me.pane)
    assert "unconfirmed" not in output, output
    me.becomes("idle")
    if mode == "insert with a draft":
        at.wait_still()
        assert "half a thought" in at.look().text


SHELLS = {
    ClaudeDriver: r"^!",
    CodexDriver: r"^!",
    GeminiDriver: r"^ ! ",
    CopilotDriver: r"Shell · ",
    OpenCodeDriver: r"Shell$",
    PiDriver: r"^!",
}


@pytest.mark.tc("TC-170")
@pytest.mark.parametrize("kind", SHELLS, ids=lambda kind: kind.agent)
def test_a_field_in_shell_mode_takes_no_prompt(start: Start, kind: type[Driver]) -> None:
    """It would run as a command. Whatever the flag."""
    me = operate(start, kind)
    at, count = me.driver.at, len(me.driver.model.seen)
    at.wait_still()
    at.keys("!")
    at.wait_text(SHELLS[kind], 10)
    until(lambda: not me.session.watch.item(me.pane).get("accepts_input"), within=20, what="it takes no text")
    for more in ([], ["--over-draft"], ["--if-state", "idle"]):
        me.refused("field_mode", "send", me.pane, "--text", "touch it", "--enter", "--force-stale", *more)
    assert not (me.driver.world.work / "it").exists()
    assert len(me.driver.model.seen) == count
    assert "touch it" not in at.look().text


@pytest.mark.tc("TC-170")
@pytest.mark.parametrize(
    "kind",
    [ClaudeDriver, CodexDriver, GeminiDriver, CopilotDriver, OpenCodeDriver, QwenDriver, PiDriver, ClineDriver],
    ids=lambda kind: kind.agent,
)
def test_a_sign_of_a_shell_inside_a_prompt_runs_nothing(start: Start, kind: type[Driver]) -> None:
    """The very first prompt, whose letters arrive at once. What follows the sign must not become a command."""
    me = operate(start, kind)
    for text in ("hello! touch it and this is a long tail of letters", "hello there!"):
        assert me.does("prompt", me.pane, text, "--wait", "--timeout", "60s").startswith("completed")
        asked = [seen.prompt for seen in me.driver.model.seen]
        assert any(text in prompt for prompt in asked), asked
    assert not (me.driver.world.work / "it").exists()


@pytest.mark.tc("TC-171")
@pytest.mark.parametrize("kind", SHELLS, ids=lambda kind: kind.agent)
def test_a_turn_is_interrupted_while_the_field_is_in_shell_mode(start: Start, kind: type[Driver]) -> None:
    """Its key leaves an empty shell mode first; a command that is typed there is never made a prompt."""
    me = operate(start, kind)
    at = me.driver.at
    me.does("prompt", me.pane, "slow 30")
    me.session.expect("running")
    me.driver.wait_streaming()
    at.keys("!")
    at.wait_text(SHELLS[kind], 10)
    until(lambda: not me.session.watch.item(me.pane).get("accepts_input"), within=20, what="it takes no text")
    me.does("interrupt", me.pane)
    me.becomes("idle")


TEXTS = {
    "decomposed": "hello re\u0301sume\u0301.txt",
    "no-break space": "hello\u00a0there",
    "full width": "hello ＡＢＣ１２３ 日本語",
    "joined emoji": "hello \U0001f469\u200d\U0001f4bb \u2764\ufe0f",
    "tab": "hello\tthere",
    "blanks behind": "hello there   ",
    "right to left": "hello שלום עולם",
    "jamo": "hello \u1112\u1161\u11ab\u1100\u1173\u11af",
    "wrapped wide": "hello " + "日本語の長い文章" * 12,
}
ALL: list[type[Driver]] = [ClaudeDriver, CodexDriver, GeminiDriver, CopilotDriver, OpenCodeDriver]


@pytest.mark.tc("TC-172")
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.agent)
def test_a_prompt_of_any_letters_is_submitted(start: Start, kind: type[Driver]) -> None:
    """Agents and terminals compose letters, widths and blanks in their own way."""
    me = operate(start, kind)
    for name, words in TEXTS.items():
        output = me.try_it("prompt", me.pane, words, "--wait", "--timeout", "60s")
        assert output.stdout.startswith("completed"), (name, output, me.driver.at.look().text)
        me.driver.wait_ready()


@pytest.mark.tc("TC-171")
@pytest.mark.parametrize("kind", SHELLS, ids=lambda kind: kind.agent)
def test_a_command_that_is_typed_in_shell_mode_stays_one(start: Start, kind: type[Driver]) -> None:
    """The turn is stopped, or that is refused where the key would make the command a prompt."""
    me = operate(start, kind)
    at = me.driver.at
    me.does("prompt", me.pane, "slow 30")
    me.session.expect("running")
    me.driver.wait_streaming()
    at.keys("!")
    at.wait_text(SHELLS[kind], 10)
    at.type("ls -la")
    until(lambda: not me.session.watch.item(me.pane).get("accepts_input"), within=20, what="it takes no text")
    if kind in (GeminiDriver, OpenCodeDriver):
        me.refused("field_mode", "interrupt", me.pane)
    else:
        me.does("interrupt", me.pane)
        me.becomes("idle")
    at.wait_still()
    assert at.look().has(SHELLS[kind])
    assert "ls -la" in at.look().text
