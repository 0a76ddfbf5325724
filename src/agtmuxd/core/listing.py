"""Filter, sort and count published rows.

Owns the meaning of filters, sort orders and summaries for the three scopes (panes, windows, sessions). Does not know
where rows come from, nor HTTP. A row is the JSON object of the API ("item"). Its times are RFC 3339 text, which sorts
in time order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from agtmuxd.core import ref
from agtmuxd.core.model import PRECEDENCE

Item = dict[str, Any]


class Scope(StrEnum):
    """What a row stands for."""

    PANES = "panes"
    WINDOWS = "windows"
    SESSIONS = "sessions"


ATTENTION: Final = ("needs_action", "review", "none")
"""Most pressing first."""

RANK: Final[dict[str | None, int]] = {str(state): n for n, state in enumerate(PRECEDENCE)}
LAST_RANK: Final = len(RANK)  # rows without an agent have no state and come last


class Attrs(NamedTuple):
    """The attributes that filters and summaries read.

    ``agents`` is sorted. A row without an agent has no ``agents`` and ``state`` None.
    """

    target: str
    session: str
    state: str | None
    agents: tuple[str, ...]
    attention: str

    @classmethod
    def of(cls, item: Item) -> Attrs:
        """Return the attributes of a pane, window or session row."""
        identity = item["identity"]
        agents = item.get("agents")
        if agents is None:
            one = item.get("agent_type")
            agents = () if one is None else (one,)
        state = item["state"]
        return cls(
            identity["target"],
            identity["session_name"],
            None if state is None else str(state),
            tuple(sorted(agents)),
            item.get("attention") or "none",
        )

    @classmethod
    def from_json(cls, value: list[Any]) -> Attrs:
        """Return the attributes stored as a JSON array in the order of the fields."""
        target, session, state, agents, attention = value
        return cls(target, session, state, tuple(agents), attention)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows a caller asks for. Values of one field are alternatives; each further field narrows the result.

    For windows and sessions, ``agents`` selects rows that hold one of these agents. ``state`` and ``needs_action`` look
    at the row's own state and attention. ``everything`` (the parameter ``all``) includes rows without an agent.
    """

    targets: tuple[str, ...] = ()
    target_sessions: tuple[tuple[str, str], ...] = ()
    sessions: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    needs_action: bool = False
    everything: bool = False

    def matches(self, row: Attrs) -> bool:
        """Return whether a row with these attributes is selected."""
        if not row.agents and not self.everything:
            return False
        if self.targets and row.target not in self.targets:
            return False
        if self.target_sessions and (row.target, row.session) not in self.target_sessions:
            return False
        if self.sessions and row.session not in self.sessions:
            return False
        if self.states and row.state not in self.states:
            return False
        if self.agents and not any(agent in self.agents for agent in row.agents):
            return False
        return not self.needs_action or row.attention == "needs_action"

    def named_targets(self) -> tuple[str, ...]:
        """Return the targets that the filter names, each once. Empty: it names none, so all targets are asked."""
        named = dict.fromkeys(self.targets)
        for target, _ in self.target_sessions:
            if not self.targets:
                named[target] = None
        return tuple(named)

    def echo(self) -> dict[str, Any]:
        """Return the filters as given, for the reply."""
        out: dict[str, Any] = {}
        if self.targets:
            out["target"] = list(self.targets)
        if self.target_sessions:
            out["target_session"] = [ref.format_session(*pair) for pair in self.target_sessions]
        if self.sessions:
            out["session"] = list(self.sessions)
        if self.states:
            out["state"] = list(self.states)
        if self.agents:
            out["agent"] = list(self.agents)
        if self.needs_action:
            out["needs_action"] = True
        if self.everything:
            out["all"] = True
        return out


@dataclass(slots=True)
class Tally:
    """A summary to which rows can be added and from which they can be removed.

    In rollups ``by_agent`` counts the rows that hold the agent.
    """

    total: int = 0
    states: dict[str, int] = field(default_factory=dict)
    agents: dict[str, int] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)
    attention: dict[str, int] = field(default_factory=dict)

    def add(self, row: Attrs, n: int = 1) -> None:
        """Count ``row`` ``n`` times. -1 removes it."""
        self.total += n
        if row.state is not None:
            self.states[row.state] = self.states.get(row.state, 0) + n
        for agent in row.agents:
            self.agents[agent] = self.agents.get(agent, 0) + n
        self.targets[row.target] = self.targets.get(row.target, 0) + n
        self.attention[row.attention] = self.attention.get(row.attention, 0) + n

    def copy(self) -> Tally:
        """Return an independent copy."""
        return Tally(self.total, dict(self.states), dict(self.agents), dict(self.targets), dict(self.attention))

    def summary(self) -> dict[str, Any]:
        """Return the reply's ``summary``. It has every state and attention; agents and targets only if they occur."""
        return {
            "total": self.total,
            "by_state": {str(state): self.states.get(state, 0) for state in PRECEDENCE},
            "by_agent": {name: n for name, n in sorted(self.agents.items()) if n},
            "by_target": {name: n for name, n in sorted(self.targets.items()) if n},
            "by_attention": {name: self.attention.get(name, 0) for name in ATTENTION},
        }


def tally(rows: Iterable[Attrs]) -> Tally:
    """Return the tally of ``rows``."""
    out = Tally()
    for row in rows:
        out.add(row)
    return out


def _number(tmux_id: Any) -> int:
    text = str(tmux_id or "")[1:]
    return int(text) if text.isdigit() and text.isascii() else -1


def place(item: Item) -> tuple[Any, ...]:
    """Return the sort key for where a row is: names, then window and pane in tmux's order. Unique within a scope."""
    identity = item["identity"]
    return (
        identity["session_name"],
        item.get("window_index") or 0,
        _number(identity.get("window_id")),
        item.get("pane_index") or 0,
        _number(identity.get("pane_id")),
        identity.get("target", ""),
    )


def _by_target(item: Item) -> tuple[Any, ...]:
    return (item["identity"].get("target", ""), *place(item))


def _by_state(item: Item) -> int:
    return RANK.get(item["state"], LAST_RANK)


def _by_attention(item: Item) -> tuple[Any, ...]:
    return (item.get("attention") != "needs_action", _by_state(item), item.get("since") or "~")


_KEYS: Final[dict[str, Callable[[Item], Any]]] = {
    "attention": _by_attention,
    "state": _by_state,
    "since": lambda item: item.get("since"),
    "updated": lambda item: item.get("updated_at"),
    "name": place,
    "target": _by_target,
}
SORTS: Final = (*_KEYS, *(f"-{name}" for name in _KEYS))


def ordered(items: Iterable[Item], sort: str = "attention") -> list[Item]:
    """Return ``items`` in one of ``SORTS``.

    Ties are in order of target and place, never reversed. Rows without a time come last.
    """
    rows = sorted(items, key=_by_target)
    name = sort.removeprefix("-")
    key = _KEYS[name]
    backwards = sort.startswith("-")
    if name not in {"since", "updated"}:
        rows.sort(key=key, reverse=backwards)
        return rows
    known = [row for row in rows if key(row) is not None]
    known.sort(key=key, reverse=backwards)
    return known + [row for row in rows if key(row) is None]
