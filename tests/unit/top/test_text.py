"""Text of panes in cells: cleaned, measured, cut, wrapped."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agtmux.top.text import cut, cut_middle, fit, fit_right, safe_line, safe_lines, width, wrap

ODD = "\x1b[31m\x9b2J\u202e\u2066\u200b\u200d\ufe0f\u0301\u0300a\u0308\u0308\u0308界한🇩🇪👩\u200d💻👍🏽\ufeff\t\n\r\x00"
TEXTS = st.text(st.one_of(st.sampled_from(ODD), st.characters()), max_size=60)


@pytest.mark.tc("TC-303")
@given(TEXTS)
def test_a_text_is_drawn_without_what_moves_the_cursor_or_joins_cells(text: str) -> None:
    """No control, bidi or joining character is left, and at most one mark on a character."""
    line = safe_line(text)
    assert not [c for c in line if unicodedata.category(c) in ("Cc", "Cs") or 0x202A <= ord(c) <= 0x202E]
    assert not set(line) & set("\u200d\ufe0f\u2066\u200b\u1160")
    marks = [unicodedata.category(c) in ("Mn", "Me") for c in line]
    assert not any(a and b for a, b in pairwise(marks))
    assert line == " ".join(line.split())
    assert width(line) == sum(cell_len(c) for c in line)


@pytest.mark.tc("TC-303")
@given(TEXTS, st.integers(0, 30))
def test_a_text_is_cut_to_its_cells(text: str, room: int) -> None:
    """Also where a wide character does not fit into the last cell."""
    line = safe_line(text)
    assert width(cut(line, room)) <= room
    assert width(fit(line, room)) == room == width(fit_right(line, room))
    if width(line) <= room:
        assert cut(line, room) == line
    elif room > 0:
        assert cut(line, room).endswith("…")


@pytest.mark.tc("TC-303")
@given(TEXTS, st.integers(2, 20), st.integers(1, 5))
def test_a_text_is_wrapped_into_lines_that_fit(text: str, room: int, most: int) -> None:
    """No line is wider than its room, nothing is lost before the limit, and a cut is shown."""
    line = safe_line(text)
    lines = wrap(line, room, most)
    assert len(lines) <= most
    assert all(width(one) <= room for one in lines)
    everything = "".join(line.split())
    got = "".join("".join(lines).split())
    assert got == everything or lines[-1].endswith("…")


@pytest.mark.tc("TC-303")
def test_words_stay_whole_where_they_fit() -> None:
    assert wrap("rm -rf build dist", 9, 5) == ["rm -rf", "build", "dist"]
    assert wrap("a-very-long-word x", 6, 5) == ["a-very", "-long-", "word x"]
    assert wrap("one two three", 5, 2) == ["one", "two …"]
    assert wrap("", 5, 2) == []


@pytest.mark.tc("TC-303")
def test_flags_and_joined_pictures_become_plain_characters() -> None:
    assert safe_line("🇩🇪 👩\u200d💻 👍🏽 ❤\ufe0f") == "DE 👩💻 👍 ❤"
    assert safe_line(None) == ""
    assert safe_lines("a\tb\n\x1b[1mc") == ["a    b", "[1mc"]


@pytest.mark.tc("TC-900")
def test_a_long_name_keeps_its_end() -> None:
    assert cut_middle("integration-12", 8) == "inte…-12"
    assert cut_middle("builder", 8) == "builder"
    assert cut_middle("界界界界界界", 8) == cut("界界界界界界", 8)
