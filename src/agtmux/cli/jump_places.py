"""Remember where each tmux client was before its last jump, in one small file of the runtime folder.

Owns the file. It is no option of the tmux server, because servers whose users did not opt in get none.
"""

from __future__ import annotations

import json
import os
import time

from agtmux.protocol import paths
from agtmux.protocol.regular import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Place = tuple[str, str, str]
    """Ids of a session, a window and a pane."""

MOST = 64
"""Clients that are remembered. The oldest ones are forgotten."""
_BYTES = 1 << 16


def remember(server: tuple[str, str], client: str, place: Place) -> None:
    """Note the place of a client before it jumps. A file that cannot be written is no error: the jump counts more.

    ``server``: socket and pid.
    """
    kept = _read()
    kept[_key(server, client)] = [*place, time.time_ns()]
    newest = sorted(kept.items(), key=lambda one: one[1][3], reverse=True)[:MOST]
    path = _path()
    fresh = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(dict(newest), file)
        os.replace(fresh, path)
    except OSError:
        return


def recall(server: tuple[str, str], client: str) -> Place | None:
    """Return where a client was before its last jump, None if it made none."""
    found = _read().get(_key(server, client))
    return (found[0], found[1], found[2]) if found else None


def _path() -> str:
    return os.path.join(paths.runtime_dir(), "jumps.json")


def _key(server: tuple[str, str], client: str) -> str:
    return f"{os.path.realpath(server[0])} {server[1]} {client}"


def _read() -> dict[str, list[Any]]:
    try:
        value = json.loads(read_regular(_path(), _BYTES))
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: place for key, place in value.items() if _is_place(place)}


def _is_place(place: object) -> bool:
    """Return whether it is three ids as tmux writes them, and a time."""
    if not isinstance(place, list) or len(place) != 4 or not isinstance(place[3], int):
        return False
    return all(
        isinstance(one, str) and one[:1] == sign and one[1:].isascii() and one[1:].isdecimal()
        for sign, one in zip("$@%", place[:3], strict=True)
    )
