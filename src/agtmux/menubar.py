"""Write agents as a menu for SwiftBar and xbar: one text, in the format that both read. Pure.

A line is ``text | name=value …``; ``---`` separates parts, ``--`` before a text puts it one level down, and ``~~~``
begins a new menu. So text from panes is made harmless first, never begins a line, and never becomes a parameter.
Parameters are words of a small set of characters: the menu bars hand them to a shell.
"""

from __future__ import annotations

import re

from agtmux.protocol import status_text
from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    Item = Mapping[str, Any]

SEPARATOR = "~~~"
"""Begins each menu of a stream."""
LENGTH = 60
"""Characters of one line."""
MOST = 40
"""Agents in one group, at most."""
OPERATIONS = {
    "watch": "the menu itself",
    "attach": "Go to the pane",
    "approve": "Approve once",
    "deny": "Deny",
    "answer": "each option of a question",
    "interrupt": "Interrupt",
    "ack": "Mark as seen",
}
"""What can be done in the menu, with the item that does it. A test compares this with the other surfaces."""
ACTIONS = ("approve", "deny", "answer", "interrupt", "ack")
"""Those that the menu performs itself; ``attach`` needs a terminal."""

_GROUPS = (
    ("needs_action", "Needs you", "!"),
    ("error", "Failed", "✗"),
    ("review", "To review", "*"),
    ("running", "Running", "●"),
    ("quiet", "Quiet", "·"),
)
"""Key, title and sign of each group, in order. The first three are shown at once, the others as submenus."""
_AT_ONCE = frozenset({"needs_action", "error", "review"})
_IMAGES = {
    "needs_action": ("exclamationmark.bubble.fill", "orange"),
    "error": ("xmark.octagon.fill", "red"),
    "running": ("bolt.fill", "green"),
}
"""The picture and colour of the menu bar's own item, by the first count that is not 0. SwiftBar only."""
_SAFE = re.compile(r"[A-Za-z0-9._:/@%+=,~-]+")
_PATH = re.compile(r"/[A-Za-z0-9._:/@%+=,~ -]+")
_FIXED = f"trim=false length={LENGTH} symbolize=false emojize=false ansi=false md=false"
_LOOKALIKES = str.maketrans({"|": "¦", "\\": "⧵", "~": "∼"})


def menu(items: Sequence[Item], program: str, *, swiftbar: bool = True, note: str = "") -> str:
    """Return one menu, without the separator of a stream. ``program``: agtmux, by its absolute path.

    ``items``: rows of panes, in the order of a listing. ``swiftbar``: use pictures, which xbar lacks. ``note``: a line
    that is shown first. Raises ValueError if ``program`` holds characters that a menu bar cannot call.
    """
    if _PATH.fullmatch(program) is None:
        raise ValueError(program)
    groups: dict[str, list[Item]] = {key: [] for key, _, _ in _GROUPS}
    for item in items:
        groups[_group(item)].append(item)
    counts = {key: len(groups[key]) for key in ("needs_action", "error", "running")}
    lines = [_header(counts, swiftbar=swiftbar, agents=len(items)), "---"]
    if note:
        lines += [_line(0, f"⚠ {safe(note)}"), "---"]
    elif not groups["needs_action"]:
        lines.append(_line(0, "Nothing needs you" if items else "No agents"))
    for key, title, sign in _GROUPS:
        if groups[key]:
            lines += _group_lines(key, title, sign, groups[key], program)
    lines += ["---", _line(0, "Open the dashboard", [program, "top"], terminal=True)]
    return "\n".join(lines) + "\n"


def trouble(why: str, program: str, *, swiftbar: bool = True) -> str:
    """Return the menu to show while no daemon answers."""
    image = "⚠ | sfimage=exclamationmark.triangle color=orange" if swiftbar else "⚠"
    doctor = _line(0, "Check what is wrong", [program, "doctor"], terminal=True)
    return "\n".join([image, "---", _line(0, f"⚠ {safe(why)}"), "---", doctor]) + "\n"


def safe(text: object) -> str:
    """Return any text so that it stays the text of one line of a menu: no separator, no control character."""
    plain = " ".join(one_line(str(text if text is not None else "")).translate(_LOOKALIKES).split())
    return plain if len(plain) <= LENGTH else plain[: LENGTH - 1] + "…"


def _group(item: Item) -> str:
    if item.get("state") == "error":
        return "error" if item.get("attention") != "none" else "quiet"
    if item.get("attention") == "needs_action":
        return "needs_action"
    if item.get("attention") == "review":
        return "review"
    return "running" if item.get("state") == "running" else "quiet"


def _header(counts: Mapping[str, int], *, swiftbar: bool, agents: int) -> str:
    text = status_text.plain(counts) or "·"
    if not swiftbar:
        return text
    first = next((name for name, _, _ in status_text.SIGNS if counts.get(name)), "")
    image, colour = _IMAGES.get(first, ("moon.zzz" if agents else "terminal", ""))
    return f"{text} | sfimage={image}" + (f" color={colour}" if colour and first != "running" else "")


