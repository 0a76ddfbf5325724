"""Build the commands of one round of a tmux server, and parse their replies.

Owns the layout of a round (identity, listing, captures, end) and its separators. Knows no agent and runs nothing.

Every separator is the round's nonce, which nothing on the server can know. Names, titles and paths may hold tabs,
newlines or anything else. A reply reads

    N s<pid> <start_time> <version> N <socket path> N <user option> … (see ``user_options``)
    N p<numbers of one pane> N <session> N <window> N <title> N <command> N <path> N <agent> N <tty>
                                                                    (once per listed pane)
    N l<number of sessions>
    N c<number of a pane>          followed by its screen, or by nothing if the pane is gone
    N e
"""

from __future__ import annotations

import hashlib
import re
import signal
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from agtmux.protocol.text import one_line
from agtmuxd.core.model import PaneRow, ServerInfo
from agtmuxd.core.numbers import whole
from agtmuxd.tmux.printed import undo
from agtmuxd.tmux.user_options import NAMES, options_format, read_options

CHUNK_BYTES: Final = 12 * 1024
_NONCE: Final = "<nonce>"
"""Placeholder for a round's nonce (letters and digits only) in text that is the same in every round."""
_NUMBERS: Final = (
    "#{pane_id} #{session_id} #{window_id} #{window_index} #{pane_index} #{pane_pid} #{pane_active} #{window_active} "
    "#{session_attached} #{pane_dead} #{pane_dead_status} #{pane_dead_signal} #{pane_in_mode} #{alternate_on} "
    "#{cursor_flag} #{cursor_x} #{cursor_y} #{pane_width} #{pane_height}"
)
_TEXTS: Final = (
    "session_name",
    "window_name",
    "pane_title",
    "pane_current_command",
    "pane_current_path",
    "@agtmux-agent",
    "pane_tty",
)
ROW_PARTS: Final = 1 + len(_TEXTS)
TEXT_MOST: Final = 512
"""How many characters of a name, title or command are read. A program may set a title of a megabyte again and again."""
PATH_MOST: Final = 4096
"""How many characters of a path are read. Linux has no longer ones."""
_CUT: Final = {
    name: f"#{{?#{{e|>:#{{n:{name}}},{TEXT_MOST}}},#{{={TEXT_MOST}:{name}}},#{{{name}}}}}"
    for name in ("window_name", "pane_title")
} | {"pane_current_command": f"#{{={TEXT_MOST}:pane_current_command}}"}
"""Formats with which tmux cuts text that programs set, so that no reply is long.

Names and titles are cut only if they are too long: tmux takes the text between ``#[`` and ``]`` as a style when it
cuts, and a name may hold those.
"""
_HEAD: Final = re.compile(r"p%[0-9]{1,10} \$[0-9]{1,10} @[0-9]{1,10} ")
_WHOSE: Final = re.compile(r"p(%[0-9]{1,10}) ")
_TTY: Final = re.compile(r"(?:/[^\n]*)?\n")
_LAST: Final = re.compile(r"l[0-9]*\n")
"""What ends the listing.

The patterns above, in order: how the row of a pane begins; how any row of a pane begins, even an unreadable one; how a
row ends.
"""
_IDS: Final = tuple([re.compile(rf"{sign}[0-9]{{1,10}}") for sign in ("%", r"\$", "@")])
_FIRST_ROW: Final = 3 + len(NAMES)
"""Where the listing begins in the parts of a reply."""
_VERSION_MOST: Final = 64
_TIME_MOST: Final = 10**11
"""Seconds since the epoch, far in the future."""
_EMPTY: Final = ("no server running on ", "(No such file or directory)")
_REFUSED: Final = ("(Permission denied)", "access not allowed", "protocol version mismatch")


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of the listing that cannot be read.

    ``pane_id`` None: not even its pane is known. ``why`` is for people.
    """

    pane_id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Round:
    """What one round showed. ``server`` None: no server runs there, which is healthy and empty.

    - ``captures``: the raw screen (see ``lines``) of each requested pane that exists.
    - ``gone``: the requested panes that the server no longer has. A pane in neither has no answer, which proves
      nothing.
    - ``unread``: panes that the server has, but with a row that cannot be read. They are not in ``panes``.
    - ``options``: the user options for agtmux that are set (see ``user_options``).
    """

    server: ServerInfo | None
    panes: tuple[PaneRow, ...] = ()
    captures: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    unread: tuple[UnreadableRow, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


ReadRow = Callable[[tuple[str, ...]], PaneRow]


@dataclass(frozen=True, slots=True)
class RoundFailure:
    """A round that proves nothing. ``reason``: refused or lost (see ExecutorError). ``message`` is for people."""

    reason: str
    message: str


def lines(capture: str) -> tuple[str, ...]:
    """Return the rows of a raw capture from the top, without the blank rows at its end."""
    rows = capture.split("\n")
    while rows and not rows[-1].strip():
        rows.pop()
    return tuple(rows)


def build(nonce: str, pane_ids: Iterable[str], styled: Container[str] = ()) -> bytes:
    """Return the standard input of ``source-file -`` for one round. ``nonce``: letters and digits, fresh and random.

    ``styled``: those of the panes that are captured with their attributes (see ``sgr``).
    """
    _check(nonce)
    captures = "".join([_capture_line(pane_id, pane_id in styled) for pane_id in pane_ids]).replace(_NONCE, nonce)
    head = f'display-message -p "{_head(nonce)}"\nlist-panes -a -F "{row_format(nonce)}"\n'
    head += f'display-message -p "{_tail(nonce)}"'
    return f'{head}\n{captures}display-message -p "{nonce}e"\n'.encode()


def build_chunks(
    nonce: str, pane_ids: Iterable[str], styled: Container[str] = (), limit: int = CHUNK_BYTES
) -> list[list[str]]:
    """Return the same round as argument lists of at most ``limit`` bytes each.

    For a tmux whose ``source-file -`` prints nothing. Run the lists in order, and pass all their outputs, joined in
    order, to ``parse``. A failing command drops the rest of its list, so each capture first checks that its pane
    exists.
    """
    _check(nonce)
    chunks = [["display-message", "-p", _head(nonce), ";", "list-panes", "-a", "-F", row_format(nonce)]]
    # On a server without sessions the listing fails and drops what follows it, so its end is in another list.
    chunks.append(["display-message", "-p", _tail(nonce)])
    size = _size(chunks[-1])
    for pane_id in pane_ids:
        number = _number(pane_id)
        command = ["display-message", "-p", f"{nonce}c{number}", ";"]
        command += ["if-shell", "-F", "-t", pane_id, "#{pane_id}", _capture(pane_id, pane_id in styled)]
        cost = _size(command) + 2
        if size + cost > limit:
            chunks.append(command)
            size = cost
        else:
            chunks[-1] += [";", *command]
            size += cost
    chunks.append(["display-message", "-p", f"{nonce}e"])
    return chunks


def parse(
    nonce: str, stdout: bytes, stderr: bytes, returncode: int, read_row: ReadRow | None = None
) -> Round | RoundFailure:
    """Parse the replies of one round. Exit status 1 is normal: tmux returns it if any one command failed.

    ``read_row``: makes a pane of the parts of its reply. Default: ``pane_row``.
    """
    parts = stdout.decode("utf-8", "replace").split(nonce)
    complaint = stderr.decode("utf-8", "replace")
    if len(parts) == 1:
        return _no_reply(complaint, returncode)
    if parts[-1] != "e\n":
        return RoundFailure("lost", f"the reply of tmux is incomplete: {_first_line(complaint, returncode)}")
    try:
        server = server_info(parts[1], parts[2])
        plain = undo(server.version)
        options = read_options(parts[3:_FIRST_ROW] if plain is None else [plain(part) for part in parts[3:_FIRST_ROW]])
        rows, unread, at = _rows(parts, read_row or pane_row, plain)
    except (ValueError, IndexError) as error:
        return RoundFailure("lost", f"tmux gave an unexpected answer: {error}")
    if not rows and not unread and parts[at] != "l0\n" and "no current target" not in complaint:
        return RoundFailure("lost", f"tmux did not list its panes: {_first_line(complaint, returncode)}")
    captures: dict[str, str] = {}
    gone: list[str] = []
    for part in parts[at + 1 : -1]:
        number, _, screen = part.partition("\n")
        if screen:
            captures["%" + number[1:]] = screen
        else:
            gone.append("%" + number[1:])
    return Round(server, _fold(rows), captures, frozenset(gone), tuple(unread), options)


class Replies:
    """``parse`` with a memory of one reply.

    If a reply, or the part of one pane, equals the one before, the result is the same object.
    """

    def __init__(self) -> None:
        self._reply: tuple[bytes, bytes, int] | None = None
        self._parsed: Round | RoundFailure | None = None
        self._rows: dict[tuple[str, ...], PaneRow] = {}

    def parse(self, nonce: str, stdout: bytes, stderr: bytes, returncode: int) -> Round | RoundFailure:
        """Parse a reply. See the function ``parse``."""
        text = stdout.replace(nonce.encode(), b"\0")  # tmux prints no NUL
        reply = (hashlib.blake2b(text).digest(), stderr, returncode)  # a digest: a thousand panes are a megabyte
        if self._parsed is None or reply != self._reply:
            before, self._rows = self._rows, {}
            parsed = parse(nonce, stdout, stderr, returncode, lambda p: self._row(before, p))
            self._reply, self._parsed = reply, parsed
        return self._parsed

    def _row(self, before: dict[tuple[str, ...], PaneRow], parts: tuple[str, ...]) -> PaneRow:
        row = self._rows[parts] = before.get(parts) or pane_row(parts)
        return row


def _check(nonce: str) -> None:
    if len(nonce) < 8 or not (nonce.isascii() and nonce.isalnum()):
        raise ValueError("a nonce is at least 8 ASCII letters and digits")


def server_format(nonce: str) -> str:
    """Return the format of a server's identity. ``server_info`` reads the two parts of its reply."""
    return f"{nonce}s#{{pid}} #{{start_time}} #{{version}}{nonce}#{{socket_path}}"


