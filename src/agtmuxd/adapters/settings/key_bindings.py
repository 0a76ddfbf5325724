"""What users make of an agent's keys in its own settings: the key that submits, the one that stops a turn.

Owns how each agent writes that down. Reads text, never a file. What cannot be understood changes nothing.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from agtmuxd.adapters.settings import json_edit
from agtmuxd.core.screen.controls import KeyOverrides

_COMMA: Final = re.compile(r",(\s*[}\]])")


def _lenient(text: str) -> Any:
    """JSON, with comments and trailing commas where they stand; None for what is no JSON."""
    try:
        return json.loads(_COMMA.sub(r"\1", json_edit.plain(text)))
    except (ValueError, RecursionError):
        return None


def _table(value: Any, *names: str) -> Mapping[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def claude(text: str) -> KeyOverrides:
    """``keybindings.json``: later blocks go before earlier ones, null takes a key away (seen on 2.1.329)."""
    bound = {"escape": "chat:cancel", "enter": "chat:submit"}
    blocks = _table({"it": _lenient(text)}, "it").get("bindings")
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, Mapping) and block.get("context") == "Chat":
            for key, action in _table(block, "bindings").items():
                bound[_plain(key)] = action if isinstance(action, str) else ""

    def those(action: str) -> tuple[str, ...]:
        return tuple(key for key, does in bound.items() if does == action)

    return KeyOverrides(those("chat:cancel"), those("chat:submit"))


def _plain(key: str) -> str:
    key = key.strip().lower()
    return {"esc": "escape", "return": "enter"}.get(key, key)


def codex(text: str, argv: Sequence[str]) -> KeyOverrides:
    """``[tui.keymap]`` of ``config.toml``, and ``-c`` of the command line, which goes before it (seen on 0.169.0)."""
    try:
        settings: Mapping[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        settings = {}
    keymap = {name: dict(_table(settings, "tui", "keymap", name)) for name in ("chat", "composer")}
    for option, value in pairwise(argv):
        path, _, said = value.partition("=")
        names = path.strip().split(".")
        if option in ("-c", "--config") and names[:2] == ["tui", "keymap"] and len(names) == 4 and names[2] in keymap:
            keymap[names[2]][names[3]] = _toml_value(said)
    return KeyOverrides(_keys(keymap["chat"].get("interrupt_turn")), _keys(keymap["composer"].get("submit")))


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"it = {text}")["it"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text.strip()


def _keys(value: Any) -> tuple[str, ...] | None:
    """One key or several; None where nothing is said."""
    if isinstance(value, str):
        return (value,)
    return tuple(key for key in value if isinstance(key, str)) if isinstance(value, list) else None


def gemini(text: str) -> KeyOverrides:
    """``keybindings.json``: a list; ``-`` in front of a command takes a key away. Escape stops a turn whatever it says
    (seen on 0.61.0)."""
    entries = _lenient(text)
    submit = ["enter"]
    for entry in entries if isinstance(entries, list) else []:
        key, command = _table({"it": entry}, "it").get("key"), _table({"it": entry}, "it").get("command")
        if isinstance(key, str) and command == "input.submit":
            submit.insert(0, _plain(key))
        elif isinstance(key, str) and command == "-input.submit":
            submit = [one for one in submit if one != _plain(key)]
    return KeyOverrides(submit=tuple(submit))


def opencode(texts: Sequence[str]) -> KeyOverrides:
    """``keybinds`` of ``opencode.json`` and ``tui.json``, the latter last: keys with commas between, ``none`` for no
    key (seen on 1.18.33)."""
    keybinds: dict[str, Any] = {}
    for text in texts:
        keybinds |= _table({"it": _lenient(text)}, "it", "keybinds")

    def those(name: str) -> tuple[str, ...] | None:
        said = keybinds.get(name)
        keys = said.split(",") if isinstance(said, str) else said
        found = _keys(keys)
        return None if found is None else tuple(_plain(key) for key in found if _plain(key) not in ("none", ""))

    return KeyOverrides(those("session_interrupt"), those("input_submit"))
