"""What is read of escape sequences, whatever they are: a captured file may hold any."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.core.screen.style import Span, read, words_of
from agtmuxd.tmux.sgr import parse

BITS = ["\x1b[", "\x1b", "m", "38;5;", "48:2:", "0", "7", "300", ";", ":", "\n", " ", "a", "│", "宽", "<", "-"]
BITS += ["\x1b]8;;x\x07", "\x1b\\", "\x0e", "\x0f", "\x1b(B"]
sequences = st.text("0123456789;:", max_size=14).map(lambda parameters: f"\x1b[{parameters}mx")
captures = st.lists(st.sampled_from(BITS) | sequences, max_size=16).map("".join)


@settings(deadline=None, max_examples=300)
@given(captures)
def test_spans_lie_in_their_rows_in_order_and_apart(capture: str) -> None:
    text, styles = parse(capture)
    rows = text.split("\n")
    assert len(rows) == len(styles)
    assert "\x1b" not in text
    for row, spans in zip(rows, styles, strict=True):
        at = 0
        for span in spans:
            assert at <= span.start < span.end <= len(row)
            assert span.words
            at = span.end
        assert not any(a.end == b.start and a.words == b.words for a, b in pairwise(spans))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("38;5;1:2", ""),
        ("38;5;1:2;1", "bold"),
        ("38;2;1;2;3:4;1", "bold"),
        ("38;5", ""),
        ("1;38;2;7", "bold"),
        ("38;2;0;10;255;3", "fg:#000aff italic"),
        ("48;5;300", "bg:44"),
        ("38:2::1:2:3;4:3", "fg:#010203 underline"),
        ("4:0;58;5;9;1", "bold"),
        ("38:2:1:2:3", "fg:#010203"),
        ("48:5:9", "bg:9"),
        ("1;2;3;22", "italic"),
        ("3;23", ""),
        ("4;24", ""),
        ("5;25", ""),
        ("6;7", "blink reverse"),
        ("7;27", ""),
        ("8;28", ""),
        ("9;29", ""),
        ("21;1", "underline bold"),
        ("37;107", "fg:7 bg:15"),
        ("90;40", "fg:8 bg:0"),
        ("97;100", "fg:15 bg:8"),
        ("31;41;39", "bg:1"),
        ("31;41;49", "fg:1"),
        ("1;31;;4", "underline"),
        ("98;108;26", ""),
        ("1" * 300, ""),
    ],
)
def test_what_a_sequence_names(parameters: str, words: str) -> None:
    text, styles = parse(f"\x1b[{parameters}mx")
    assert text.endswith("x")
    assert styles == (((Span(0, 1, frozenset(words.split())),) if words else ()),)


def test_a_style_goes_on_over_the_end_of_a_row_and_equal_ones_are_one_span() -> None:
    bold = frozenset({"bold"})
    assert parse("a\x1b[1mb \n\x1b[1mc\x1b[1md") == ("ab\ncd", ((Span(1, 2, bold),), (Span(0, 2, bold),)))
    assert parse("\x1b[1ma\x1b[0m \x1b[1mb") == ("a b", ((Span(0, 1, bold), Span(2, 3, bold)),))


def test_every_letter_has_a_style_and_what_no_span_names_is_plain() -> None:
    spans = (Span(2, 3, frozenset({"bold"})), Span(5, 8, frozenset({"dim"})))
    named = ["" if not words else next(iter(words)) for _, words in words_of(spans, 1, 12)]
    assert named == ["", "bold", "", "", "dim", "dim", "dim", "", "", "", ""]
    assert [at for at, _ in words_of(spans, 1, 12)] == list(range(1, 12))
    assert [at for at, _ in words_of(spans, 6, 7)] == [6]


@pytest.mark.parametrize(
    ("style", "drawn", "could"),
    [
        (["dim"], "\x1b[31mx", True),
        (["dim"], "\x1b[7mx", False),
        (["fg:248"], "\x1b[31mx", True),
        (["fg:248"], "\x1b[1mx", False),
        (["fg:248", "dim"], "\x1b[1mx", True),  # one of them needs no colours
        (["!bold"], "\x1b[1mx", True),
        (["fg:248 dim"], "\x1b[1mx", True),
    ],
)
def test_whether_a_program_could_have_drawn_so(style: list[str], drawn: str, could: bool) -> None:
    assert read(style).could_show(parse(drawn)[1]) is could
