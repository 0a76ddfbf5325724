"""Edits JSON text by splicing, so that every byte that is not ours stays as it was.

Owns a small JSON reader that keeps offsets, and insertion and removal that undo each other exactly. Knows no settings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_SCALAR: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
MAX_DEPTH: Final = 100
TRACE: Final = "  "
"""Two blanks after a bracket, which nobody's layout has: the node was there, and empty, before our piece came in."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object (``key`` set) or element of an array: ``start`` to ``end`` of its text."""

    start: int
    end: int
    node: Node
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON value: its text runs from ``start`` to ``end``. ``members`` of objects and arrays only."""

    kind: str  # object | array | scalar
    start: int
    end: int
    members: list[Member] = field(default_factory=list)

    def get(self, key: str) -> Member | None:
        """The member ``key``; of duplicates the last, as every reader of JSON takes it."""
        return next((m for m in reversed(self.members) if m.key == key), None)


def parse(text: str) -> Node:
    """The value that ``text`` holds. Raises ValueError with line and what is wrong."""
    if not text.strip():
        raise ValueError("it is empty, which is no JSON ({} is)")
    try:
        json.loads(text)
    except json.JSONDecodeError as e:
        near = text.split("\n")[e.lineno - 1].strip()[:60] if text else ""
        what = "it has a comment" if near.startswith(("//", "/*", "#")) else e.msg
        raise ValueError(f"line {e.lineno}: {what}") from e
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e
    node, _ = _value(text, _blank(text, 0), 0)
    return node


def value(text: str, node: Node) -> Any:
    """The Python value of a node."""
    return json.loads(text[node.start : node.end])


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
    """How the file is written: ``unit`` of indentation ('' for one line), ``newline``."""

    unit: str
    newline: str

    @classmethod
    def of(cls, text: str) -> Style:
        """The style of ``text``, two blanks where it does not show one."""
        newline = "\r\n" if "\r\n" in text else "\n"
        found = re.search(r"[{\[]\r?\n([ \t]+)\S", text)
        if found is not None:
            return cls(found.group(1), newline)
        return cls("  " if "\n" in text.strip() or text.strip() in ("", "{}") else "", newline)

    def dump(self, what: Any, depth: int) -> str:
        """``what`` as text whose first line stands at ``depth``."""
        if not self.unit:
            return json.dumps(what, ensure_ascii=False)
        text = json.dumps(what, ensure_ascii=False, indent=self.unit)
        return text.replace("\n", self.newline + self.unit * depth)

    def gap(self, depth: int) -> str:
        """What stands between a bracket and a member at ``depth``."""
        return self.newline + self.unit * depth if self.unit else " "


def insert(text: str, node: Node, piece: str, gap: str) -> str:
    """``text`` with ``piece`` as the last member of ``node``.

    In a node that had no member the piece follows the bracket after ``TRACE``, which tells ``was_created`` that the
    empty node was there before.
    """
    if not node.members:
        return text[: node.start + 1] + TRACE + piece + text[node.start + 1 :]
    end = node.members[-1].end
    before = node.members[-1].start
    lead = text[_bracket_or_comma(text, node) : before]
    return text[:end] + "," + (lead if lead or len(node.members) > 1 else gap) + piece + text[end:]


def _bracket_or_comma(text: str, node: Node) -> int:
    """Where the blanks in front of the last member begin."""
    if len(node.members) == 1:
        return node.start + 1
    return text.index(",", node.members[-2].end) + 1


def remove(text: str, node: Node, index: int) -> str:
    """``text`` without the member ``index`` of ``node``, and without the comma and blanks that came with it."""
    member = node.members[index]
    if index > 0:
        return text[: node.members[index - 1].end] + text[member.end :]
    if len(node.members) > 1:
        return text[: member.start] + text[node.members[1].start :]
    lead = len(TRACE) if not was_created(text, node) else 0
    return text[: member.start - lead] + text[member.end :]


def was_created(text: str, node: Node) -> bool:
    """Whether ``node``, whose only member is ours, was made for it: so it is without the trace that ``insert`` left."""
    return text[node.start + 1 : node.members[0].start] != TRACE if node.members else False
