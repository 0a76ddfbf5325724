"""Keys that a user of a real CLI chose: turns are stopped, prompts submitted, requests answered all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.opencode import OpenCodeDriver
from tests.agents.test_actions import operate

pytestmark = [pytest.mark.agents, pytest.mark.cells, pytest.mark.timeout(300)]


def written(path: Path, body: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body) + "\n")


class BoundClaude(ClaudeDriver):
    """``ctrl+x`` begins other keys of Claude Code, so it does nothing by itself. It does not know F-keys in tmux."""

    chat: ClassVar[dict[str, str | None]] = {"ctrl+x": "chat:cancel", "escape": None}

    def seed(self, *, trusted: bool) -> None:
        super().seed(trusted=trusted)
        confirm = {
            "context": "Confirmation",
            "bindings": {"escape": None, "ctrl+q": "confirm:no", "y": None, "n": None},
        }
        select = {"context": "Select", "bindings": {"escape": None, "ctrl+q": "select:cancel"}}
        chat = {"context": "Chat", "bindings": self.chat}
        written(self.world.home / ".claude/keybindings.json", {"bindings": [chat, confirm, select]})


class SubmittingClaude(BoundClaude):
    """Enter begins a line, another key submits."""

    chat: ClassVar[dict[str, str | None]] = {
        "enter": "chat:newline",
        "ctrl+s": "chat:submit",
        "ctrl+q": "chat:cancel",
        "escape": None,
    }


class BoundCodex(CodexDriver):
    """Its turn is stopped by F12, its request granted by F5."""

    keymap = '[tui.keymap.chat]\ninterrupt_turn = "f12"\n[tui.keymap.approval]\napprove = "f5"\n'

    def seed(self, *, trusted: bool) -> None:
        super().seed(trusted=trusted)
        path = self.world.home / ".codex/config.toml"
        path.write_text(path.read_text() + self.keymap)


class UnboundCodex(BoundCodex):
    """No key stops its turn."""

    keymap = "[tui.keymap.chat]\ninterrupt_turn = []\n"


class SubmittingCodex(BoundCodex):
    """Enter begins a line, another key submits."""

    keymap = (
        '[tui.keymap.global]\nopen_transcript = "f7"\n[tui.keymap.composer]\nsubmit = "ctrl-t"\n'
        '[tui.keymap.editor]\ninsert_newline = ["enter"]\n'
    )


class SubmittingGemini(GeminiDriver):
    """Enter begins a line, another key submits."""

    def seed(self, *, trusted: bool) -> None:
        super().seed(trusted=trusted)
        keys: list[dict[str, Any]] = [
            {"command": "-input.submit", "key": "enter"}, {"command": "input.submit", "key": "f2"},
            {"command": "input.newline", "key": "enter"}, {"command": "-basic.cancel", "key": "escape"},
        ]  # fmt: skip
        written(self.world.home / ".gemini/keybindings.json", keys)


class BoundOpenCode(OpenCodeDriver):
    """Its footer goes on to say ``esc interrupt``."""

    def seed(self, *, trusted: bool) -> None:
        super().seed(trusted=trusted)
        keys = {"session_interrupt": "f9", "input_submit": "ctrl+s", "input_newline": "return", "leader": "ctrl+g"}
        written(self.world.home / ".config/opencode/tui.json", {"keybinds": keys})


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize(
    "kind", [BoundClaude, SubmittingClaude, BoundCodex, SubmittingGemini, BoundOpenCode], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("draft", [False, True], ids=["empty", "draft"])
def test_a_turn_is_stopped_by_the_key_that_its_user_chose(start: Start, kind: type[Driver], draft: bool) -> None:
    """What is typed meanwhile stays."""
    if kind is BoundClaude and draft:
        pytest.skip("the key that its user chose stops nothing: see the class")
    me = operate(start, kind)
    me.does("prompt", me.pane, "slow 30")
    me.session.expect("running")
    me.driver.wait_streaming()
    if draft:
        me.driver.at.type("half a thought")
    me.does("interrupt", me.pane)
    me.becomes("idle")
    assert not draft or "half a thought" in me.driver.at.look().text


@pytest.mark.tc("TC-174")
def test_a_turn_that_no_key_stops_is_left_alone(start: Start) -> None:
    """Nothing is pressed, and it is told why."""
    me = operate(start, UnboundCodex)
    me.does("prompt", me.pane, "slow 20")
    me.session.expect("running")
    me.driver.wait_streaming()
    me.refused("keys", "interrupt", me.pane)
    me.becomes("completed")


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize(
    "kind", [SubmittingClaude, SubmittingCodex, SubmittingGemini, BoundOpenCode], ids=lambda kind: kind.__name__
)
def test_a_prompt_is_submitted_by_the_key_that_its_user_chose(start: Start, kind: type[Driver]) -> None:
    """Where Enter begins a line."""
    me = operate(start, kind)
    output = me.does("prompt", me.pane, "please say hello", "--wait", "--timeout", "60s")
    assert output.startswith("completed"), output


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize("kind", [BoundClaude, BoundCodex], ids=lambda kind: kind.__name__)
def test_a_request_is_granted_and_refused_whatever_keys_its_user_chose(start: Start, kind: type[Driver]) -> None:
    """By what the box shows."""
    me = operate(start, kind)
    me.does("prompt", me.pane, "bash one")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    me.does("approve", me.pane)
    me.becomes("completed")
    me.driver.wait_ready()
    me.does("prompt", me.pane, "bash two")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    me.does("deny", me.pane)
    me.becomes("idle")
