"""Fill the templates of ``agtmux ls --format``: ``{state:<16} {project}\\t{request}``.

A template is text with names of fields in braces. Nothing in it is evaluated: no attribute, no index, no expression.
Pure. Knows neither the client nor click. Every text is safe for a terminal.
"""

from __future__ import annotations

import re

from agtmux.columns import age, clean, glyph, name, place, project, request, what, width
from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Item = Mapping[str, Any]
    Field = Callable[[Item, float], str]
    Part = str | tuple[Field, str, int]

MOST = 4096
"""Characters of a template."""
WIDEST = 400
"""Columns to which a field can be filled up."""
PRESETS = {
    "fzf": r"{ref}\t{glyph} {state:<16} {agent:<8} {age:>6}  {where:<24} {what}",
}
"""Templates with a name."""

_ESCAPES = {"t": "\t", "n": "\n", "\\": "\\"}
_TOKEN = re.compile(r"\\.|\\$|\{\{|\}\}|\{[^{}]*\}|[{}]|[^\\{}]+", re.DOTALL)
_NAMED = re.compile(r"\{\s*([A-Za-z_]*)\s*(?::([<>^]?)(\d{1,4}))?\s*\}")


class TemplateError(ValueError):
    """The template cannot be used. The message says why, and what can."""


def _plain(key: str) -> Field:
    return lambda item, _: clean(item.get(key), "")


def _part(key: str) -> Field:
    return lambda item, _: clean((item.get("identity") or {}).get(key), "")


def _age(key: str) -> Field:
    return lambda item, now: age(item.get(key), now) if item.get(key) else ""


FIELDS: dict[str, Field] = {
    "ref": _plain("ref"),
    "state": _plain("state"),
    "glyph": lambda item, _: glyph(item),
    "age": _age("since"),
    "agent": _plain("agent_type"),
    "version": _plain("agent_version"),
    "project": _plain("project"),
    "branch": _plain("branch"),
    "worktree": _plain("worktree"),
    "where": lambda item, _: project(item, ""),
    "name": lambda item, _: clean(name(item), ""),
    "request": lambda item, _: request(item),
    "message": _plain("message"),
    "task": _plain("task"),
    "title": _plain("title"),
    "what": lambda item, _: what(item, ""),
    "attention": _plain("attention"),
    "reason": _plain("reason_code"),
    "target": _part("target"),
    "session": _part("session_name"),
    "window": _part("window_id"),
    "pane": _part("pane_id"),
    "place": place,
    "cwd": _plain("cwd"),
    "command": _plain("command"),
    "pid": _plain("pid"),
    "runtime": _plain("runtime_id"),
    "session_id": _plain("agent_session_id"),
}
"""The fields of a template, by name. A field without a value is empty."""


def parse(text: str) -> Sequence[Part]:
    """Return a template or the preset of that name, ready to be filled. Raises TemplateError."""
    if len(text) > MOST:
        raise TemplateError(f"the template is longer than {MOST} characters")
    parts: list[Part] = []
    fields = 0
    for token in _TOKEN.findall(PRESETS.get(text, text)):
        if token in ("{{", "}}"):
            parts.append(token[0])
        elif token[0] == "\\":
            if token[1:] not in _ESCAPES:
                raise TemplateError(f"{token} is not an escape: use \\t, \\n or \\\\")
            parts.append(_ESCAPES[token[1:]])
        elif token[0] in "{}":
            parts.append(_field(token))
            fields += 1
        else:
            parts.append(clean_text(token))
    if not fields:
        raise TemplateError(f"it names no field. Presets: {', '.join(PRESETS)}. {_known()}")
    return parts


def _field(word: str) -> Part:
    if len(word) == 1:
        raise TemplateError(f"{word} stands alone: write {word}{word} for the character itself")
    found = _NAMED.fullmatch(word)
    if found is None:
        forms = "{NAME}, {NAME:<10}, {NAME:>10} or {NAME:^10}"
        raise TemplateError(f"{clean_text(word)} cannot be read: write {forms}")
    name, align, wide = found.groups()
    if name not in FIELDS:
        raise TemplateError(f"there is no field {name or word}. {_known()}")
    if int(wide or 0) > WIDEST:
        raise TemplateError(f"{clean_text(word)} is too wide: use at most {WIDEST}")
    return FIELDS[name], align or "<", int(wide or 0)


def clean_text(text: str) -> str:
    """Return text of a template without control characters but tabs and newlines."""
    return "".join(piece if piece in ("\t", "\n") else one_line(piece) for piece in re.split(r"([\t\n])", text))


def _known() -> str:
    return f"Fields: {', '.join(FIELDS)}"


def fill(parts: Sequence[Part], item: Item, now: float) -> str:
    """Return the text for one row. ``now``: seconds since the epoch. Values hold no control characters."""
    return "".join(part if isinstance(part, str) else _fitted(part, item, now) for part in parts)


def _fitted(part: tuple[Field, str, int], item: Item, now: float) -> str:
    show, align, wide = part
    text = show(item, now)
    gap = max(0, wide - width(text))
    before = {"<": 0, ">": gap, "^": gap // 2}[align]
    return " " * before + text + " " * (gap - before)
