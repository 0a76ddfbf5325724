"""The keys of a dialog: where the pointer is, which keys take an option, and what stands in a field for words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agtmuxd.core.model import Sample
from agtmuxd.core.screen.controls import DialogKeys

CHOICE = DialogKeys(
    option=("Enter",),
    pointer=re.compile(r"^ ❯ (Other \(type your answer|\S.*)"),
    write=re.compile(r"^Other \(type"),
    field=re.compile("^❯ "),
)
OPTIONS = ("Red", "Blue", "Other (type your answer)")


def dialog(text: str, *, x: int, y: int) -> Sample:
    return Sample(tuple(text.split("\n")), "t", False, False, x, y, 80, 24)


@pytest.mark.tc("TC-027")
def test_a_pointer_without_numbers_is_told_by_the_words_it_stands_on() -> None:
    """Where two options begin alike, or it stands on none of them, no key is pressed."""
    on_blue = dialog("   Red\n ❯ Blue\n   Other (type your answer)", x=7, y=1)
    assert CHOICE.points
    assert CHOICE.moves(on_blue, 1, OPTIONS) == ("Up",)
    assert CHOICE.moves(on_blue, 2, OPTIONS) == ()
    assert CHOICE.moves(on_blue, 3, OPTIONS) == ("Down",)
    below = dialog(" ❯ Other (type your answer below)\n───\n❯ Type your answer...", x=2, y=2)
    assert CHOICE.moves(below, 3, OPTIONS) == ()
    assert CHOICE.free(below, 3) is True
    assert CHOICE.moves(on_blue, 1, ("Blue hat", "Blue coat")) is None
    assert CHOICE.moves(on_blue, 2, ("Blue hat", "Blue")) == ()
    assert CHOICE.moves(on_blue, 1, ("Green", "Brown")) is None
    assert CHOICE.moves(dialog("no pointer", x=0, y=0), 1, OPTIONS) is None
    assert CHOICE.opening(3) == ()
    assert CHOICE.taking(2) == ("Enter",)


@pytest.mark.tc("TC-027")
def test_an_option_whose_key_only_opens_a_field_is_told_from_the_others() -> None:
    """A number for it would answer nothing; one that Tab opens is taken by its number."""
    assert CHOICE.types("Other (type your answer)")
    assert not CHOICE.types("Red")
    assert not replace(CHOICE, open=("Tab",)).types("Other (type your answer)")
    assert not DialogKeys(option=("{n}",)).types("Other (type your answer)")


@pytest.mark.tc("TC-027")
def test_what_the_agent_draws_behind_a_text_is_no_part_of_it() -> None:
    """An approval's "no, and say why": the hint stands behind the words; more words than were typed are a draft."""
    keys = DialogKeys(field=re.compile(r"^│ ❯ (\d)\. "), behind=re.compile(r"\s*\(Esc to stop\)[\s│]*$"))
    assert keys.written(dialog("│ ❯ 3. use make (Esc to stop)  │", x=15, y=0), 3, "use make")
    assert not keys.written(dialog("│ ❯ 3. do use make (Esc to stop)  │", x=18, y=0), 3, "use make")
    assert not replace(keys, behind=None).written(dialog("│ ❯ 3. use make (Esc to stop)  │", x=15, y=0), 3, "use make")


@pytest.mark.tc("TC-107")
def test_an_empty_field_is_free_although_its_row_comes_without_blanks() -> None:
    """The cursor stands where the text would begin; a text in it is none of ours."""
    keys = DialogKeys(field=re.compile("^ ❯ "), write=re.compile("."))
    assert keys.free(dialog(" Name\n ❯", x=3, y=1), None) is True
    assert keys.free(dialog(" Name\n ❯ half", x=7, y=1), None) is False
    assert keys.free(dialog(" Name\n", x=0, y=1), None) is None
