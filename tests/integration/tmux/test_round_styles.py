"""Screens captured with their attributes: the same text, and the styles that the program asked for."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.core.screen.style import words_of
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.tmux.round import Round, build, build_chunks, lines
from agtmuxd.tmux.round import parse as round_of
from agtmuxd.tmux.sgr import parse, split
from tests.conftest import Tmux, until

pytestmark = pytest.mark.tmux

COLS, ROWS = 40, 8
NONCE = "0123456789abcdef"
_serial = itertools.count()


class Canvas:
    """One pane whose terminal is drawn on."""

    def __init__(self, tmux: Tmux) -> None:
        self.tmux = tmux
        self.pane = tmux.start("sh", "-c", "stty raw -echo; exec sleep 600", cols=COLS, rows=ROWS)
        tmux.run("set-option", "-g", "status", "off")
        self.tty = os.open(tmux.show(self.pane, "#{pane_tty}"), os.O_WRONLY | os.O_NOCTTY)

    def draw(self, text: str) -> tuple[str, str]:
        """The pane captured without and with attributes, when ``text`` stands in it."""
        mark = f"drawn {next(_serial)}"
        # out of whatever a half sequence left, a blank screen in plain style; the title says when all was taken in
        wiped = "\x18\x1b\\\x1b(B\x0f\x1b[0m\x1b]8;;\x1b\\\x1b[H\x1b[2J"
        os.write(self.tty, f"{wiped}{text}\x18\x1b\\\x1b]2;{mark}\x1b\\".encode("utf-8", "surrogatepass"))
        until(lambda: self.tmux.show(self.pane, "#{pane_title}") == mark, what=mark)
        at = ("-t", self.pane)
        both = self.tmux.run(
            "capture-pane", "-p", *at, ";", "display-message", "-p", *at, mark, ";", "capture-pane", "-p", "-e", *at
        )
        plain, _, styled = both.partition(f"{mark}\n")
        return plain.removesuffix("\n"), styled


@pytest.fixture(scope="module")
def canvas() -> Iterator[Canvas]:
    folder = Path("/tmp") / f"agt-sgr-{os.getpid()}"
    folder.mkdir(mode=0o700)
    tmux = Tmux(folder / "s")
    made = Canvas(tmux)
    yield made
    os.close(made.tty)
    tmux.stop()
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


_CODE = st.one_of(
    st.sampled_from(
        ["0", "", "1", "2", "3", "4", "4:3", "5", "7", "8", "9", "21", "22", "23", "24", "25", "27", "28", "29", "53"]
    ),
    st.sampled_from(["31", "37", "39", "44", "49", "90", "97", "103", "55", "59", "58:5:3", "58;2;1;2;3"]),
    st.integers(0, 255).map(lambda n: f"38;5;{n}"),
    st.integers(0, 255).map(lambda n: f"48:5:{n}"),
    st.tuples(*[st.integers(0, 255)] * 3).map(lambda c: f"38;2;{c[0]};{c[1]};{c[2]}"),
    st.tuples(*[st.integers(0, 255)] * 3).map(lambda c: f"48:2::{c[0]}:{c[1]}:{c[2]}"),
)
_PIECE = st.one_of(
    st.lists(_CODE, min_size=1, max_size=3).map(lambda codes: f"\x1b[{';'.join(codes)}m"),
    st.text(st.sampled_from("ab❯─│ äé漢🦀👩\u200d\u0301\ufe0f\xa0"), max_size=12),
    st.sampled_from(["  ", " \x1b[7m \x1b[0m ", "\x1b[44m \x1b[K\x1b[0m \r\n"]),  # blanks at the end of a row
    st.sampled_from(["\r\n", "\t", "\x1b[K", "\x1b[2K", "\x1b[1C", "\x1b[D", "\x1b[X", "\x1b[3;5H", "\x1b[S", "\x08"]),
    st.sampled_from(["\x1b(0qx\x1b(B", "\x0e", "\x0f", "\x1b]8;;http://a/b\x1b\\", "\x1b]8;;\x1b\\", "\x1b]0;t;m\x07"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PIECE, max_size=40).map("".join))
def test_the_text_of_a_styled_capture_is_that_of_a_plain_one(canvas: Canvas, drawn: str) -> None:
    plain, styled = canvas.draw(drawn)
    text, spans = parse(styled)
    assert text == plain
    assert "\x1b" not in text
    rows = text.split("\n")
    assert len(spans) == len(rows)
    for row, found in zip(rows, spans, strict=True):
        ends = [0, *(edge for span in found for edge in (span.start, span.end)), len(row)]
        assert ends == sorted(ends)
        assert all(span.start < span.end and span.words for span in found)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ("2", {"dim"}),
        ("1;2;7", {"bold", "dim", "reverse"}),
        ("1;2;22", set()),
        ("3;4;9", {"italic", "underline", "strike"}),
        ("4:3", {"underline"}),
        ("31;42", {"fg:1", "bg:2"}),
        ("97;100", {"fg:15", "bg:8"}),
        ("38;5;248", {"fg:248"}),
        ("38:5:248;48;5;240", {"fg:248", "bg:240"}),
        ("38;2;1;2;255", {"fg:#0102ff"}),
        ("48:2::1:2:255", {"bg:#0102ff"}),
        ("38;5;248;39", set()),
        ("58;5;9", set()),
    ],
)
def test_each_way_of_asking_for_a_style_is_the_same_style(canvas: Canvas, codes: str, words: set[str]) -> None:
    _, styled = canvas.draw(f"plain \x1b[{codes}mlike 漢 this\x1b[0m, no more\r\nnext row")
    text, spans = parse(styled)
    first = text.split("\n")[0]
    start, end = first.index("like"), first.index(", no")
    assert {frozenset(w) for _, w in words_of(spans[0], start, end)} == {frozenset(words)}
    assert {w for _, w in words_of(spans[0], 0, start)} == {frozenset()}
    assert {w for _, w in words_of(spans[0], end, len(first))} == {frozenset()}
    assert spans[1] == ()


def test_a_style_goes_on_over_the_ends_of_rows(canvas: Canvas) -> None:
    _, styled = canvas.draw("\x1b[2mone two\r\nthree\x1b[0m four")
    text, spans = parse(styled)
    assert text.split("\n")[:2] == ["one two", "three four"]
    assert [[(s.start, s.end, set(s.words)) for s in row] for row in spans[:2]] == [
        [(0, 7, {"dim"})],
        [(0, 5, {"dim"})],
    ]


def test_nothing_that_a_terminal_would_obey_is_left() -> None:
    odd = "\x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x1b[?25lhid \x1bPq\x1b\\dcs \x1b(0q\x1b(B \x1b[2mdim\x1b[>4;1m\x1b"
    text, spans = parse(odd)
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text) is None
    assert text == "link hid dcs q dim"
    assert [set(span.words) for span in spans[0]] == [{"dim"}]


async def test_a_round_brings_styles_for_the_panes_that_were_named_however_it_is_asked(canvas: Canvas) -> None:
    canvas.draw("\x1b[2mone\x1b[0m two")
    other = canvas.tmux.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", canvas.pane, "sleep 600")
    executor = LocalExecutor(os.environ)
    argv = [*canvas.tmux.argv]
    whole = await executor.run(
        [*argv, "source-file", "-"], stdin=build(NONCE, [canvas.pane, other], {canvas.pane}), timeout=20
    )
    pieces = [
        await executor.run([*argv, *piece], timeout=20)
        for piece in build_chunks(NONCE, [canvas.pane, other], {canvas.pane}, limit=200)
    ]
    await executor.close()
    canvas.tmux.run("kill-pane", "-t", other)
    for reply in (whole.stdout, b"".join(piece.stdout for piece in pieces)):
        found = round_of(NONCE, reply, b"", 0)
        assert isinstance(found, Round)
        captures, styles = split(found.captures, {canvas.pane, "%999"})
        assert lines(captures[canvas.pane]) == ("one two",)
        assert [(s.start, s.end, set(s.words)) for s in styles[canvas.pane][0]] == [(0, 3, {"dim"})]
        assert set(styles) == {canvas.pane}
        assert lines(captures[other]) == ()
        assert split(found.captures, ()) == (found.captures, {})
