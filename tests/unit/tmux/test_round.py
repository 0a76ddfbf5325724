"""What the reply of one round says, and what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.core.model import ServerInfo
from agtmuxd.tmux.round import CHUNK_BYTES, Replies, Round, RoundFailure, build, build_chunks, lines, parse
from agtmuxd.tmux.server import parse_version
from agtmuxd.tmux.user_options import NAMES

N = "0123456789abcdef"
NO_OPTIONS = N * len(NAMES) + "\n"
HEAD = f"{N}s42 1700000000 3.3a{N}/tmp/a b{NO_OPTIONS}"
END = f"{N}e\n"


def _row(
    pane: str = "%1",
    session: str = "$0",
    *,
    window: int = 0,
    attached: int = 0,
    active: int = 1,
    name: str = "main",
    title: str = "t",
    status: str = "",
    signal: str = "",
    agent: str = "",
) -> str:
    numbers = f"{pane} {session} @1 {window} 0 77 1 {active} {attached} 0 {status} {signal} 0 1 0 3 4 80 24"
    return f"{N}p{numbers}{N}{name}{N}w{N}{title}{N}cat{N}/home{N}{agent}{N}/dev/pts/1\n"


def _good(reply: str, stderr: str = "", returncode: int = 0) -> Round:
    found = parse(N, reply.encode(), stderr.encode(), returncode)
    assert isinstance(found, Round), found
    return found


def _failed(reply: str, stderr: str = "", returncode: int = 1) -> RoundFailure:
    found = parse(N, reply.encode(), stderr.encode(), returncode)
    assert isinstance(found, RoundFailure), found
    return found


def test_a_listing_is_read_field_by_field() -> None:
    found = _good(HEAD + _row(attached=2) + f"{N}l1\n" + END)
    assert found.server == ServerInfo(42, 1700000000, "3.3a", "/tmp/a b")
    (pane,) = found.panes
    assert (pane.pane_id, pane.session_id, pane.window_id, pane.pid) == ("%1", "$0", "@1", 77)
    assert (pane.session_name, pane.window_name, pane.title, pane.command, pane.cwd) == (
        "main",
        "w",
        "t",
        "cat",
        "/home",
    )
    assert (pane.tty, pane.active, pane.attached, pane.dead, pane.dead_status) == ("/dev/pts/1", True, 2, False, None)
    assert (pane.in_mode, pane.alternate_on, pane.cursor_visible) == (False, True, False)
    assert (pane.cursor_x, pane.cursor_y, pane.cols, pane.rows) == (3, 4, 80, 24)
    assert pane.declared_agent == ""
    (pane,) = _good(HEAD + _row(agent="claude") + f"{N}l1\n" + END).panes
    assert (pane.declared_agent, pane.tty) == ("claude", "/dev/pts/1")


_FREE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(lambda text: N not in text)


@given(name=_FREE, title=_FREE, screen=_FREE.filter(bool))
def test_free_text_forges_no_separator(name: str, title: str, screen: str) -> None:
    reply = HEAD + _row(name=name, title=title) + _row("%2", name=name) + f"{N}l1\n{N}c1\n{screen}" + END
    found = _good(reply)
    assert [(pane.pane_id, pane.session_name) for pane in found.panes] == [("%1", name), ("%2", name)]
    assert found.panes[0].title == title
    assert found.captures == {"%1": screen}


@given(st.lists(st.tuples(_FREE, st.sampled_from([N, "fedcba9876543210"])), min_size=2, max_size=6))
def test_a_reply_like_the_one_before_is_the_same_round_and_any_other_is_read(replies: list[tuple[str, str]]) -> None:
    memory, before = Replies(), None
    for screen, nonce in replies:
        reply = (HEAD + _row() + f"{N}l1\n{N}c1\n{screen}\n" + END).replace(N, nonce)
        found = memory.parse(nonce, reply.encode(), b"", 0)
        assert found == parse(nonce, reply.encode(), b"", 0)
        assert (found is before) == (found == before)
        before = found


@pytest.mark.parametrize(
    "complaint",
    ["no server running on /tmp/s\n", "error connecting to /tmp/s (No such file or directory)\n"],
)
def test_no_server_is_healthy_and_empty(complaint: str) -> None:
    assert _good("", complaint, 1) == Round(None)


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("error connecting to /tmp/s (Permission denied)\n", "refused"),
        ("error connecting to /tmp/s (Resource temporarily unavailable)\n", "lost"),
        ("server exited unexpectedly\n", "lost"),
        ("can't find file: No such file or directory (No such file or directory)\n", "lost"),
        ("", "lost"),
    ],
)
def test_any_other_silence_proves_nothing(complaint: str, reason: str) -> None:
    assert _failed("", complaint).reason == reason


def test_a_reply_without_its_end_is_a_failed_round() -> None:
    reply = HEAD + _row() + f"{N}l1\n{N}c1\nhello\n"
    assert _failed(reply, "", 0).reason == "lost"
    assert _failed(reply + END[:-1]).reason == "lost"
    assert _failed(HEAD).reason == "lost"


def test_a_listing_that_failed_is_no_empty_server() -> None:
    assert _failed(HEAD + f"{N}l1\n" + END, "not allowed\n").message == "tmux did not list its panes: not allowed"
    assert _good(HEAD + f"{N}l0\n" + END, "no current target\n", 1).panes == ()
    assert _good(HEAD + f"{N}l\n" + END, "no current target\n", 1).panes == ()


def test_a_reply_of_another_shape_is_a_failed_round() -> None:
    assert _failed(f"{N}s42 x 3.3a{N}/tmp/s{NO_OPTIONS}{N}l0\n" + END).reason == "lost"
    assert _failed(HEAD + END).reason == "lost"


_FIELDS = 19
_ABSURD = ["", "-7", "x", "9" * 40, "9" * 5000, "1e3", "1_0", "٣", "\x00", "a b", "%1 $0 @1", "\ufffd"]
"""What may stand in the place of a number. ``\ufffd`` is what bytes become that are no UTF-8."""


def _spoilt(pane: str, fields: dict[int, str]) -> str:
    row = _row(pane)
    head, _, rest = row.removeprefix(f"{N}p").partition(N)
    numbers = head.split(" ")
    for at, value in fields.items():
        numbers[at] = value
    return f"{N}p{' '.join(numbers)}{N}{rest}"


@pytest.mark.tc("TC-130")
@given(st.dictionaries(st.integers(0, _FIELDS - 1), st.sampled_from(_ABSURD) | st.text(max_size=8), min_size=1))
def test_whatever_one_row_holds_the_rows_beside_it_are_read(fields: dict[int, str]) -> None:
    if any(N in value for value in fields.values()):
        return
    reply = HEAD + _row("%1") + _spoilt("%2", fields) + _row("%3") + f"{N}l1\n{N}c1\nhello\n" + END
    found = _good(reply)
    whole = [row.pane_id for row in found.panes]
    assert (whole[0], whole[-1], found.captures) == ("%1", "%3", {"%1": "hello\n"})
    assert len(whole) + len(found.unread) == 3
    for row in found.panes:
        assert 0 <= row.pid < 2**31 and 0 <= row.window_index < 2**31 and 0 < row.cols + row.rows < 2**32
    assert all(one.why for one in found.unread)


@pytest.mark.tc("TC-130")
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=9), st.booleans())
def test_a_row_with_texts_missing_or_too_many_loses_no_other_row(texts: list[str], cut: bool) -> None:
    head = _row("%2").removeprefix(N).partition(N)[0]
    row = f"{N}{head}" + "".join(f"{N}{text}" for text in texts if N not in text) + ("" if cut else "\n")
    found = _good(HEAD + _row("%1") + row + _row("%3") + f"{N}l1\n" + END)
    assert [pane.pane_id for pane in found.panes if pane.pane_id != "%2"] == ["%1", "%3"]
    assert all(pane.title == "t" for pane in found.panes if pane.pane_id != "%2")
    assert len(found.panes) == 3 or {one.pane_id for one in found.unread} & {"%2", None}


@pytest.mark.tc("TC-130")
def test_a_text_that_looks_like_a_row_is_none_beside_one_that_cannot_be_read() -> None:
    forged = "p%9 $0 @1 0 0 77 1 1 0 0   0 1 0 3 4 80 24"
    row = _row("%2", name=forged, title="l1\n").replace(" 77 ", " x ", 1)
    found = _good(HEAD + _row("%1") + row + _row("%3") + f"{N}l1\n" + END)
    assert [pane.pane_id for pane in found.panes] == ["%1", "%3"]
    assert [(one.pane_id, one.why) for one in found.unread] == [("%2", "pane_pid is 'x'")]


@pytest.mark.tc("TC-130")
def test_a_pane_without_a_process_is_one_of_which_everything_else_is_known() -> None:
    for pid in ("", "0"):
        (pane,) = _good(HEAD + _spoilt("%2", {5: pid, 9: "1", 10: "3"}) + f"{N}l1\n" + END).panes
        assert (pane.pid, pane.dead, pane.dead_status, pane.title) == (0, True, 3, "t")


@pytest.mark.tc("TC-130")
@pytest.mark.parametrize(
    "head", [f"{'9' * 5000} 1700000000 3.3a", "42 x 3.3a", "42 -1 3.3a", "42 9e9 3.3a", "42", "0 1 3.3a"]
)
def test_a_server_that_cannot_be_told_from_another_is_a_failed_round(head: str) -> None:
    assert _failed(f"{N}s{head}{N}/tmp/s\n" + _row() + f"{N}l1\n" + END).reason == "lost"


@pytest.mark.tc("TC-130")
def test_a_version_of_any_length_is_kept_short_and_read() -> None:
    found = _good(f"{N}s42 1700000000 3.{'9' * 5000}\x1b]0;{N}/tmp/s{NO_OPTIONS}{N}l0\n" + END)
    assert found.server is not None and len(found.server.version) <= 64 and "\x1b" not in found.server.version
    assert parse_version(found.server.version) is None
    assert parse_version("tmux 3." + "9" * 5000) is None


def test_a_pane_that_went_fails_nothing() -> None:
    found = _good(HEAD + _row() + f"{N}l1\n{N}c1\n\n\n{N}c9\n" + END, "can't find pane: %9\n", 1)
    assert found.captures == {"%1": "\n\n"}
    assert found.gone == {"%9"}


def test_a_pane_of_several_sessions_is_one_row_under_the_lowest_id() -> None:
    rows = (
        _row("%1", "$10", name="ten")
        + _row("%1", "$9", name="nine")
        + _row("%1", "$11", name="eleven")
        + _row("%2", "$9")
    )
    found = _good(HEAD + rows + f"{N}l3\n" + END)
    assert [(pane.pane_id, pane.session_name, pane.other_sessions) for pane in found.panes] == [
        ("%1", "nine", ("ten", "eleven")),
        ("%2", "main", ()),
    ]


def test_a_pane_is_looked_at_through_any_of_its_sessions() -> None:
    rows = _row("%1", "$1", attached=1, active=0) + _row("%1", "$2", attached=1, active=1)
    (pane,) = _good(HEAD + rows + f"{N}l2\n" + END).panes
    assert (pane.session_id, pane.active, pane.attached) == ("$1", True, 1)


def test_a_window_linked_twice_in_one_session_is_no_other_session() -> None:
    (pane,) = _good(HEAD + _row(window=5) + _row(window=2) + f"{N}l1\n" + END).panes
    assert (pane.window_index, pane.other_sessions) == (2, ())


@pytest.mark.parametrize(
    ("printed", "number"), [("9", 9), ("KILL", 9), ("SIGTERM", 15), ("nonsense", None), ("", None)]
)
def test_a_dead_panes_signal_is_a_number(printed: str, number: int | None) -> None:
    (pane,) = _good(HEAD + _row(status="", signal=printed) + f"{N}l1\n" + END).panes
    assert pane.dead_signal == number


def test_trailing_blank_rows_are_cut() -> None:
    assert lines("\n a \n\nb\n  \n\n") == ("", " a ", "", "b")
    assert lines("\n\n") == ()


@pytest.mark.parametrize("nonce", ["", "short", "abc def 123", "#{pid}#{pid}", "ééééééééé"])
def test_a_nonce_is_letters_and_digits(nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        build(nonce, [])


@pytest.mark.parametrize("pane", ["1", "%", "%x", "%1; kill-server", "%²", ""])
def test_only_pane_ids_are_captured(pane: str) -> None:
    with pytest.raises(ValueError, match="not a pane id"):
        build(N, [pane])
    with pytest.raises(ValueError, match="not a pane id"):
        build_chunks(N, [pane])


def test_argument_lists_stay_below_what_tmux_takes() -> None:
    chunks = build_chunks(N, [f"%{i}" for i in range(1000)])
    assert all(sum(len(word) + 1 for word in chunk) <= CHUNK_BYTES for chunk in chunks)
    assert sum(chunk.count("if-shell") for chunk in chunks) == 1000