def _group_lines(key: str, title: str, sign: str, items: Sequence[Item], program: str) -> Iterator[str]:
    depth = 0 if key in _AT_ONCE else 1
    if depth:
        yield _line(0, f"{sign} {title} ({len(items)})")
    for item in items[:MOST]:
        yield from _item_lines(item, sign, depth, program)
    if len(items) > MOST:
        yield _line(depth, f"… and {len(items) - MOST} more")


def _item_lines(item: Item, sign: str, depth: int, program: str) -> Iterator[str]:
    """Yield one agent: a line that goes to its pane, and below it what it asks and what can be done."""
    identity, waiting = item.get("identity") or {}, item.get("waiting_for") or {}
    place = f"{identity.get('session_name')}:{item.get('window_index')}.{item.get('pane_index')}"
    where = place if identity.get("target") in (None, "host") else f"{identity.get('target')} {place}"
    asked = ": ".join(str(waiting[name]) for name in ("subject", "text") if waiting.get(name))
    about = asked or item.get("task") or item.get("title") or ""
    ref, shown = str(item.get("ref")), f"{item.get('agent_type')} {where} — {about}"
    go = [program, "attach", ref]
    yield _line(depth, f"{sign} {safe(shown)}", go, terminal=True)
    below = depth + 1
    since = _clock(item.get("since"))
    yield _line(below, safe(item.get("state")) + (f" since {since}" if since else ""))
    for line in _asked(asked):
        yield _line(below, f"“{line}”")
    for name, text, more in _actions(item, waiting):
        guards = [f"--runtime={item.get('runtime_id')}", f"--state-version={item.get('state_version')}"]
        line = _line(below, text, [program, "menubar", "act", name, ref, *guards, *more], refresh=True)
        if line:
            yield line
    yield _line(below, OPERATIONS["attach"], go, terminal=True)


def _clock(stamp: object) -> str:
    """Return a time of the API as the user's clock showed it. An age would be wrong as long as nothing changes."""
    import calendar
    import time

    try:
        at = calendar.timegm(time.strptime(str(stamp)[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return ""
    return time.strftime("%H:%M", time.localtime(at))


def _asked(text: str) -> Iterator[str]:
    """Yield the request in pieces that fit, so that you see all of what you approve, up to eight lines."""
    plain = " ".join(one_line(text).translate(_LOOKALIKES).split())
    room = LENGTH - 4
    pieces = [plain[at : at + room] for at in range(0, len(plain), room)]
    yield from pieces[:8]
    if len(pieces) > 8:
        yield "… (longer: go to the pane to read it)"


def _actions(item: Item, waiting: Item) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the actions for this agent: kind, text, and further parameters. None that has no fingerprint to bind it."""
    fingerprint = waiting.get("fingerprint")
    if fingerprint and item.get("state") == "waiting_approval":
        yield "approve", OPERATIONS["approve"], [f"--fingerprint={fingerprint}"]
        yield "deny", OPERATIONS["deny"], [f"--fingerprint={fingerprint}"]
    elif fingerprint and item.get("state") == "waiting_input":
        for number, option in enumerate(waiting.get("options") or (), 1):
            yield "answer", f"{number}. {safe(option)}", [f"--fingerprint={fingerprint}", f"--option={number}"]
    if item.get("state") == "running":
        yield "interrupt", OPERATIONS["interrupt"], []
    if item.get("attention") in ("needs_action", "review"):
        yield "ack", OPERATIONS["ack"], []


def _line(depth: int, text: str, command: Sequence[str] = (), *, terminal: bool = False, refresh: bool = False) -> str:
    """Return one line of a menu. Empty if a word of the command cannot be handed on safely: then it is not offered."""
    line = f"{'--' * depth}{text} | {_FIXED}"
    if not command:
        return line
    program, *words = command
    if not all(_SAFE.fullmatch(word) for word in words):
        return "" if refresh else line
    parameters = " ".join(f"param{number}={word}" for number, word in enumerate(words, 1))
    quoted = f'"{program}"' if " " in program else program
    return f"{line} bash={quoted} {parameters} terminal={str(terminal).lower()} refresh={str(refresh).lower()}"


def script(program: str, *, swiftbar: bool) -> str:
    """Return the plugin: a shell script that SwiftBar keeps running, or that xbar runs every 10 s."""
    import shlex

    if swiftbar:
        hints = {
            "swiftbar.type": "streamable", "swiftbar.runInBash": "false", "swiftbar.hideRunInTerminal": "true",
            "swiftbar.hideAbout": "true", "swiftbar.hideLastUpdated": "true",
        }  # fmt: skip
        command = f"exec {shlex.quote(program)} menubar --follow"
    else:
        hints = {"xbar.title": "agtmux", "xbar.desc": "Coding agents in tmux, and which ones need you"}
        command = f"exec {shlex.quote(program)} menubar --xbar"
    lines = "".join(f"# <{name}>{value}</{name}>\n" for name, value in hints.items())
    return f"#!/bin/sh\n{lines}{command}\n"
