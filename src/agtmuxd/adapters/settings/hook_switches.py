"""Reads what switches an agent's hooks off: keys of its own settings and of the files that an administrator puts there.

Owns the reading, so that a file which cannot be read switches nothing. Knows no agent: which files and keys, an adapter
says.
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
    """One key of one file that says whether hooks run. ``off``: the value at which they do not."""

    path: Path
    key: str
    off: bool

    def told(self) -> str:
        return f"{self.key} = {str(self.off).lower()} in {self.path}"


def json_settings(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file, comments passed over; empty where there is none, or none that can be read."""
    text = _text(path)
    try:
        found = value(text, parse(text)) if text else None
    except ValueError:
        return _NOTHING
    return found if isinstance(found, Mapping) else _NOTHING


def toml_settings(path: Path) -> Mapping[str, Any]:
    """The same of a TOML file."""
    try:
        return tomllib.loads(_text(path).removeprefix(MARK))
    except (ValueError, RecursionError):
        return _NOTHING


def at(settings: Mapping[str, Any], key: str) -> Any:
    """What stands under a dotted key; None where nothing does."""
    found: Any = settings
    for part in key.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def any_off(files: Sequence[tuple[Path, Mapping[str, Any]]], keys: Sequence[tuple[str, bool]]) -> str | None:
    """The first key in these files that switches hooks off, where each of them is enough; in words."""
    for path, settings in files:
        for key, off in keys:
            if at(settings, key) is off:
                return Switch(path, key, off).told()
    return None


def first_off(files: Sequence[tuple[Path, Mapping[str, Any]]], keys: Sequence[tuple[str, bool]]) -> str | None:
    """The same where the first file that says anything decides: the one that goes before all others comes first."""
    for path, settings in files:
        for key, off in keys:
            found = at(settings, key)
            if isinstance(found, bool):
                return Switch(path, key, off).told() if found is off else None
    return None


def _text(path: Path) -> str:
    try:
        return json_hooks.read(path) or ""
    except json_hooks.NotReadError:
        raise
    except ValueError:
        return ""  # it cannot be read: whoever may read it is told by the agent itself
