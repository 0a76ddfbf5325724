"""The escape sequence for each kind of terminal: short, closed, and free of what an agent could put in."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.features.notify.channels.escapes import BELL, MOST, cut, escape_for

pytestmark = pytest.mark.tc("TC-417")
TITLE, TEXT = "claude needs your approval", "work:1.0 on host"


@pytest.mark.parametrize(
    ("termname", "termtype", "expected"),
    [
        ("xterm-256color", "iTerm2 3.5.0", b"\x1b]9;claude needs your approval: work:1.0 on host\x1b\\"),
        ("xterm-256color", "", b"\x1b]9;claude needs your approval: work:1.0 on host\x1b\\"),
        ("xterm-ghostty", "ghostty 1.2", b"\x1b]777;notify;claude needs your approval;work:1.0 on host\x1b\\"),
        ("foot", "", b"\x1b]777;notify;claude needs your approval;work:1.0 on host\x1b\\"),
        ("xterm-256color", "WezTerm 20240203", b"\x1b]777;notify;claude needs your approval;work:1.0 on host\x1b\\"),
        ("rxvt-unicode-256color", "", b"\x1b]777;notify;claude needs your approval;work:1.0 on host\x1b\\"),
        ("linux", "", BELL),
        ("dumb", "", BELL),
        ("", "", BELL),
    ],
)
def test_each_terminal_gets_what_it_reads(termname: str, termtype: str, expected: bytes) -> None:
    assert escape_for(termname, termtype, TITLE, TEXT, "m-1") == expected


def test_kitty_gets_title_and_text_in_base64() -> None:
    data = escape_for("xterm-kitty", "kitty(0.32.2)", TITLE, TEXT, "01-ab;x")
    found = re.fullmatch(
        rb"\x1b\]99;i=01-abx:d=0:e=1;([^\x1b]*)\x1b\\\x1b\]99;i=01-abx:d=1:e=1:p=body;([^\x1b]*)\x1b\\", data
    )
    assert found is not None
    assert [base64.b64decode(part).decode() for part in found.groups()] == [TITLE, TEXT]


def test_within_another_tmux_or_screen_it_is_passed_on() -> None:
    tmux = escape_for("tmux-256color", "tmux 3.5a", TITLE, TEXT, "m-1")
    assert tmux == b"\x1bPtmux;\x1b\x1b]9;claude needs your approval: work:1.0 on host\x1b\x1b\\\x1b\\"
    assert escape_for("screen-256color", "tmux 3.3a", TITLE, TEXT, "m-1") == tmux
    screen = escape_for("screen", "", TITLE, TEXT, "m-1")
    assert screen == b"\x1bP\x1b]9;claude needs your approval: work:1.0 on host\x07\x1b\\"


def test_a_text_that_begins_with_a_number_is_no_progress_bar() -> None:
    assert escape_for("xterm", "", "4 agents need you", "", "m").startswith(b"\x1b]9;agtmux: 4 agents need you")


@given(
    termname=st.sampled_from(["xterm", "xterm-kitty", "foot", "tmux-256color", "screen", "xterm-ghostty", "linux"]),
    termtype=st.sampled_from(["", "tmux 3.3a", "kitty(0.30)", "iTerm2"]),
    title=st.text(max_size=600), text=st.text(max_size=3000), ident=st.text(max_size=80),
)  # fmt: skip
def test_nothing_ends_a_sequence_early_and_none_is_too_long(
    termname: str, termtype: str, title: str, text: str, ident: str
) -> None:
    data = escape_for(termname, termtype, title, text, ident)
    assert len(data) <= MOST
    if data == BELL:
        return
    body = data.replace(b"\x1bPtmux;", b"").replace(b"\x1b\x1b", b"\x1b")
    pieces = re.findall(rb"\x1b\]|\x1b\\|\x1bP|\x07|\x1b|[\x00-\x06\x08-\x1a\x1c-\x1f\x7f]", body)
    assert set(pieces) <= {b"\x1b]", b"\x1b\\", b"\x1bP", b"\x07"}
    assert pieces.count(b"\x1b]") in (1, 2)
    data.decode("utf-8")


def test_a_text_is_cut_between_characters() -> None:
    assert cut("äää", 3) == "ä".encode()
    assert cut("abc", 3) == b"abc"
