"""Options that are drawn as chosen."""

from __future__ import annotations

import re

import pytest

from agtmuxd.core.screen.dialog_options import DialogOptions
from agtmuxd.core.screen.rule_file import load
from agtmuxd.core.screen.style import read
from tests.unit.core.screen.test_style import DIALOG, screen

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
