"""Keys that a user of an agent chose: as agents spell them, as their settings name them, and which one is pressed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.settings import key_bindings
from agtmuxd.core.model import Sample
from agtmuxd.core.screen.controls import Controls, DialogKeys, KeyOverrides, Sign
from agtmuxd.core.screen.regions import Place


@pytest.mark.tc("TC-174")
def test_settings_of_each_agent_name_its_keys() -> None:
    claude = key_bindings.claude(
        '{"bindings": [{"context": "Chat",'
        ' "bindings": {"ctrl+x": "chat:cancel", "escape": null, "Enter": "chat:newline"}}'
        ', {"context": "Chat", "bindings": {"ctrl+s": "chat:submit"}},'
        ' {"context": "Help", "bindings": {"q": "chat:cancel"}}]}'
    )
    assert claude == KeyOverrides(("ctrl+x",), ("ctrl+s",))
    assert key_bindings.claude('{"bindings": []}') == KeyOverrides(("escape",), ("enter",))
    assert key_bindings.claude("no json") == KeyOverrides(("escape",), ("enter",))
    codex = '[tui.keymap.chat]\ninterrupt_turn = "f12"\n[tui.keymap.composer]\nsubmit = ["ctrl-t", "f5"]\n'
    assert key_bindings.codex(codex, ()) == KeyOverrides(("f12",), ("ctrl-t", "f5"))
    assert key_bindings.codex("[tui.keymap.chat]\ninterrupt_turn = []", ()) == KeyOverrides(())
    result = ("codex", "-c", 'tui.keymap.chat.interrupt_turn="f9"', "--config", "model=x")
    assert key_bindings.codex(codex, result).interrupt == ("f9",)
    assert key_bindings.codex("", ()) == KeyOverrides()
    assert key_bindings.codex("[tui\n", ()) == KeyOverrides()
    gemini = '[ // mine\n{"command": "-input.submit", "key": "enter"}, {"command": "input.submit", "key": "f2"},]'
    assert key_bindings.gemini(gemini) == KeyOverrides(submit=("f2",))
    assert key_bindings.gemini('[{"command": "input.submit", "key": "f2"}]').submit == ("f2", "enter")
    tui = '{"keybinds": {"session_interrupt": "ctrl+x, f4", "input_submit": "none"}}'
    assert key_bindings.opencode(['{"keybinds": {"session_interrupt": "f9"}}', tui]) == KeyOverrides(
        ("ctrl+x", "f4"), ()
    )
    assert key_bindings.opencode(["{}"]) == KeyOverrides()


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize(
    "odd", ["[]", "1", "null", '{"bindings": 1}', '{"keybinds": []}', '[1, {"key": 2}]', "{", "\x00"]
)
def test_settings_that_are_not_understood_change_nothing(odd: str) -> None:
    usual = KeyOverrides(("escape",), ("enter",))
    assert key_bindings.claude(odd) == usual
    assert key_bindings.gemini(odd) == KeyOverrides(submit=("enter",))
    assert key_bindings.opencode([odd]) == KeyOverrides()
    assert key_bindings.codex(odd, ("codex", "-c")) == KeyOverrides()


@pytest.mark.tc("TC-174")
def test_an_adapter_says_where_the_settings_are() -> None:
    registry = discover()
    files = {
        kind: [path.name for path in fenced.key_files(Path("/h"))]
        for kind in ("claude", "codex", "gemini", "copilot", "opencode")
        if (fenced := registry.get(kind)) is not None
    }
    assert files == {
        "claude": ["keybindings.json"], "codex": ["config.toml"], "gemini": ["keybindings.json"], "copilot": [],
        "opencode": ["opencode.json", "opencode.jsonc", "tui.json", "tui.jsonc"],
    }  # fmt: skip
    codex = registry.get("codex")
    assert codex is not None
    assert codex.key_overrides(['[tui.keymap.chat]\ninterrupt_turn="f2"'], ()).interrupt == ("f2",)


@pytest.mark.tc("TC-174")
def test_a_key_that_the_agent_shows_is_the_one() -> None:
    shown = Sign(Place("screen"), re.compile(r"• (\S+) to interrupt", re.MULTILINE))
    none = Sign(Place("screen"), re.compile(r"^• Working \(\d+s\)", re.MULTILINE))
    controls = Controls(key_shown=shown, no_key=none)
    assert controls.shown_key(screen("• Working (2s • f12 to interrupt)")) == "f12"
    assert controls.shown_key(screen("• Working (4s)")) == ""
    assert controls.shown_key(screen("streams")) is None
    keys = DialogKeys(deny=("Escape",), deny_shown=re.compile(r"^ *(\S+) to cancel\b"))
    assert keys.denying(screen("1. Yes", " Esc to cancel · Tab to amend")) == ("Escape",)
    assert keys.denying(screen("1. Yes", " f8 to cancel · Tab to amend")) == ("F8",)
    assert keys.denying(screen("1. Yes", " ctrl+enter to cancel")) is None
    assert keys.denying(screen(" q to cancel", "what it runs", "1. Yes", "2. No")) == ("Escape",)
    assert keys.denying(screen("1. Yes")) == ("Escape",)


def screen(*rows: str) -> Sample:
    return Sample(tuple(rows), "t", False, False, 0, 0, 80, 24)
