"""Keys that a user of an agent chose: as agents spell them, as their settings name them, and which one is pressed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions import send as sending
from agtmuxd.actions import stop_keys
from agtmuxd.actions.interrupt import interrupt
from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.settings import key_bindings
from agtmuxd.core.action.keys import named
from agtmuxd.core.action.request import Kind, NoParams
from agtmuxd.core.model import Claim, Sample, State
from agtmuxd.core.screen.controls import Controls, DialogKeys, InputField, KeyOverrides, Sign
from agtmuxd.core.screen.regions import Place
from tests.unit.actions.scripted import ASKS, DRAFT, FakeControls, Script, context, soon, text
from tests.unit.core.action.test_guard import FREE

__all__ = ["soon"]

RUNS = replace(FREE, claim=Claim.RUNNING, rule="spinner")


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("esc", "Escape"), ("Esc", "Escape"), ("escape", "Escape"), ("f12", "F12"), ("ctrl+x", "C-x"),
        ("Ctrl-X", "C-x"),
        ("alt+p", "M-p"), ("shift+tab", "BTab"), ("enter", "Enter"), ("return", "Enter"), ("ctrl+alt+b", "C-M-b"),
        ("space", "Space"), ("q", "q"), ("-", "-"), ("shift+g", "G"), ("pageup", "PageUp"), ("ctrl-_", "C-_"),
        ("ctrl+enter", None), ("cmd+k", None), ("ctrl+x ctrl+k", None), ("<leader>x", None), ("f13", None),
        ("shift+enter", None), ("", None), ("none", None), ("ctrl+shift+x", None), ("ctrl+1", None),
    ],
)  # fmt: skip
def test_a_key_is_known_as_agents_spell_it_or_not_at_all(spelled: str, name: str | None) -> None:
    assert named(spelled) == name


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


async def stopped(keys: KeyOverrides, usual: tuple[str, ...] = ("Escape",)) -> list[str]:
    script = Script([(RUNS, ""), (FREE, "")], keys=keys, interrupt=usual)
    message = await interrupt(context(script, Kind.INTERRUPT, NoParams(), RUNS, state=State.RUNNING))
    assert message["delivery"] == "submitted"
    return list(message["keys"])


@pytest.mark.tc("TC-174")
async def test_a_turn_is_stopped_by_the_key_that_its_user_chose() -> None:
    assert await stopped(KeyOverrides()) == ["Escape"]
    assert await stopped(KeyOverrides(("f12",))) == ["F12"]
    assert await stopped(KeyOverrides(("f12", "esc"))) == ["Escape"]
    assert await stopped(KeyOverrides(("ctrl+enter", "ctrl+x"))) == ["C-x"]


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize("keys", [(), ("cmd+k",), ("ctrl+x ctrl+k",)])
async def test_a_turn_that_no_key_stops_is_left_alone(keys: tuple[str, ...]) -> None:
    script = Script([(RUNS, "")], keys=KeyOverrides(keys))
    with pytest.raises(AgtmuxError) as caught:
        await interrupt(context(script, Kind.INTERRUPT, NoParams(), RUNS, state=State.RUNNING))
    assert (caught.value.code, caught.value.details["reason"], script.written) == ("E_UNSUPPORTED", "keys", [])


@pytest.mark.tc("TC-174")
async def test_a_text_is_submitted_by_the_key_that_its_user_chose_or_not_typed() -> None:
    script = Script([(DRAFT, "hi"), (DRAFT, "hi"), (DRAFT, "hi"), (FREE, "")], keys=KeyOverrides(submit=("ctrl+s",)))
    answer = await sending.send(context(script, Kind.SEND, text()))
    assert (answer["delivery"], script.written[-1].endswith(" C-s")) == ("submitted", True)
    none = Script([(DRAFT, "hi")], keys=KeyOverrides(submit=("cmd+enter",)))
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(none, Kind.SEND, text()))
    assert (caught.value.details["reason"], none.written) == ("keys", [])


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


@pytest.mark.tc("TC-174")
async def test_a_key_that_always_works_is_pressed_where_it_clears_no_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claude Code's C-c stops a turn whatever key its user chose, but first clears what is typed."""
    monkeypatch.setattr(FakeControls, "always", ("C-c",))
    assert await stopped(KeyOverrides()) == ["Escape"]
    assert await stopped(KeyOverrides(("ctrl+x",))) == ["C-c"]
    script = Script([(RUNS, ""), (FREE, "")], keys=KeyOverrides(("ctrl+x",)))
    typed = replace(RUNS, field=InputField.DRAFT)
    message = await interrupt(context(script, Kind.INTERRUPT, NoParams(), typed, state=State.RUNNING))
    assert message["keys"] == ["C-x"]


@pytest.mark.tc("TC-174")
async def test_a_dialog_that_opened_while_settings_were_read_gets_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_keys, "ASKED_WITHIN", -1.0)
    script = Script([(ASKS, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, text()))
    assert (caught.value.details["reason"], script.written) == ("dialog_open", [])


@pytest.mark.tc("TC-174")
async def test_a_turn_that_ended_while_settings_were_read_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_keys, "ASKED_WITHIN", -1.0)
    script = Script([(FREE, "")])
    with pytest.raises(AgtmuxError) as caught:
        await interrupt(context(script, Kind.INTERRUPT, NoParams(), RUNS, state=State.RUNNING))
    assert (caught.value.details["reason"], script.written) == ("not_running", [])
