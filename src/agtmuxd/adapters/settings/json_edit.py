"""Edit JSON text by splicing, so that every byte that is not ours stays as it was.

Owns a small JSON reader that keeps offsets and skips comments, and an insertion and a removal that undo each other
exactly. Knows no settings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_SCALAR: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*.*?\*/', re.DOTALL)
_BEHIND: Final = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/)[ \t]*(?=\r?\n)")
"""A comment on the rest of a line. It belongs to what stands before it."""
MARK: Final = "\ufeff"
"""The byte order mark, which some editors put first."""
MAX_DEPTH: Final = 100
TRACE: Final = "  "
"""Two blanks after a bracket, which no usual layout has. They show that the node was there, and empty, before our
piece.
"""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object (``key`` set) or element of an array. Its text runs from ``start`` to ``end``."""

    start: int
    end: int
    node: Node
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON value. Its text runs from ``start`` to ``end``. Only objects and arrays have ``members``."""

    kind: str  # object | array | scalar
    start: int
    end: int
    members: list[Member] = field(default_factory=list)

    def get(self, key: str) -> Member | None:
        """Return the member ``key``. Of duplicates, the last one, as every JSON reader does."""
        return next((m for m in reversed(self.members) if m.key == key), None)


@lru_cache(maxsize=4)
def plain(text: str) -> str:
    """Return ``text`` with blanks in place of comments and of a byte order mark. All other characters keep their
    offsets.
    """

    def blanked(found: re.Match[str]) -> str:
        return found[0] if found[0][0] == '"' else re.sub(r"[^\r\n]", " ", found[0])

    out = _COMMENT.sub(blanked, text)
    return " " + out[1:] if out.startswith(MARK) else out


def check(text: str, *, mark: bool, comments: bool) -> None:
    """Raise ValueError for what the agent that reads ``text`` does not accept: a byte order mark, comments."""
    if text.startswith(MARK) and not mark:
        raise ValueError("it begins with a byte order mark, which the agent cannot read: save it without")
    bare = plain(text).removeprefix(" ") if text.startswith(MARK) else plain(text)
    if bare != text.removeprefix(MARK) and not comments:
        at = next(i for i, (a, b) in enumerate(zip(plain(text), text, strict=True)) if a != b and b != MARK)
        line = text.count("\n", 0, at) + 1
        raise ValueError(f"line {line}: it has a comment, which the agent cannot read: remove the comment")


@lru_cache(maxsize=2)
def parse(text: str) -> Node:
    """Parse ``text`` into a node. Raises ValueError with the line and what is wrong."""
    body = plain(text)
    if not body.strip():
        raise ValueError("it is empty, which is not valid JSON: write {} into it")
    try:
        json.loads(body)
    except json.JSONDecodeError as e:
        raise ValueError(f"line {e.lineno}: {e.msg}") from e
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e
    node, _ = _value(body, _blank(body, 0), 0)
    return node


def value(text: str, node: Node) -> Any:
    """Return the Python value of a node."""
    return json.loads(plain(text)[node.start : node.end])


def _blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> tuple[Node, int]:
    if depth > MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    if text[at] in "{[":
        return _container(text, at, depth)
    found = (_STRING if text[at] == '"' else _SCALAR).match(text, at)
    if found is None:
        raise ValueError(f"unexpected text {text[at : at + 20]!r}")
    return Node("scalar", at, found.end()), found.end()


def _container(text: str, start: int, depth: int) -> tuple[Node, int]:
    mapping = text[start] == "{"
    close = "}" if mapping else "]"
    members: list[Member] = []
    at = _blank(text, start + 1)
    while text[at] != close:
        begin, key = at, None
        if mapping:
            found = _STRING.match(text, at)
            if found is None:
                raise ValueError(f"unexpected text {text[at : at + 20]!r}")
            key = str(json.loads(found.group()))
            at = _blank(text, _blank(text, found.end()) + 1)
        node, at = _value(text, at, depth + 1)
        members.append(Member(begin, at, node, key))
        at = _blank(text, at)
        if text[at] == ",":
            at = _blank(text, at + 1)
    return Node("object" if mapping else "array", start, at + 1, members), at + 1


@dataclass(frozen=True, slots=True)
class Style:
    """How the file is laid out. ``unit``: of indentation ('' for one line). ``newline``: its line end."""

    unit: str
    newline: str

    @classmethod
    def of(cls, text: str) -> Style:
        """Return the style of ``text``. Two blanks of indentation if the text does not show any."""
        newline = "\r\n" if "\r\n" in text else "\n"
        found = re.search(r"[{\[]\r?\n([ \t]+)\S", text)
        if found is not None:
            return cls(found.group(1), newline)
        return cls("  " if "\n" in text.strip() or text.strip() in ("", "{}") else "", newline)

    def dump(self, what: Any, depth: int) -> str:
        """Return ``what`` as text. Its first line stands at ``depth``."""
        if not self.unit:
            return json.dumps(what, ensure_ascii=False)
        text = json.dumps(what, ensure_ascii=False, indent=self.unit)
        return text.replace("\n", self.newline + self.unit * depth)

    def gap(self, depth: int) -> str:
        """Return the text between a bracket and a member at ``depth``."""
        return self.newline + self.unit * depth if self.unit else " "


def insert(text: str, node: Node, piece: str, gap: str) -> str:
    """Return ``text`` with ``piece`` as the last member of ``node``.

    If the node had no member, the piece follows the bracket after ``TRACE``. The trace shows ``was_created`` that the
    empty node was there before.
    """
    if not node.members:
        return text[: node.start + 1] + TRACE + piece + text[node.start + 1 :]
    last = node.members[-1]
    lead = _blanks_before(text, last.start)
    behind = _BEHIND.match(text, last.end) if "\n" in lead else None
    end = last.end if behind is None else behind.end()
    lead = lead if lead or len(node.members) > 1 else gap
    return text[: last.end] + "," + text[last.end : end] + lead + piece + text[end:]


def _blanks_before(text: str, at: int) -> str:
    """Return the blanks that end at ``at``. They lay out the member that begins there."""
    return text[len(text[:at].rstrip(" \t\r\n")) : at]


def remove(text: str, node: Node, index: int) -> str:
    """Return ``text`` without the member ``index`` of ``node``, and without the comma and blanks that came with it.

    Comments around it stay.
    """
    member = node.members[index]
    following = node.members[index + 1] if index + 1 < len(node.members) else None
    if index > 0:
        before = node.members[index - 1].end
        kept = _without_comma(text, before, member.start).rstrip(" \t\r\n")
        if not kept:
            return text[:before] + text[member.end :]
        lead = _blanks_before(text, member.start)
        if following is not None:  # the comma before stays, because its line may end with a comment
            rest = _without_comma(text, member.end, following.start) + text[following.start :]
            return text[: member.start - len(lead)] + rest
        rest = text[member.end :]
        return text[:before] + kept + (rest if re.match(r"[ \t]*\r?\n", rest) else lead + rest)
    if following is not None:
        kept = _without_comma(text, member.end, following.start).lstrip(" \t\r\n")
        return text[: member.start] + kept + text[following.start :]
    lead_of_ours = len(TRACE) if text[node.start + 1 : member.start] == TRACE else 0
    return text[: member.start - lead_of_ours] + text[member.end :]


def _without_comma(text: str, start: int, end: int) -> str:
    """Return the text between two members without the comma."""
    comma = plain(text).index(",", start, end)
    return text[start:comma] + text[comma + 1 : end]


def was_created(text: str, node: Node) -> bool:
    """Return whether ``node``, whose only member is ours, was made for it: it has no trace from ``insert``, and no
    comments.
    """
    if not node.members or plain(text)[node.start : node.end] != text[node.start : node.end]:
        return False
    return text[node.start + 1 : node.members[0].start] != TRACE
