"""Remove secrets before anything is stored, by the built-in patterns and those of the configuration.

Owns the time limit for the configured patterns, and which texts of a pane's row are searched. Knows no database.
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
"""Seconds of CPU for one event. The longest event that can be posted takes a tenth of that."""
KEPT: Final = 256
"""Characters of a title, name or command that are stored. The whole text is searched first: cutting it first could
leave a part of a secret that no pattern matches."""

_LOG = structlog.get_logger("redactor")
_TEXTS: Final = ("title", "window_name", "command", "cwd")


class Redactor:
    """Copy a JSON-like value without its secrets: call it with the value.

    ``patterns``: gives the patterns of the current configuration.
    """

    def __init__(self, patterns: Callable[[], Sequence[str]] = tuple) -> None:
        self._patterns = patterns
        self._pattern_texts: tuple[str, ...] = ()
        self._compiled: tuple[re.Pattern[str], ...] = ()

    def patterns(self) -> tuple[str, ...]:
        """Give the patterns of the current configuration."""
        return tuple(self._patterns())

    def __call__(self, value: T) -> T:
        """Copy ``value`` without its secrets. If the configured patterns take longer than ``REDACT_FOR``, remove all
        texts, because nothing may be stored unsearched."""
        patterns = self.patterns()
        if not patterns:
            return redact(value)
        if patterns != self._pattern_texts:
            self._pattern_texts, self._compiled = patterns, tuple(re.compile(p) for p in patterns)
        try:
            return run_within(REDACT_FOR, lambda: redact(value, self._compiled))
        except TimeLimitError:
            _LOG.warning("a pattern in redaction.patterns takes too long: all texts were removed")
            return redact(value, (re.compile(EVERYTHING),))

    def write_patterns(self, path: str) -> None:
        """Write the configured patterns to a file for hooks, which need them when they write to the spool.

        Raises OSError.
        """
        new_path = f"{path}.new"
        fd = os.open(new_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(self.patterns(), file)
        os.replace(new_path, path)


class PaneTexts:
    """Remove secrets from the pane rows of one target. Session names stay, because refs of panes contain them."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        self._patterns: tuple[str, ...] = ()
        self._before: dict[str, tuple[PaneRow, PaneRow]] = {}
        self._rows: tuple[PaneRow, ...] = ()
        self._clean: tuple[PaneRow, ...] = ()

    def clean(self, rows: tuple[PaneRow, ...]) -> tuple[PaneRow, ...]:
        """Give the rows without secrets. The same ``rows`` object, and each same row, gives the same object again."""
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
            else:  # remove invisible characters first: they could split a secret
                texts[name] = self._redact(text) if name == "cwd" else self._redact(one_line(text))[:KEPT]
        return replace(row, **texts)
