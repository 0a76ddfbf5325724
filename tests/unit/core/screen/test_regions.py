"""The input field: a placeholder is told from a draft by how it is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.core.screen.controls import InputField
from agtmuxd.core.screen.rule_file import load
from tests.unit.core.screen.test_style import DIM, LINE, RULES, screen

FOOTER = "\x1b[38;5;246m  ? for shortcuts\x1b[0m"


def field(
    key: str, *rows: str, cursor: tuple[int, int] = (2, 1), footer: str = FOOTER
) -> tuple[InputField, bool | None]:
    """What the field holds by rules with this key in ``[composer]``, and whether it accepts input."""
    rules = load(RULES % key, "toy.toml", "toy")
    sample = screen(LINE, *rows, LINE, footer, cursor=cursor)
    write = rules.look(sample, None)
    assert write is not None
    return rules.controls().look(sample), write.accepts_input


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