def _head(nonce: str) -> str:
    return f"{server_format(nonce)}{nonce}{options_format(nonce)}"


def row_format(nonce: str) -> str:
    """Return the format of one pane. ``pane_row`` reads the parts of its reply."""
    return f"{nonce}p{_NUMBERS}{nonce}" + nonce.join([_CUT.get(name, f"#{{{name}}}") for name in _TEXTS])


def _tail(nonce: str) -> str:
    return f"{nonce}l#{{server_sessions}}"


def _number(pane_id: str) -> str:
    number = pane_id[1:]
    if not (pane_id[:1] == "%" and number.isascii() and number.isdigit()):
        raise ValueError(f"not a pane id: {pane_id!r}")
    return number


@lru_cache(maxsize=4096)  # the same panes in every round
def _capture_line(pane_id: str, styled: bool) -> str:
    # Only the number: display-message reads "%1" as a date format.
    return f"display-message -p {_NONCE}c{_number(pane_id)}\n{_capture(pane_id, styled)}\n"


def _capture(pane_id: str, styled: bool) -> str:
    return f"capture-pane -p {'-e ' if styled else ''}-t {pane_id}"


def _size(arguments: Sequence[str]) -> int:
    return sum([len(argument) + 1 for argument in arguments])


def _no_reply(complaint: str, returncode: int) -> Round | RoundFailure:
    return no_server(complaint, returncode) or Round(None)


