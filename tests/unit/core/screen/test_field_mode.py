"""Modes of an input field: text arrives whole or not at all, a draft stays as it is, keys reach the agent."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agtmuxd.actions import send as sending
from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.action.request import Kind, SendParams
from agtmuxd.core.model import Sample
from agtmuxd.core.screen.controls import Controls, InputField
from agtmuxd.core.screen.field_mode import FieldMode, TextMethod, shown
from agtmuxd.core.screen.regions import ComposerSpec, Place
from agtmuxd.core.screen.rule_file import RuleFileError, load
from tests.unit.actions.scripted import DRAFT, FakeControls, Script, context, soon, text
from tests.unit.core.action.test_guard import FREE, case, reason

__all__ = ["soon"]

FOOTER = Place("footer")
NORMAL = FieldMode("NORMAL", FOOTER, re.compile("NORMAL"), TextMethod.PASTE, enter=("i",))
UNTOLD = FieldMode("normal", FOOTER, re.compile("normal"), TextMethod.PASTE)
INSERT = FieldMode("INSERT", FOOTER, re.compile("INSERT"), swallows=("Escape",))
SHELL = FieldMode(
    "shell mode", Place("composer"), re.compile("^!"), TextMethod.NONE, swallows=("Escape",), converts=True
)
LINE = "─" * 20
SPEC = ComposerSpec(re.compile(r"^[❯!](?: (.*))?$"), re.compile("^─"), re.compile("^─"))
CONTROLS = Controls(SPEC, modes=(SHELL, INSERT, NORMAL))


def screen(*rows: str, x: int, y: int = 1) -> Sample:
    return Sample((LINE, *rows, LINE, "  -- INSERT --"), "t", False, True, x, y, 80, 24)


@pytest.mark.tc("TC-170")
def test_a_field_that_takes_commands_gets_no_prompt_whatever_the_flag() -> None:
    fresh = replace(FREE, modes=(SHELL,))
    for params in (text(), text(over_draft=True), text(None), SendParams(keys=("Enter",))):
        assert reason(case(Kind.SEND, params, fresh)) == "field_mode"
        assert reason(case(Kind.SEND, params, fresh, if_state=("idle",), force_stale=True)) == "field_mode"
    assert reason(case(Kind.SEND, SendParams(keys=("BSpace",)), fresh)) is None


@pytest.mark.tc("TC-170")
def test_letters_are_not_typed_one_by_one_where_they_are_commands() -> None:
    fresh = replace(FREE, modes=(UNTOLD,))
    assert reason(case(Kind.SEND, text(paste=False), fresh)) == "field_mode"
    assert reason(case(Kind.SEND, text(), fresh)) is None


@pytest.mark.tc("TC-170")
def test_a_draft_is_added_to_at_its_end_or_not_at_all() -> None:
    draft = replace(FREE, field=InputField.DRAFT, at_end=True)
    assert reason(case(Kind.SEND, text(over_draft=True), draft)) is None
    assert reason(case(Kind.SEND, text(over_draft=True), replace(draft, at_end=False))) == "draft"
    assert reason(case(Kind.SEND, text(None, over_draft=True), replace(draft, at_end=False))) is None
    assert reason(case(Kind.SEND, text(over_draft=True), replace(draft, modes=(NORMAL,)))) == "field_mode"


@pytest.mark.tc("TC-170")
def test_the_end_of_a_draft_is_where_nothing_follows_the_cursor() -> None:
    """Wide letters take two cells, marks none; a cursor elsewhere on the screen is at no end."""
    assert CONTROLS.at_end(screen("❯ hello", x=7))
    assert not CONTROLS.at_end(screen("❯ hello", x=6)), "on the last letter, as in vim's NORMAL mode"
    assert not CONTROLS.at_end(screen("❯ hello", x=2))
    assert CONTROLS.at_end(screen("❯ 日本", x=6))
    assert not CONTROLS.at_end(screen("❯ 日本", x=4))
    assert CONTROLS.at_end(screen("❯ e\u0301a", x=4))
    assert CONTROLS.at_end(screen("❯ one", "  two", x=5, y=2))
    assert not CONTROLS.at_end(screen("❯ one", "  two", x=5, y=1))
    assert not CONTROLS.at_end(screen("❯ one", x=5, y=3)), "in the footer"
    assert CONTROLS.at_end(replace(screen("❯ one", x=5, y=3), cursor_visible=False)), "Qwen Code draws one of its own"
    assert not CONTROLS.at_end(Sample(("no field",), "t", False, True, 8, 0, 80, 24))


@pytest.mark.tc("TC-170")
def test_all_modes_that_a_field_shows_are_told() -> None:
    assert CONTROLS.in_modes(screen("! ls", x=4)) == (SHELL, INSERT)
    assert CONTROLS.in_modes(screen("❯ ls", x=4)) == (INSERT,)
    assert CONTROLS.in_modes(Sample(("-- INSERT --",), "t", False, True, 0, 0, 80, 24)) == ()


@pytest.mark.tc("TC-170")
async def test_a_field_that_takes_no_text_is_brought_into_a_mode_that_does() -> None:
    normal = replace(FREE, modes=(NORMAL,))
    script = Script([(FREE, ""), (DRAFT, "hi"), (DRAFT, "hi"), (DRAFT, "hi"), (DRAFT, "hi"), (FREE, "")])
    answer = await sending.send(context(script, Kind.SEND, text(), normal))
    assert answer["delivery"] == "submitted"
    assert script.written[0].endswith(" i"), script.written


@pytest.mark.tc("TC-170")
async def test_a_text_is_pasted_where_letters_may_be_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field in vim's NORMAL mode need not show that it is."""
    for fresh, always in ((replace(FREE, modes=(UNTOLD,)), False), (FREE, True)):
        monkeypatch.setattr(FakeControls, "pastes", always)
        script = Script([(DRAFT, "hi"), (DRAFT, "hi"), (DRAFT, "hi"), (FREE, "")])
        answer = await sending.send(context(script, Kind.SEND, text(), fresh))
        assert (answer["by"], script.written[0], answer["delivery"]) == ("paste", "load-buffer", "submitted")


