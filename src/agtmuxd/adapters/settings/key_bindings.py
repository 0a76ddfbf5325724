"""Read the keys that users set in an agent's own settings: the key that submits, and the key that stops a turn.

Owns how each agent writes them. Reads text, never a file. Text that is not understood changes nothing.
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
    """Parse JSON, with comments and trailing commas allowed. None for text that is not JSON."""
    try:
        return json.loads(_COMMA.sub(r"\1", json_edit.plain(text)))
    except (ValueError, RecursionError):
        return None


def _table(value: Any, *names: str) -> Mapping[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def claude(text: str) -> KeyOverrides:
    """Read ``keybindings.json``. Later blocks override earlier ones, and null removes a key (seen on 2.1.329)."""
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
    """Read ``[tui.keymap]`` of ``config.toml``, and ``-c`` of the command line, which overrides it (seen
    on 0.169.0).
    """
    try:
        settings: Mapping[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        settings = {}
    keymap = {name: dict(_table(settings, "tui", "keymap", name)) for name in ("chat", "composer")}
    for option, value in pairwise(argv):
        path, _, right = value.partition("=")
        names = path.strip().split(".")
        if option in ("-c", "--config") and names[:2] == ["tui", "keymap"] and len(names) == 4 and names[2] in keymap:
            keymap[names[2]][names[3]] = _toml_value(right)
    return KeyOverrides(_keys(keymap["chat"].get("interrupt_turn")), _keys(keymap["composer"].get("submit")))


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"it = {text}")["it"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text.strip()


def _keys(value: Any) -> tuple[str, ...] | None:
    """Return one key or several. None if no key is given."""
    if isinstance(value, str):
        return (value,)
    return tuple(key for key in value if isinstance(key, str)) if isinstance(value, list) else None


def gemini(text: str) -> KeyOverrides:
    """Read ``keybindings.json``, a list. ``-`` in front of a command removes a key. Escape stops a turn in any case
    (seen on 0.61.0).
    """
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
    """Read ``keybinds`` of ``opencode.json`` and ``tui.json``; the latter overrides.

    Commas separate keys, and ``none`` means no key (seen on 1.18.33).
    """
    keybinds: dict[str, Any] = {}
    for text in texts:
        keybinds |= _table({"it": _lenient(text)}, "it", "keybinds")

    def those(name: str) -> tuple[str, ...] | None:
        given = keybinds.get(name)
        keys = given.split(",") if isinstance(given, str) else given
        found = _keys(keys)
        return None if found is None else tuple(_plain(key) for key in found if _plain(key) not in ("none", ""))

    return KeyOverrides(those("session_interrupt"), those("input_submit"))
