"""Read a team file: the agents of a team, what each does, and which files each may change. Pure.

An error names the line, the key and the allowed form.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import PERSON, Deliver, checked_name
from agtmuxd.core.globs import compile_pattern
from agtmuxd.core.screen.toml_lines import line_of

MOST_BYTES: Final = 256 * 1024
MOST_AGENTS: Final = 200
MOST_SCOPES: Final = 100
MOST_TEXT: Final = 256
_TABLE: Final = "agents"
_TEAM_KEYS: Final = ("name", "deliver", "escalate_to", _TABLE)
_AGENT_KEYS: Final = ("name", "role", "owner", "tags", "scopes", "deliver")
_DELIVER: Final = ("pane", "pull")


@dataclass(frozen=True, slots=True)
class Member:
    """An agent of a team file."""

    name: str
    role: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    deliver: Deliver | None = None


@dataclass(frozen=True, slots=True)
class TeamFile:
    """A team as its file wants it. ``escalate_to`` None: a person."""

    name: str
    deliver: Deliver
    escalate_to: str | None
    members: tuple[Member, ...]


def read(text: str, reserved: Collection[str] = ()) -> TeamFile:
    """Read a team file. ``reserved``: words that cannot be names. Raises E_INVALID_REQUEST."""
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise AgtmuxError("E_PAYLOAD_TOO_LARGE", f"a team file has at most {MOST_BYTES} bytes")
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"not TOML: {error}", {"line": None, "key": None}) from None
    return _Reader(text, reserved).team(top)


class _Reader:
    def __init__(self, text: str, reserved: Collection[str]) -> None:
        self._text = text
        self._reserved = reserved

    def team(self, top: Mapping[str, Any]) -> TeamFile:
        self._known_keys(top, _TEAM_KEYS, "", 0)
        name = self._name(top, "", 0)
        listed = top.get(_TABLE, [])
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise self._wrong("", 0, _TABLE, "write each agent as a table: [[agents]]")
        if len(listed) > MOST_AGENTS:
            raise self._wrong("", 0, _TABLE, f"a team has at most {MOST_AGENTS} agents")
        members = tuple(self._member(one, index) for index, one in enumerate(listed))
        self._check_once(members)
        return TeamFile(name, self._deliver(top, "", 0) or "pull", self._escalate_to(top, members), members)

    def _member(self, one: Mapping[str, Any], index: int) -> Member:
        self._known_keys(one, _AGENT_KEYS, _TABLE, index)
        return Member(
            self._name(one, _TABLE, index),
            self._line(one, index, "role"),
            self._line(one, index, "owner"),
            self._several(one, index, "tags"),
            tuple(self._scope(scope, index) for scope in self._several(one, index, "scopes")),
            self._deliver(one, _TABLE, index),
        )

    def _check_once(self, members: tuple[Member, ...]) -> None:
        seen: dict[str, str] = {}
        for index, member in enumerate(members):
            other = seen.setdefault(member.name.casefold(), member.name)
            if other is not member.name:
                raise self._wrong(
                    _TABLE, index, "name",
                    f"{member.name!r} is already an agent of this team (upper and lower case are the same)",
                )  # fmt: skip

    def _escalate_to(self, top: Mapping[str, Any], members: tuple[Member, ...]) -> str | None:
        wanted = top.get("escalate_to", PERSON)
        if wanted == PERSON:
            return None
        for member in members:
            if isinstance(wanted, str) and member.name.casefold() == wanted.casefold():
                return member.name
        names = ", ".join([PERSON, *(member.name for member in members)])
        raise self._wrong("", 0, "escalate_to", f"{wanted!r} is not an agent of this team: use one of {names}")

    # ---------------------------------------------------------------- single values

    def _name(self, table: Mapping[str, Any], where: str, index: int) -> str:
        value = table.get("name")
        if not isinstance(value, str):
            example = "builder" if where else "web"
            raise self._wrong(where, index, "name", f'is missing or no text: write name = "{example}"')
        try:
            return checked_name(value, self._reserved)
        except AgtmuxError as error:
            raise self._wrong(where, index, "name", error.message) from None

    def _line(self, table: Mapping[str, Any], index: int, key: str) -> str | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MOST_TEXT:
            raise self._wrong(_TABLE, index, key, f"write one line of at most {MOST_TEXT} characters in quotes")
        return value

    def _several(self, table: Mapping[str, Any], index: int, key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        good = isinstance(value, list) and len(value) <= MOST_SCOPES
        if not good or not all(
            isinstance(one, str) and one.isprintable() and 0 < len(one) <= MOST_TEXT for one in value
        ):
            raise self._wrong(
                _TABLE, index, key, f'write a list of at most {MOST_SCOPES} short texts, like {key} = ["docs/**"]'
            )
        return tuple(value)

    def _scope(self, scope: str, index: int) -> str:
        parts = scope.split("/")
        if scope.startswith("/") or ".." in parts or "\\" in scope or "" in parts:
            raise self._wrong(
                _TABLE, index, "scopes",
                f"{scope!r}: write a glob below the repository's root, like src/api/** (no leading /, no .., no //)",
            )  # fmt: skip
        try:
            compile_pattern(scope)
        except AgtmuxError as error:
            raise self._wrong(_TABLE, index, "scopes", error.message) from None
        return scope

    def _deliver(self, table: Mapping[str, Any], where: str, index: int) -> Deliver | None:
        value = table.get("deliver")
        if value is None:
            return None
        if value not in _DELIVER:
            raise self._wrong(where, index, "deliver", f'{value!r} is unknown: write deliver = "pane" or "pull"')
        return "pane" if value == "pane" else "pull"

    def _known_keys(self, table: Mapping[str, Any], known: tuple[str, ...], where: str, index: int) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"use {', '.join(known)}"
                raise self._wrong(where, index, key, f"is unknown: {hint}")

    def _wrong(self, table: str, index: int, key: str, problem: str) -> AgtmuxError:
        line = line_of(self._text, table, index, key)
        full = f"{table}[{index}].{key}" if table else key
        place = f"line {line}: " if line is not None else ""
        return AgtmuxError("E_INVALID_REQUEST", f"{place}{full}: {problem}", {"line": line, "key": full})