def no_server(complaint: str, returncode: int) -> RoundFailure | None:
    """Return why a reply without any answer proves nothing. None if it says that no server runs."""
    message = _first_line(complaint, returncode)
    if message.startswith(_EMPTY[0]) or (message.startswith("error connecting to ") and message.endswith(_EMPTY[1])):
        return None
    refused = any(word in complaint for word in _REFUSED)
    return RoundFailure("refused" if refused else "lost", message)


def _first_line(complaint: str, returncode: int) -> str:
    return complaint.strip().partition("\n")[0] or f"tmux printed nothing (exit status {returncode})"


def server_info(head: str, socket_path: str) -> ServerInfo:
    """Read the reply to ``server_format``. Raises ValueError for anything else."""
    pid, start, version = head[1:].split(" ", 2)
    plain = undo(version)
    return ServerInfo(
        whole(pid, "the pid of the server", least=1), whole(start, "the start time of the server", most=_TIME_MOST),
        one_line(version)[:_VERSION_MOST],
        (plain(socket_path) if plain is not None else socket_path).removesuffix("\n"),
    )  # fmt: skip


def _rows(
    parts: list[str], read_row: ReadRow, plain: Callable[[str], str] | None
) -> tuple[list[PaneRow], list[UnreadableRow], int]:
    """Return all listed rows, those that cannot be read, and the index of the part that ends the listing.

    Raises IndexError if nothing ends it.
    """
    rows: list[PaneRow] = []
    unread: list[UnreadableRow] = []
    at = _FIRST_ROW
    while not _LAST.fullmatch(parts[at]):
        these = tuple(parts[at : at + ROW_PARTS] if plain is None else map(plain, parts[at : at + ROW_PARTS]))
        try:
            if not _TTY.fullmatch(these[-1]):
                raise ValueError(f"a terminal is {these[-1][:40]!r}")
            rows.append(read_row(these))
            at += ROW_PARTS
        except ValueError as error:
            whose = _WHOSE.match(these[0])
            unread.append(UnreadableRow(whose[1] if whose else None, str(error)))
            at = _next(parts, at)
    return rows, unread, at