@pytest.mark.tc("TC-175")
def test_a_screen_without_the_input_field_takes_no_prompt_whatever_the_flag() -> None:
    """Keys may be meant for what is there; of an agent whose field nobody described, a named state has to do."""
    absent = replace(FREE, field=InputField.ABSENT)
    for params in (text(), text(None), text(over_draft=True)):
        assert reason(case(Kind.SEND, params, absent, if_state=("idle",))) == "no_composer"
        assert reason(case(Kind.SEND, params, replace(absent, has_field_rules=False), if_state=("idle",))) is None
    assert reason(case(Kind.SEND, SendParams(keys=("Enter",)), absent, if_state=("idle",))) is None
    assert reason(case(Kind.SEND, SendParams(keys=("Enter",)), absent)) == "no_composer"


@pytest.mark.tc("TC-170")
async def test_a_field_that_stays_in_its_mode_gets_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MODE_WITHIN", 0.2)
    normal = replace(FREE, modes=(NORMAL,))
    script = Script([(normal, "")])
    answer = await sending.send(context(script, Kind.SEND, text(), normal))
    assert (answer["delivery"], answer["bytes"], len(script.written)) == ("unconfirmed", 0, 1)


@pytest.mark.tc("TC-173")
async def test_a_receipt_says_what_was_seen_and_no_more() -> None:
    stands = Script([(DRAFT, "hi")])
    answer = await sending.send(context(stands, Kind.SEND, text()))
    assert (answer["delivery"], answer["entered"]) == ("unconfirmed", True)
    assert "is still in the input field" in answer["note"]
    assert "submitted" not in answer["note"]


RULES = """
format = 1
agent = "toy"
[composer]
prompt = '^>(?: (.*))?$'
[[rule]]
name = "composer"
composer = "free"
claim = "not_running"
strength = "hint"
[[mode]]
name = "shell mode"
region = "composer"
row = '^>\\s*!'
text = "none"
"""


@pytest.mark.tc("TC-170")
def test_a_rules_file_names_the_modes_of_a_field() -> None:
    rules = load(RULES, "toy.toml")
    (mode,) = rules.controls().modes
    assert (mode.name, mode.text) == ("shell mode", TextMethod.NONE)
    result = rules.look(Sample((">",), "t", False, True, 2, 0, 80, 24), None)
    assert result is not None
    assert result.accepts_input is True
    for wrong, expected in (
        ('text = "no"', "line 15: mode 1, key text"),
        ("swallow = []", "line 15: mode 1, key swallow"),
    ):
        with pytest.raises(RuleFileError, match=expected):
            load(RULES.replace('text = "none"', wrong), "toy.toml")


@pytest.mark.tc("TC-589")
@pytest.mark.parametrize(("text", "known"), [("!ls", True), ("  !ls", True), ("hello! ls", False), ("", False)])
def test_a_sign_in_front_of_a_text_is_the_shell_mode_of_pi(text: str, known: bool) -> None:
    """Its field changes nothing but the colour of its rules: the sign is all that there is."""
    rules = shipped_rules("pi")
    rows = (" Hello.", "", "─" * 40, text, "─" * 40, "~/proj", "0.0%/128k (auto)")
    view = rules.view(Sample(rows, "π - proj", False, False, 0, 3, 40, 7))
    assert [mode.name for mode in shown(rules.modes, view)] == (["shell mode"] if known else [])
