"""Read the tables of a rules file with types, and report errors with the table, the key and the problem.

Does not know which keys a rules file has: see ``rule_file``. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from agtmuxd.core.screen.style import StyleTest
from agtmuxd.core.screen.style import read as read_style


class RuleReadError(Exception):
    """An error in a rules file. ``place``: the table's name, which one of several, and the key in it."""

    def __init__(self, where: str, place: tuple[str, int, str], message: str) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.place = place


def suggestion(word: object, known: Iterable[str]) -> str:
    """Return ``did you mean x?`` if a known word is similar, else the list of known words."""
    near = difflib.get_close_matches(str(word), list(known), 1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(sorted(known))}"


class Reader:
    """Reads one table with types. Errors name the place.

    ``where`` names the place for people. ``table``, ``index`` and ``key`` of ``at`` say where it is in the file. A
    table in a table (``waiting = { .. }``) has the place of its key.
    """

    def __init__(self, where: str, table: Any, known: set[str], at: tuple[str, int, str] = ("", 0, "")) -> None:
        self.where, self.at = where, at
        if not isinstance(table, Mapping):
            raise RuleReadError(where, at, f"must be a table, but {kind_of(table)}")
        self.table: Mapping[str, Any] = table
        for key in table:
            if key not in known:
                raise self.wrong(key, f"there is no such key: {suggestion(key, known)}")

    def wrong(self, key: str, message: str) -> RuleReadError:
        """Return the error for ``key`` of this table. The caller raises it."""
        name, index, held = self.at
        place = (name, index, held or (key if key in self.table else ""))
        return RuleReadError(f"{self.where}, key {key}" if self.where else f"key {key}", place, message)

    def inner(self, key: str, table: Any, known: set[str], where: str = "") -> Reader:
        """Return a reader for the table at ``key`` of this one."""
        name, index, held = self.at
        at = (name, index, held or key) if name else (key, 0, "")
        return Reader(where or (f"{self.where}, {key}" if self.where else key), table, known, at)

    def text(self, key: str, default: str | None = None) -> str | None:
        """Return a string, or ``default`` if the key is missing. Raises RuleReadError for any other type."""
        value = self.table.get(key, default)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, f"must be a string, but {kind_of(value)}")
        return value

    def needed(self, key: str) -> str:
        """Return a string that must be there and not be empty. Raises RuleReadError."""
        value = self.text(key)
        if not value:
            raise self.wrong(key, "is missing")
        return value

    def number(self, key: str, default: int) -> int:
        """Return a whole number, or ``default`` if the key is missing. Raises RuleReadError for any other type."""
        value = self.table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, f"must be a whole number, but {kind_of(value)}")
        return value

    def flag(self, key: str) -> bool | None:
        """Return true or false, or None if the key is missing. Raises RuleReadError for any other type."""
        value = self.table.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, f"must be true or false, but {kind_of(value)}")
        return value

    def listing(self, key: str) -> list[Any]:
        """Return a list, empty if the key is missing. Raises RuleReadError for any other type."""
        value = self.table.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, f"must be a list, but {kind_of(value)}")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty if the key is missing. Raises RuleReadError for any other type."""
        value = self.listing(key)
        if not all(isinstance(v, str) for v in value):
            raise self.wrong(key, 'must be a list of strings, as in ["a", "b"]')
        return tuple(value)

    def pattern(self, key: str, flags: int = 0, groups: int | None = None) -> re.Pattern[str] | None:
        """Return a compiled regular expression, or None if the key is missing.

        ``groups``: how many groups it must have. Raises RuleReadError.
        """
        value = self.text(key)
        if value is None:
            return None
        compiled = self._compiled(key, value, flags)
        if groups is not None and compiled.groups != groups:
            raise self.wrong(key, f"needs {groups} group in (), has {compiled.groups}: write other groups as (?:..)")
        return compiled

    def patterns(self, key: str, flags: int = 0) -> tuple[re.Pattern[str], ...]:
        """Return a list of compiled regular expressions, empty if the key is missing. Raises RuleReadError."""
        return tuple([self._compiled(key, value, flags) for value in self.strings(key)])

    def _compiled(self, key: str, value: str, flags: int) -> re.Pattern[str]:
        try:
            return re.compile(value, flags)
        except (re.error, OverflowError, RecursionError) as e:
            raise self.wrong(key, f"{value[:60]!r} is not a regular expression: {e}") from e

    def style(self, key: str) -> StyleTest | None:
        """Return the test for one style or a list of styles, or None if the key is missing. Raises RuleReadError."""
        value = self.table.get(key)
        if value is None:
            return None
        try:
            return read_style([value] if isinstance(value, str) else list(self.strings(key)))
        except ValueError as e:
            raise self.wrong(key, str(e)) from e


def kind_of(value: object) -> str:
    """Return what kind of TOML value this is, for an error message: ``is a number``."""
    names = {bool: "true or false", int: "a number", float: "a number with a point", str: "a string", list: "a list"}
    return f"is {'a table' if isinstance(value, Mapping) else names.get(type(value), 'a date')}"