def _next(parts: list[str], at: int) -> int:
    """Return where the row after an unreadable one begins. The unreadable row may have too few parts, or too many.

    The usual place is tried first, since a text may look like the beginning of a row.
    """
    usual = at + ROW_PARTS
    if usual < len(parts) and (_HEAD.match(parts[usual]) or _LAST.fullmatch(parts[usual])):
        return usual
    at += 1
    while not (_HEAD.match(parts[at]) or _LAST.fullmatch(parts[at])):
        at += 1
    return at


def pane_row(parts: Sequence[str]) -> PaneRow:
    """Read one pane from the parts of its reply. Raises ValueError, which names the wrong field."""
    numbers, texts = parts[0][1:].split(" "), parts[1:]
    if not parts[0].startswith("p") or len(numbers) != _NUMBERS.count("#") or len(texts) != len(_TEXTS):
        raise ValueError(f"no row of a pane: {parts[0][:40]!r} and {len(texts)} texts")
    pane, session, window, w_index, p_index, pid, active, w_active, attached, dead, status, killed = numbers[:12]
    mode, alternate, cursor, x, y, cols, rows = numbers[12:]
    for sign, text in zip(_IDS, (pane, session, window), strict=True):
        if not sign.fullmatch(text):
            raise ValueError(f"an id is {text[:40]!r}")
    name, w_name, title, command, cwd, declared, tty = texts
    name, w_name, title, command, declared = (text[:TEXT_MOST] for text in (name, w_name, title, command, declared))
    return PaneRow(
        pane, session, name, window, whole(w_index, "window_index"), w_name, whole(p_index, "pane_index"), title,
        command, cwd[:PATH_MOST], _some(pid, "pane_pid"), tty.removesuffix("\n")[:PATH_MOST],
        active == "1" and w_active == "1", _some(attached, "session_attached"), dead == "1",
        whole(status, "pane_dead_status") if status else None, _signal(killed) if killed else None,
        mode not in ("", "0"), alternate == "1", cursor == "1", _some(x, "cursor_x"), _some(y, "cursor_y"),
        whole(cols, "pane_width"), whole(rows, "pane_height"), declared_agent=declared,
    )  # fmt: skip


def _some(text: str, what: str) -> int:
    """Read a number that may be missing.

    From tmux 3.8 on a pane without a process has no ``pane_pid``; before, it is 0.
    """
    return whole(text, what) if text else 0


def _signal(name: str) -> int | None:
    """Return a signal's number. tmux prints its name if the system has names for signals, else its number."""
    if name.isdecimal():
        return whole(name, "pane_dead_signal")
    try:
        return int(signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"])
    except (KeyError, ValueError):
        return None


def _fold(rows: list[PaneRow]) -> tuple[PaneRow, ...]:
    """Merge the rows of each pane into one, under the session with the lowest id.

    If a client shows the pane in one of the sessions, ``active`` and ``attached`` come from that session.
    """
    by_pane: dict[str, list[PaneRow]] = {}
    for row in rows:
        by_pane.setdefault(row.pane_id, []).append(row)
    if len(by_pane) == len(rows):
        return tuple(rows)
    return tuple([group[0] if len(group) == 1 else _fold_one(group) for group in by_pane.values()])


def _fold_one(group: list[PaneRow]) -> PaneRow:
    group.sort(key=lambda row: (int(row.session_id[1:]), row.window_index))
    first = group[0]
    viewed = next((row for row in group if row.active and row.attached), first)
    others = dict.fromkeys([row.session_name for row in group if row.session_id != first.session_id])
    return replace(first, active=viewed.active, attached=viewed.attached, other_sessions=tuple(others))
