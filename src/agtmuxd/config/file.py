"""Read the configuration from one TOML file. The only reader of that file.

An error names the wrong key or value and its line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular
from agtmuxd.config.sections import Settings

MOST = 1 << 20
"""The largest size of the file, in bytes."""
_HEADER = re.compile(r"\s*\[(\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def _line_of(text: str, place: tuple[Any, ...]) -> int | None:
    """Return the line of a key, or else the line of its table. ``place``: keys, and numbers of tables in arrays."""
    table: list[str | int] = []
    counts: dict[str, int] = {}
    best: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            table = list(_words(header[2]))
            if header[1]:
                name = header[2]
                counts[name] = counts.get(name, -1) + 1
                table.append(counts[name])
            if table == list(place[: len(table)]):
                best = number
            continue
        key = _KEY.match(line)
        if key:
            full = [*table, *_words(key[1])]
            if full == list(place[: len(full)]):
                return number
    return best


def _words(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _known(place: Sequence[Any]) -> list[str]:
    """Return the keys that the table at ``place`` may have. Empty if it may have any."""
    model: Any = Settings
    for part in place:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            model = next((m for m in _models(model)), None)  # the name of a table among tables of one kind
            continue
        model = field.annotation
        model = next((m for m in _models(model)), model)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _models(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for part in get_args(kind) for model in _models(part)]


def _key(place: Sequence[Any]) -> str:
    """Write a place as a person would: ``notify.channels[0].kind``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def parse(text: str, path: str) -> Settings:
    """Return the settings in a file's text. Raises E_INVALID_REQUEST, which names file, line and key."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path}: {error}") from error
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        errors = error.errors()
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        line = _line_of(text, first["loc"])
        where = f"{path}, line {line}" if line else path
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            close = get_close_matches(str(first["loc"][-1]), _known(first["loc"][:-1]), n=1)
            problem = "unknown setting" + (f" (did you mean {close[0]}?)" if close else "")
        raise AgtmuxError("E_INVALID_REQUEST", f"{where}: {_key(first['loc'])}: {problem}") from error


def load(path: str) -> Settings:
    """Return the settings in the file at ``path``, or the defaults if there is no file. Raises E_INVALID_REQUEST."""
    try:
        text = read_regular(path, MOST).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except OSError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path} cannot be read: {error}") from error
    return parse(text, path)
