"""Find the settings that turn an agent's hooks off: in its own settings and in an administrator's files.

Owns the reading: a file that cannot be read turns nothing off. Knows no agent. The adapter names the files and keys.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.settings import json_hooks
from agtmuxd.adapters.settings.json_edit import MARK, parse, value

_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Switch:
    """One key of one file that turns hooks on or off. ``off``: the value at which hooks do not run."""

    path: Path
    key: str
    off: bool

    def text(self) -> str:
        return f"{self.key} = {str(self.off).lower()} in {self.path}"


def json_settings(path: Path) -> Mapping[str, Any]:
    """Return the object in a JSON file, without comments. Empty if there is none or it cannot be read."""
    text = _text(path)
    try:
        found = value(text, parse(text)) if text else None
    except ValueError:
        return _NOTHING
    return found if isinstance(found, Mapping) else _NOTHING


def toml_settings(path: Path) -> Mapping[str, Any]:
    """Return the table in a TOML file. Empty if there is none or it cannot be read."""
    try:
        return tomllib.loads(_text(path).removeprefix(MARK))
    except (ValueError, RecursionError):
        return _NOTHING


def at(settings: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key, or None."""
    found: Any = settings
    for part in key.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def any_off(files: Sequence[tuple[Path, Mapping[str, Any]]], keys: Sequence[tuple[str, bool]]) -> str | None:
    """Return a text that names the first key that turns hooks off, if one such key is enough. None if no key does."""
    for path, settings in files:
        for key, off in keys:
            if at(settings, key) is off:
                return Switch(path, key, off).text()
    return None


def first_off(files: Sequence[tuple[Path, Mapping[str, Any]]], keys: Sequence[tuple[str, bool]]) -> str | None:
    """Return a text that names the key that turns hooks off, if the first file with one of the keys decides.

    ``files``: the one with the highest priority first. None if that key keeps hooks on, or if there is no key.
    """
    for path, settings in files:
        for key, off in keys:
            found = at(settings, key)
            if isinstance(found, bool):
                return Switch(path, key, off).text() if found is off else None
    return None


def _text(path: Path) -> str:
    try:
        return json_hooks.read(path) or ""
    except json_hooks.NotReadError:
        raise
    except ValueError:
        return ""  # the file cannot be read: the agent reports that itself to a user who may read it
