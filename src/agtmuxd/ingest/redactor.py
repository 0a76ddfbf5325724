"""Secrets taken out by the built-in patterns and those of the configuration, before anything is stored.

Owns the time that the latter may take, and what of a pane's row is searched. Knows no database.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import structlog

from agtmux.protocol.redact import EVERYTHING, redact
from agtmux.protocol.text import one_line
from agtmuxd.adapters.time_limit import TimeLimitError, run_within
from agtmuxd.core.model import PaneRow

T = TypeVar("T")

REDACT_FOR: Final = 1.0
"""Seconds of CPU for one event; the longest that can be posted takes a tenth of that."""
KEPT: Final = 256
"""Characters of a title, name or command that are stored. More are searched: a secret that was cut where it was read
must not be left over in part."""

_LOG = structlog.get_logger("redactor")
_TEXTS: Final = ("title", "window_name", "command", "cwd")


class Redactor:
    """Called with a JSON-like value: a copy without secrets. ``patterns``: those of the configuration, as it is now."""

    def __init__(self, patterns: Callable[[], Sequence[str]] = tuple) -> None:
        self._patterns = patterns
        self._known: tuple[str, ...] = ()
        self._compiled: tuple[re.Pattern[str], ...] = ()

    def patterns(self) -> tuple[str, ...]:
        """Of the configuration."""
        return tuple(self._patterns())

    def __call__(self, value: T) -> T:
        """Where a pattern of the configuration does not come to an end, all texts are taken for secrets: nothing is
        stored unsearched."""
        patterns = self.patterns()
        if not patterns:
            return redact(value)
        if patterns != self._known:
            self._known, self._compiled = patterns, tuple(re.compile(p) for p in patterns)
        try:
            return run_within(REDACT_FOR, lambda: redact(value, self._compiled))
        except TimeLimitError:
            _LOG.warning("a pattern in redaction.patterns takes too long: all texts were removed")
            return redact(value, (re.compile(EVERYTHING),))

    def leave(self, path: str) -> None:
        """Write the configuration's patterns where hooks look, which spool while no daemon answers. Raises OSError."""
        fresh = f"{path}.new"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(self.patterns(), file)
        os.replace(fresh, path)


class PaneTexts:
    """The rows of one target's panes without secrets. The names of sessions stay: panes are called by them."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        self._patterns: tuple[str, ...] = ()
        self._before: dict[str, tuple[PaneRow, PaneRow]] = {}
        self._rows: tuple[PaneRow, ...] = ()
        self._clean: tuple[PaneRow, ...] = ()

    def clean(self, rows: tuple[PaneRow, ...]) -> tuple[PaneRow, ...]:
        """The same object for the same ``rows``, and row by row."""
        patterns = self._redact.patterns()
        if patterns != self._patterns:
            self._patterns, self._before, self._rows = patterns, {}, ()
        if rows is not self._rows:
            before, self._before = self._before, {}
            for row in rows:
                self._before[row.pane_id] = row, self._one(row, before.get(row.pane_id))
            self._rows, self._clean = rows, tuple([self._before[row.pane_id][1] for row in rows])
        return self._clean

    def _one(self, row: PaneRow, before: tuple[PaneRow, PaneRow] | None) -> PaneRow:
        if before is not None and before[0] is row:
            return before[1]
        texts = {}
        for name in _TEXTS:
            text = getattr(row, name)
            if before is not None and getattr(before[0], name) == text:
                texts[name] = getattr(before[1], name)
            else:  # what is invisible must not hide a secret that shows once it is taken out
                texts[name] = self._redact(text) if name == "cwd" else self._redact(one_line(text))[:KEPT]
        return replace(row, **texts)
