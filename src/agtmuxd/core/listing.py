"""What can be asked of published rows: filter, sort, count.

Owns the meaning of filters, sort orders and summaries for the three scopes (panes, windows, sessions). Knows neither
where rows come from nor HTTP. A row is the JSON object of the API ("item"); times in it are RFC 3339 text, which sorts
as time does.
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
    PANES = "panes"
    WINDOWS = "windows"
    SESSIONS = "sessions"


ATTENTION: Final = ("needs_action", "review", "none")
"""Most pressing first."""

RANK: Final[dict[str | None, int]] = {str(state): n for n, state in enumerate(PRECEDENCE)}
LAST_RANK: Final = len(RANK)  # rows that hold no agent have no state and come last


class Attrs(NamedTuple):
    """What filters and summaries look at. ``agents`` sorted; a row without any agent has none and ``state`` None."""

    target: str
    session: str
    state: str | None
    agents: tuple[str, ...]
    attention: str

    @classmethod
    def of(cls, item: Item) -> Attrs:
        """The attributes of a pane, window or session row."""
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
        target, session, state, agents, attention = value
        return cls(target, session, state, tuple(agents), attention)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are asked for. Values of one field are alternatives, fields narrow each other.

    In windows and sessions ``agents`` asks for rows that hold one of them; ``state`` and ``needs_action`` ask for the
    row's own. ``everything`` (the parameter ``all``) lists rows without an agent too.
    """

    targets: tuple[str, ...] = ()
    target_sessions: tuple[tuple[str, str], ...] = ()
    sessions: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    needs_action: bool = False
    everything: bool = False

    def matches(self, row: Attrs) -> bool:
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
        """Targets that the filter names, each once; empty if it names none (all are asked)."""
        named = dict.fromkeys(self.targets)
        for target, _ in self.target_sessions:
            if not self.targets:
                named[target] = None
        return tuple(named)

    def echo(self) -> dict[str, Any]:
        """The filters as given, for the reply."""
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
    """A summary that rows can be added to and taken from. In rollups ``by_agent`` counts rows that hold the agent."""

    total: int = 0
    states: dict[str, int] = field(default_factory=dict)
    agents: dict[str, int] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)
    attention: dict[str, int] = field(default_factory=dict)

    def add(self, row: Attrs, n: int = 1) -> None:
        """Count ``row`` ``n`` times (-1 takes it out again)."""
        self.total += n
        if row.state is not None:
            self.states[row.state] = self.states.get(row.state, 0) + n
        for agent in row.agents:
            self.agents[agent] = self.agents.get(agent, 0) + n
        self.targets[row.target] = self.targets.get(row.target, 0) + n
        self.attention[row.attention] = self.attention.get(row.attention, 0) + n

    def copy(self) -> Tally:
        return Tally(self.total, dict(self.states), dict(self.agents), dict(self.targets), dict(self.attention))

    def summary(self) -> dict[str, Any]:
        """The reply's ``summary``: every state and attention is there, agents and targets only where they occur."""
        return {
            "total": self.total,
            "by_state": {str(state): self.states.get(state, 0) for state in PRECEDENCE},
            "by_agent": {name: n for name, n in sorted(self.agents.items()) if n},
            "by_target": {name: n for name, n in sorted(self.targets.items()) if n},
            "by_attention": {name: self.attention.get(name, 0) for name in ATTENTION},
        }


def tally(rows: Iterable[Attrs]) -> Tally:
    out = Tally()
    for row in rows:
        out.add(row)
    return out


def _number(tmux_id: Any) -> int:
    text = str(tmux_id or "")[1:]
    return int(text) if text.isdigit() and text.isascii() else -1


def place(item: Item) -> tuple[Any, ...]:
    """Sort key: where the row is. Names, then window and pane as tmux orders them; unique within a scope."""
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
    """``items`` in one of ``SORTS``. Ties go by target and place, never reversed; rows without a time come last."""
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
