"""Know which tmux this terminal is in, and so how to bring it to a pane. Knows neither click nor the client."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def inside() -> tuple[str, str] | None:
    """Return the socket and server pid of the tmux that this terminal is in. None outside tmux."""
    words = os.environ.get("TMUX", "").rsplit(",", 2)  # from the end: a path may hold commas
    return (words[0], words[1]) if len(words) == 3 and words[0] else None


def where_from(here: tuple[str, str] | None) -> dict[str, Any]:
    """Return the field ``inside`` of a request to attach."""
    if here is None or not here[1].isdecimal():
        return {}
    return {"inside": {"socket": here[0], "server_pid": int(here[1])}}


def way(here: tuple[str, str] | None, result: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return how to go to a pane, and the command that does it. ``result``: of the action ``attach``.

    ``switch``: this terminal's client switches. ``attach``: this terminal attaches. ``elsewhere``: neither can be done
    from here, and the command is for a terminal outside tmux.
    """
    if here is not None and _same(here, result):
        return "switch", list(result["switch"])
    if here is None or result.get("kind") == "ssh":  # the tmux of another machine knows nothing of this one
        return "attach", list(result["argv"])
    return "elsewhere", list(result["whole"])


def _same(here: tuple[str, str], result: Mapping[str, Any]) -> bool:
    same_socket = os.path.realpath(here[0]) == os.path.realpath(str(result.get("socket")))
    return result.get("kind") == "local" and same_socket and here[1] == str(result.get("server_pid"))
