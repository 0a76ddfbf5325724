"""Look at panes for the dashboard: the captured screen, the explanation, the last message. Each looks once at a time.

Owns what was read last of each pane. A look that comes too late for its row is kept and not shown.
"""

from __future__ import annotations

import time

from agtmux.cli.explain_text import explanation
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.top.text import safe_line, safe_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from agtmux.client import Client
    from agtmux.top.background import Background
    from agtmux.top.model import Row

ROWS = 200
"""Rows of output that a look takes."""
MOST = 64
"""Panes of which the last look is kept."""


class PaneReader:
    """``screens`` and ``reasons`` hold what was read last: raw output, and lines of text."""

    def __init__(self, background: Background, client: Callable[[], Client]) -> None:
        self._errands, self._client = background, client
        self._actions: dict[str, str] = {}
        self.screens: dict[tuple[str, str], str] = {}
        self.reasons: dict[tuple[str, str], list[str]] = {}

    def screen(self, row: Row, then: Callable[[], None], *, rows: int = ROWS) -> None:
        """Read what a pane shows."""

        def look() -> str:
            request = {"request_ref": uuid7(), "ref": row.ref, "lines": rows, "ansi": True}
            if row.runtime_id is not None:
                request["if_runtime"] = row.runtime_id
                if row.runtime_id in self._actions:
                    request["again"] = self._actions[row.runtime_id]  # all looks at one agent are one action
            try:
                body = self._client().act("view-output", request).json()
            except AgtmuxError as error:
                self._actions.pop(row.runtime_id or "", None)
                return f"({safe_line(error.message)})"
            if row.runtime_id is not None:
                self._actions.setdefault(row.runtime_id, str(body.get("action_id")))
            return str((body.get("result") or {}).get("output") or "")

        def done(output: str) -> None:
            _keep(self.screens, row.key, output)
            then()

        self._errands.latest("screen", look, done)

    def why(self, row: Row, then: Callable[[], None]) -> None:
        """Read why a row is in its state."""

        def look() -> list[str]:
            try:
                body = self._client().explain(row.ref).json()
            except AgtmuxError as error:
                return [safe_line(error.message)]
            return [line for text in explanation(body, time.time()) for line in safe_lines(text)]

        def done(found: list[str]) -> None:
            _keep(self.reasons, row.key, found)
            then()

        self._errands.latest("why", look, done)

    def message(self, row: Row, then: Callable[[list[str]], None]) -> None:
        """Read an agent's last message."""

        def look() -> list[str]:
            try:
                body = self._client().message(row.ref).json()
            except AgtmuxError as error:
                return [safe_line(error.message)]
            return safe_lines(body.get("text") or "its last message is not known")

        self._errands.latest("message", look, then)


def _keep(kept: dict[tuple[str, str], Any], key: tuple[str, str], value: object) -> None:
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > MOST:
        del kept[next(iter(kept))]
