"""Conflict markers: 2-way and diff3, at the start of lines only, with any line ends."""

from __future__ import annotations

import pytest

from agtmux.git.markers import find_conflicts, has_marker, resolved

pytestmark = pytest.mark.tc("TC-827")
TWO_WAY = b"<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> other\n"
DIFF3 = b"<<<<<<< HEAD\nours\n||||||| abc\nbase\n=======\ntheirs\n>>>>>>> other\n"


def test_a_block_has_its_sides_labels_and_line() -> None:
    (one,) = find_conflicts("f", b"a\nb\n" + DIFF3 + b"c\n")
    assert (one.line, one.ours, one.base, one.theirs) == (3, b"ours\n", b"base\n", b"theirs\n")
    assert (one.ours_label, one.theirs_label) == ("HEAD", "other")
    (two,) = find_conflicts("f", TWO_WAY)
    assert two.base is None


@pytest.mark.parametrize(
    "text",
    [
        b" " + TWO_WAY, b"<<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n", b"<<<<<<<HEAD\na\n=======\nb\n>>>>>>> x\n",
        b"Heading\n=======\ntext\n", b"<<<<<<< a\nx\n=======\ny\n", b"=======\n>>>>>>> a\n", b"",
        b"<<<<<<< a\nx\n>>>>>>> b\n",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_block_is_none(text: bytes) -> None:
    assert find_conflicts("f", text) == []


def test_a_first_marker_in_a_block_begins_anew() -> None:
    (one,) = find_conflicts("f", b"<<<<<<< lost\nx\n" + TWO_WAY)
    assert (one.line, one.ours) == (3, b"ours\n")
    assert has_marker(b"x\n<<<<<<< lost\n")
    assert not has_marker(b"=======\n")


@pytest.mark.parametrize(
    ("choice", "result"),
    [("ours", b"ours\n"), ("theirs", b"theirs\n"), ("both", b"ours\ntheirs\n"), ("base", b"base\n")],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_side_takes_the_place_of_the_block_and_nothing_else_changes(choice: str, result: bytes, end: bytes) -> None:
    whole = (b"a\n" + DIFF3 + b"z").replace(b"\n", end)
    (one,) = find_conflicts("f", whole)
    side = one.side(choice)
    assert side is not None
    assert resolved(whole, one, side) == b"a" + end + result.replace(b"\n", end) + b"z"


def test_a_file_that_ends_without_a_line_break_still_does() -> None:
    whole = b"a\n" + TWO_WAY.removesuffix(b"\n")
    (one,) = find_conflicts("f", whole)
    assert resolved(whole, one, one.ours) == b"a\nours"


def test_an_id_stays_while_other_blocks_go_also_among_equal_ones() -> None:
    whole = TWO_WAY + b"x\n" + TWO_WAY + b"y\n" + DIFF3
    first, second, third = find_conflicts("f", whole)
    assert len({first.conflict_id, second.conflict_id, third.conflict_id}) == 3
    known = [second, third]
    left = find_conflicts("f", resolved(whole, first, first.ours), known)
    assert [one.conflict_id for one in left] == [second.conflict_id, third.conflict_id]
    again = find_conflicts("f", b"new\n" + whole, [first, second, third])
    assert [one.conflict_id for one in again] == [first.conflict_id, second.conflict_id, third.conflict_id]
