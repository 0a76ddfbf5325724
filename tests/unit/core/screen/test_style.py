"""What the way a text is drawn tells: a placeholder from a draft, and which option a dialog's keys act on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.contract import Identity
from agtmuxd.core.model import NS, Claim, Proc, Sample, Write
from agtmuxd.core.screen.controls import Controls, InputField
from agtmuxd.core.screen.dialog_options import DialogOptions
from agtmuxd.core.screen.rule_file import RuleFileError, load
from agtmuxd.core.screen.style import read
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.roster import Roster
from agtmuxd.tmux.round import lines
from agtmuxd.tmux.sgr import parse
from tests.rig import pane_row

LINE = "─" * 20
FOOTER = "\x1b[38;5;246m  ? for shortcuts\x1b[0m"

RULES = """
format = 1
agent = "toy"
[composer]
prompt = '^❯(?: (.*))?$'
above = '^─{8,}'
below = '^─{8,}'
hints = '^Type a message'
%s
[[rule]]
name = "free"
claim = "not_running"
strength = "hint"
composer = "visible"
"""


def screen(*rows: str, cursor: tuple[int, int] = (2, 1), styled: bool = True) -> Sample:
    text, styles = parse("\n".join(rows))
    return Sample(lines(text), "t", False, True, *cursor, 80, 24, styles if styled else None)


def field(
    key: str, *rows: str, cursor: tuple[int, int] = (2, 1), footer: str = FOOTER
) -> tuple[InputField, bool | None]:
    """What the field holds by rules with this key in ``[composer]``, and whether it accepts input."""
    rules = load(RULES % key, "toy.toml", "toy")
    sample = screen(LINE, *rows, LINE, footer, cursor=cursor)
    write = rules.look(sample, None)
    assert write is not None
    return rules.controls().look(sample), write.accepts_input


DIM = 'hint_style = "dim"'


class _Toy:
    """An adapter by rules that may be changed."""

    def __init__(self, key: str) -> None:
        self.rules = load(RULES % key, "toy.toml", "toy")

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        return self.rules.look(sample, before)

    def controls(self) -> Controls:
        return self.rules.controls()


@pytest.mark.tc("TC-107")
async def test_styles_are_not_read_any_more_once_rules_that_are_taken_anew_ask_for_none() -> None:
    nothing: Any = None
    toy: Any = _Toy(DIM)
    roster = Roster(nothing, nothing, lambda *_: {}, status_files=lambda _: False)
    proc = Proc(7, 1, 7, 7, 1, "S", "99", "toy", ("toy",))
    roster.agents["%1"] = Agent("%1", toy, Identity("toy"), proc, 0, None, Path("/"), {})
    row = pane_row("%1", cursor_x=2, cursor_y=1)
    shown = {"%1": f"{LINE}\n❯ Type a message\n{LINE}\n"}
    await roster.look({"%1": row}, shown, NS)
    assert roster.styled() == {"%1"}
    toy.rules = load(RULES % "", "toy.toml", "toy")
    roster.forget_looks()
    await roster.look({"%1": row}, dict(shown), 2 * NS)
    assert roster.styled() == frozenset()


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("row", "held"),
    [
        ("❯ \x1b[2mType a message\x1b[0m", (InputField.FREE, True)),
        ("❯ \x1b[7mT\x1b[0;2mype a message\x1b[0m", (InputField.FREE, True)),  # the cursor is drawn on it
        ("❯ \x1b[7mw\x1b[0;2mords of another version\x1b[0m", (InputField.OFFERED, True)),
        ("❯ Type a message", (InputField.DRAFT, False)),  # somebody typed the very words
        ("❯ \x1b[7mT\x1b[0mype a message", (InputField.DRAFT, False)),
        ("❯ half a thought", (InputField.DRAFT, False)),
        ("❯ half \x1b[2ma completion\x1b[0m", (InputField.DRAFT, False)),
        ("❯ \x1b[7mx\x1b[0m", (InputField.UNSURE, None)),  # one letter, and the cursor on it
        ("❯", (InputField.FREE, True)),
        ("❯ \x1b[7m \x1b[0m", (InputField.FREE, True)),
    ],
)
def test_a_placeholder_is_told_from_a_draft_by_how_it_is_drawn(row: str, held: tuple[InputField, bool | None]) -> None:
    assert field(DIM, row) == held


@pytest.mark.tc("TC-107")
def test_where_the_cursor_is_behind_the_text_it_is_a_draft_however_it_is_drawn() -> None:
    assert field(DIM, "❯ \x1b[2mType a message\x1b[0m", cursor=(9, 1)) == (InputField.DRAFT, False)
    assert field(DIM, "❯ \x1b[2mType a message\x1b[0m", cursor=(0, 3)) == (InputField.DRAFT, False)


@pytest.mark.tc("TC-107")
def test_on_a_terminal_without_styles_what_is_unknown_stays_unknown() -> None:
    for key, footer in ((DIM, "  ? for"), (DIM, "  \x1b[7m? for\x1b[0m"), ('hint_style = "fg:248"', "  \x1b[1m? for")):
        assert field(key, "❯ words of another version", footer=footer) == (InputField.UNSURE, None)
        assert field(key, "❯ Type a message", footer=footer) == (InputField.FREE, True)
    assert field("", "❯ \x1b[2mwords of another version\x1b[0m") == (InputField.UNSURE, None)
    rules = load(RULES % DIM, "toy.toml", "toy")
    coloured_shell = screen("\x1b[32m$\x1b[0m toy", LINE, "❯ words of another version", LINE, "  ? for", cursor=(2, 2))
    assert rules.controls().look(coloured_shell) is InputField.UNSURE


@pytest.mark.tc("TC-107")
def test_placeholders_may_have_the_colour_of_another_text_whatever_the_theme() -> None:
    like = "hint_like = '^ +(\\? for)'"
    for grey in ("38;5;248", "90", "38;2;1;2;3"):
        footer = f"  \x1b[{grey}m? for shortcuts\x1b[0m"
        assert field(like, f"❯ \x1b[{grey}mnew words\x1b[0m", footer=footer) == (InputField.OFFERED, True)
        assert field(like, "❯ \x1b[38;5;231mType a message\x1b[0m", footer=footer) == (InputField.DRAFT, False)
        assert field(like, "❯ Type a message", footer=footer) == (InputField.DRAFT, False)
    for footer in ("  ? for shortcuts", "  \x1b[31m? \x1b[32mfor\x1b[0m", "nothing there"):  # no colour to compare with
        assert field(like, "❯ new words", footer=footer) == (InputField.UNSURE, None)


@pytest.mark.tc("TC-107")
def test_a_placeholder_of_several_rows_is_one_only_if_all_of_it_is_drawn_so() -> None:
    assert field(DIM, "❯ \x1b[2mType a message", "  or a command\x1b[0m") == (InputField.FREE, True)
    assert field(DIM, "❯ \x1b[2mType a message\x1b[0m", "  or a command") == (InputField.DRAFT, False)
    plain = screen(LINE, "❯ Type a message", "  or a command", LINE, FOOTER, styled=False)
    assert load(RULES % DIM, "toy.toml", "toy").controls().look(plain) is InputField.DRAFT


@pytest.mark.tc("TC-107")
def test_what_was_found_out_before_holds_for_a_sample_without_styles() -> None:
    rules = load(RULES % DIM, "toy.toml", "toy")
    controls = rules.controls()
    seen = screen(LINE, "❯ \x1b[2mwords of another version\x1b[0m", LINE, FOOTER)
    below = ("❯ words of another version", LINE, "  ? for shortcuts")
    later = screen("* more output", LINE, *below, cursor=(2, 2), styled=False)
    assert controls.undrawn(later) == controls.undrawn(seen) == "\n".join(below)
    assert controls.undrawn(screen(LINE, *below[:2], "  another footer", styled=False)) != controls.undrawn(seen)
    assert controls.hint(seen) is True
    assert [controls.look(replace(later, hint=hint)) for hint in (True, False, None)] == [
        InputField.OFFERED, InputField.DRAFT, InputField.UNSURE,
    ]  # fmt: skip
    assert controls.undrawn(screen(LINE, "❯", LINE)) is None
    assert controls.undrawn(screen(LINE, "❯ half a thought", LINE, cursor=(16, 1))) is None
    assert not load(RULES % "", "toy.toml", "toy").controls().styled


STYLED = """
format = 1
agent = "toy"
[[rule]]
name = "chosen"
claim = "waiting_input"
strength = "hint"
all = [{ contains = "Which way" }, { row = '^ *(Left|Right)', style = "reverse" }]
waiting = { kind = "question" }
"""


def test_a_rule_that_asks_how_a_row_is_drawn_holds_only_where_that_is_known() -> None:
    rules = load(STYLED, "toy.toml", "toy")

    def says(*rows: str, styled: bool = True) -> str | None:
        write = rules.look(screen(*rows, styled=styled), None)
        return None if write is None else write.rule

    assert says("Which way?", "  Left", "  \x1b[7mRight\x1b[0m") == "chosen"
    assert says("Which way?", "  Left", "  \x1b[1mRight\x1b[0m") is None
    assert says("Which way?", "  \x1b[7mRi\x1b[0mght") is None
    assert says("Which way?", "  Left", "  \x1b[7mRight\x1b[0m", styled=False) is None
    controls = rules.controls()
    assert controls.styled
    assert controls.asks_style(screen("Which way?", "  Left", styled=False))
    assert not controls.asks_style(screen("Nothing to choose", styled=False))


@pytest.mark.parametrize(
    ("region", "row", "holds"),
    [
        ('"screen"', 0, True),
        ('"tail:2"', 5, True),
        ('"tail:2"', 3, False),
        ('"footer"', 5, True),
        ('"footer"', 3, False),
        ('"composer"', 3, True),
        ('"composer"', 1, False),
        ('"above:1"', 1, True),
        ('"above:1"', 0, False),
        ("{ from = '^mark 1' }", 1, True),
        ("{ from = '^mark 1' }", 0, False),
        ("{ from = '^absent' }", 0, False),
        ('"title"', 0, False),
    ],
)
def test_a_style_is_looked_for_in_the_region_of_its_matcher(region: str, row: int, holds: bool) -> None:
    rule = "[[rule]]\nname = 'marked'\nclaim = 'running'\nstrength = 'hint'\npriority = 1\n"
    rule += f"all = [{{ row = 'mark', style = 'reverse', region = {region} }}]\n"
    rows = ["mark 0", "mark 1", LINE, "❯ mark", LINE, "mark 5"]
    rows[row] = rows[row].replace("mark", "\x1b[7mmark\x1b[0m")
    write = load(RULES % DIM + rule, "toy.toml", "toy").look(screen(*rows, cursor=(6, 3)), None)
    assert write is not None
    assert (write.rule == "marked") is holds


ROW = "  \x1b[48;5;214;30mAllow once\x1b[0m  \x1b[48;5;236;37mAllow always\x1b[0m  \x1b[48;5;236;37mReject\x1b[0m"
THREE = ("Allow once", "Allow always", "Reject")


def test_the_chosen_option_is_the_one_that_is_drawn_unlike_the_others() -> None:
    choices = DialogOptions(re.compile(r"(Allow once|Allow always|Reject)"))
    quoted = "said before: Reject"
    assert choices.chosen(screen(quoted, ROW), THREE) == 1
    moved = "  Allow once  Allow always  \x1b[7mReject\x1b[0m"
    assert choices.chosen(screen(quoted, moved), THREE) == 3
    one_below_the_other = ("┃ Allow once", "┃ \x1b[1mAllow always\x1b[0m", "┃ Reject")
    assert choices.chosen(screen(*one_below_the_other), THREE) == 2


def test_the_chosen_option_is_not_guessed() -> None:
    choices = DialogOptions(re.compile(r"(Allow once|Allow always|Reject)"))
    assert choices.chosen(screen(ROW, styled=False), THREE) is None
    assert choices.chosen(screen("Allow once  Allow always  Reject"), THREE) is None
    assert choices.chosen(screen("\x1b[1mAllow once\x1b[0m  Allow always"), THREE[:2]) is None
    assert choices.chosen(screen("\x1b[1mAllow once\x1b[0m \x1b[2mAllow always\x1b[0m Reject"), THREE) is None
    assert choices.chosen(screen(ROW), ("Allow once", "Reject", "Allow always")) is None
    assert choices.chosen(screen(ROW), (*THREE, "More")) is None
    assert choices.chosen(screen("nothing"), ()) is None
    styled = DialogOptions(choices.pattern, read(["bg:214"]))
    assert styled.chosen(screen(ROW), THREE) == 1
    assert styled.chosen(screen("\x1b[48;5;214mAllow once Allow always\x1b[0m Reject"), THREE) is None


DIALOG = """
format = 1
agent = "toy"
[[rule]]
name = "permission"
claim = "waiting_approval"
strength = "hint"
all = [{ contains = "Allow once" }]
waiting = { kind = "approval", option_regex = '(Allow once|Allow always|Reject)' }
keys = { %s }
"""
BY_COLOUR = 'approve = 1, deny = 3, option = ["Enter"], chosen = "odd", move = ["Left", "Right"]'


@pytest.mark.tc("TC-107")
def test_the_pointer_is_moved_to_an_option_from_the_one_that_is_drawn_as_chosen() -> None:
    rules = load(DIALOG % BY_COLOUR, "toy.toml", "toy")
    controls = rules.controls()
    keys = controls.dialogs["permission"]
    assert controls.styled
    assert (keys.approve_at, keys.deny_at, keys.points) == (1, 3, True)
    write = rules.look(screen(ROW), None)
    assert write is not None
    assert write.waiting_for is not None
    assert write.waiting_for.options == THREE  # side by side
    assert [keys.moves(screen(ROW), n, THREE) for n in (1, 2, 3)] == [(), ("Right",), ("Right", "Right")]
    last = screen("Allow once  Allow always  \x1b[7mReject\x1b[0m")
    assert keys.moves(last, 1, THREE) == ("Left", "Left")
    assert keys.moves(screen(ROW, styled=False), 1, THREE) is None
    assert keys.taking(1) == ("Enter",)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('approve = 1, chosen = "odd"', "so the key option is needed too"),
        ("chosen = \"odd\", pointer = '^> (.*)'", "cannot be used together with pointer"),
        ('chosen = "bright"', "'bright' is not a style"),
        ('chosen = "odd", move = ["Left"]', "needs two keys"),
        ('chosen = "odd", move = ["Left", "Rihgt"]', "'Rihgt' is not a tmux key name"),
        ("approve = true", "must be a whole number"),
    ],
)
def test_keys_that_make_no_sense_are_refused_by_name(keys: str, message: str) -> None:
    with pytest.raises(RuleFileError, match=re.escape(message)):
        load(DIALOG % keys, "toy.toml", "toy")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ('hint_style = "grey"', "key hint_style: 'grey' is not a style"),
        ('hint_style = "fg:256"', "'fg:256' is not a style"),
        ('hint_style = ""', "a style needs a word"),
        ("hint_style = []", "a style needs a word"),
        ("hint_style = 5", "must be a list"),
        ("hint_like = 'x'", "needs 1 group"),
    ],
)
def test_a_style_that_is_none_is_refused_by_name(key: str, message: str) -> None:
    with pytest.raises(RuleFileError, match=re.escape(message)):
        load(RULES % key, "toy.toml", "toy")


def test_a_style_goes_with_a_row_alone() -> None:
    with pytest.raises(RuleFileError, match="key style: can only be used with row"):
        load(STYLED.replace("row = '^ *(Left|Right)'", 'contains = "Left"'), "toy.toml", "toy")


def test_a_style_is_any_of_its_alternatives_and_all_the_words_of_one() -> None:
    test = read(["dim !bold", "fg:248", "plain"])
    assert [test.holds(frozenset(w.split())) for w in ("dim", "dim bold", "fg:248 bold", "fg:1", "", "reverse")] == [
        True, False, True, False, True, False,
    ]  # fmt: skip
    assert read(["fg"]).holds(frozenset({"fg:#010203"}))
    assert not read(["!bg"]).holds(frozenset({"bg:1"}))
    assert Controls().undrawn(screen("x")) is None
