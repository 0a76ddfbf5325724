"""The keys of the dashboard: one table for bindings, help, hints and documents. Owns ``[top.keys]``.

Keys are written as a person types them: ``a``, ``G``, ``/``, ``ctrl+d``, ``space``. Knows no widget.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Keymap = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Key:
    """One binding. ``hint``: its word in the bar of hints, "" if it never stands there."""

    id: str
    keys: tuple[str, ...]
    help: str
    section: str
    hint: str = ""


_MOVE, _ACT, _LOOK, _LIST, _REST = "Move", "Act", "Look", "List", "Program"
KEYS: tuple[Key, ...] = (
    Key("down", ("j", "down"), "Go one row down.", _MOVE),
    Key("up", ("k", "up"), "Go one row up.", _MOVE),
    Key("first", ("g", "home"), "Go to the first row.", _MOVE),
    Key("last", ("G", "end"), "Go to the last row.", _MOVE),
    Key("page_down", ("ctrl+d", "pagedown"), "Go half a page down.", _MOVE),
    Key("page_up", ("ctrl+u", "pageup"), "Go half a page up.", _MOVE),
    Key("next", ("n",), "Go to the next agent that needs you.", _MOVE, "next"),
    Key("previous", ("N",), "Go to the previous agent that needs you.", _MOVE),
    Key("panel", ("tab",), "Switch between the list and the detail.", _MOVE),
    Key("go", ("enter",), "Go to the agent's pane.", _ACT, "go"),
    Key("approve", ("a",), "Approve a request: opens a card, again approves.", _ACT, "approve"),
    Key("deny", ("d",), "Deny a request: opens a card, again denies.", _ACT, "deny"),
    Key("answer", ("r",), "Answer the agent's question.", _ACT, "answer"),
    Key("prompt", ("p",), "Send the agent a prompt.", _ACT, "prompt"),
    Key("interrupt", ("i",), "Interrupt the turn: opens a card, again interrupts.", _ACT, "interrupt"),
    Key("kill", ("x",), "End the agent: opens a card that names the process.", _ACT),
    Key("seen", ("s",), "Mark the agent as seen.", _ACT, "seen"),
    Key("mute", ("m",), "Mute the agent's notifications for a while.", _ACT),
    Key("compose", ("w",), "Write the agent a message: shown before it is sent.", _ACT),
    Key("queue", ("Q",), "Queue a prompt for the agent: shown before it is sent.", _ACT),
    Key("mark", ("space",), "Mark the row: the next action takes all marked ones.", _ACT),
    Key("output", ("o",), "Show the pane's output on the whole screen.", _LOOK, "output"),
    Key("explain", ("e",), "Explain why the agent is in its state.", _LOOK, "explain"),
    Key("coord", ("c",), "Show mail, leases, worktrees and failed deliveries.", _LOOK),
    Key("filter", ("/",), "Filter the list while you type.", _LIST, "filter"),
    Key("fold", ("z",), "Show or fold the agents that are idle or completed.", _LIST),
    Key("group", ("b",), "Group by attention, target, session or folder.", _LIST),
    Key("bigger", ("+",), "Make the panel bigger: half, then full.", _LIST),
    Key("smaller", ("_",), "Make the panel smaller.", _LIST),
    Key("palette", (":", "ctrl+p"), "Find a command by its words.", _REST),
    Key("help", ("?",), "List all keys. Enter runs the chosen one.", _REST, "help"),
    Key("quit", ("q",), "Quit. In a card or a page: close it.", _REST, "quit"),
)
BY_ID = {key.id: key for key in KEYS}
FIXED = {"escape": "go one level back", "ctrl+c": "quit"}
"""Keys that always do this, so that there is always a way out. The keymap cannot use them."""
DEFAULTS: Keymap = {key.id: key.keys for key in KEYS}
_WORDS = "space enter tab escape up down left right home end pageup pagedown insert delete backspace comma"
_NAMED = frozenset(_WORDS.split(" "))
_F_KEY = re.compile(r"f([1-9]|1\d|2[0-4])")
_MODIFIERS = frozenset({"ctrl", "alt", "shift"})


def read_keymap(wanted: object) -> Keymap:
    """Return the keys of each id, with those of ``[top.keys]`` in place of the defaults.

    ``wanted``: from the configuration, ids with a key, several keys separated by commas, or a list. Raises
    E_INVALID_REQUEST, which names the id: an unknown id or key, a key for two ids, or no key that quits.
    """
    if not isinstance(wanted, dict):
        raise _wrong('[top.keys] is not a table: write one line for each key, like approve = "a"')
    chosen: dict[str, tuple[str, ...]] = {}
    for name, value in wanted.items():
        if name not in BY_ID:
            raise _wrong(f"[top.keys] has no {one_line(str(name))}{_nearest(str(name))}")
        chosen[name] = tuple(_key(name, part) for part in _parts(name, value))
    if chosen.get("quit") == ():
        raise _wrong('[top.keys] leaves no key for quit: give it one, like quit = "q"')
    taken = {key: name for name, keys in chosen.items() for key in keys}
    keymap = {
        name: keys if name in chosen else tuple(key for key in keys if key not in taken)
        for name, keys in {**DEFAULTS, **chosen}.items()
    }
    _no_conflict(keymap, chosen)
    return keymap


def _no_conflict(keymap: Keymap, chosen: Mapping[str, object]) -> None:
    owner: dict[str, str] = {}
    for name, keys in keymap.items():
        for key in keys:
            if key in owner:
                raise _wrong(
                    f"[top.keys] gives {key} to {owner[key]} and to {name}: choose another key for one of them"
                )
            owner[key] = name
    for name, keys in keymap.items():
        if not keys and name not in chosen:
            taker = next(owner[key] for key in DEFAULTS[name] if key in owner)
            raise _wrong(
                f"[top.keys] gives {', '.join(DEFAULTS[name])} of {name} to {taker}: give {name} another key, or "
                f'none with {name} = ""'
            )


def _parts(name: str, value: object) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()] if value != "," else ["comma"]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return [part.strip() for part in value if part.strip()]
    raise _wrong(f'[top.keys] {name} is not a key: write it like {name} = "{DEFAULTS[name][0]}"')


def _key(name: str, text: str) -> str:
    """Return the key in the form of this table."""
    if len(text) == 1 and text.isprintable():
        return "comma" if text == "," else text
    *modifiers, last = text.split("+") if not text.endswith("+") else [*text[:-2].split("+"), "+"]
    modifiers = [modifier.lower() for modifier in modifiers]
    known = len(last) == 1 or last.lower() in _NAMED or _F_KEY.fullmatch(last.lower())
    if not known or not set(modifiers) <= _MODIFIERS or len(set(modifiers)) != len(modifiers):
        raise _wrong(f"[top.keys] {name}: {one_line(text)} is not a key; write it like a, G, ctrl+d or space")
    last = last if len(last) == 1 and not modifiers else last.lower()
    key = "+".join([*sorted(modifiers), last])
    if key in FIXED:
        raise _wrong(f"[top.keys] {name}: {key} always does one thing ({FIXED[key]}); choose another key")
    return key


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(BY_ID), 1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(BY_ID)}"


def _wrong(text: str) -> AgtmuxError:
    return AgtmuxError("E_INVALID_REQUEST", text)


_SIGNS = {"enter": "⏎", "down": "↓", "up": "↑", "comma": ","}


def sign(key: str) -> str:
    """Return a key as it is shown: ``⏎``, ``^d``, ``a``."""
    if key.startswith("ctrl+") and len(key) == 6:
        return f"^{key[5:]}"
    return _SIGNS.get(key, key)


def signs(keymap: Keymap, name: str) -> str:
    """Return all keys of an id as they are shown."""
    return " ".join(sign(key) for key in keymap[name])
