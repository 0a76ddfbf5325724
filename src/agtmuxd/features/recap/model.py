"""Add up how long each agent waited, worked, finished and failed, from the published changes of panes. Pure.

Feed the changes in order, then the rows as they are now. A span of one state ends when the state, the reason, the
prompt or the runtime changes. Times are in ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agtmuxd.core.json_codec import nanoseconds, stamp

WAITING: Final = ("waiting_approval", "waiting_input")
LISTED: Final = 20
"""Waits and failures that are listed for each agent: the longest waits, the newest failures. Counts include all."""
PLACE: Final = (
    "ref", "identity", "agent_type", "agent", "agent_name", "project", "branch", "window_name", "window_index",
    "pane_index",
)  # fmt: skip
"""Fields of a pane's row that say which agent it is."""

Row = Mapping[str, Any]


@dataclass(slots=True)
class Wait:
    """A time in which an agent waited for you. ``until`` None: it still waits."""

    kind: str
    subject: str | None
    text: str | None
    since: int
    until: int | None = None


@dataclass(slots=True)
class AgentRecap:
    """One runtime in the time that is told about. ``ended_at`` None: it is still there."""

    runtime_id: str
    place: dict[str, Any]
    state: str | None = None
    state_since: int = 0
    waits: list[Wait] = field(default_factory=list)
    running: int = 0
    finished: int = 0
    failures: list[tuple[int, str | None]] = field(default_factory=list)
    ended_at: int | None = None
    _prompt: object = None

    def waited(self, now: int) -> int:
        """Give for how long it waited in all, in ns."""
        return sum((now if one.until is None else one.until) - one.since for one in self.waits)


class RecapBuilder:
    """The recap of the time from ``since`` on."""

    def __init__(self, since: int, log_begins: int | None = None) -> None:
        """``log_begins``: when the oldest known change was made, if that is later than ``since``."""
        self.since = since
        self._known_from = max(since, log_begins or 0)
        self._agents: dict[str, AgentRecap] = {}
        self._in_pane: dict[str, str] = {}

    def change(self, key: str, at: int, item: Row | None, was: list[Any] | None) -> None:
        """Take in one change of a pane: its new row (None: deleted), and the attributes of the row before."""
        known = self._in_pane.get(key)
        runtime_id = None if item is None else item.get("runtime_id")
        if known is not None and known != runtime_id:
            self._end(known, at)
            del self._in_pane[key]
        if item is None or runtime_id is None:
            return
        first = runtime_id not in self._agents
        agent = self._agents.setdefault(runtime_id, AgentRecap(runtime_id, {}))
        agent.ended_at = None
        self._in_pane[key] = runtime_id
        if first and known is None and was is not None and was[2] is not None:
            self._enter(agent, {"state": was[2]}, self._known_from, began=True)
        self._enter(agent, item, at)

    def now(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Take in the rows as they are now: they tell of agents that did not change since."""
        for key, item in rows:
            runtime_id = item.get("runtime_id")
            if runtime_id is not None and runtime_id not in self._agents:
                agent = self._agents[runtime_id] = AgentRecap(runtime_id, {})
                self._in_pane[key] = runtime_id
                begun = item.get("since")
                self._enter(agent, item, self.since if begun is None else nanoseconds(begun), began=True)

    def result(self, now: int) -> list[AgentRecap]:
        """List the agents of which there is something to tell: those that waited longest come first."""
        for agent in self._agents.values():
            if agent.ended_at is None:
                _count_running(agent, now)
        notable = [a for a in self._agents.values() if a.waits or a.finished or a.failures or a.running]
        return sorted(notable, key=lambda a: (-a.waited(now), -len(a.failures), -a.finished, -a.running, a.runtime_id))

    def _enter(self, agent: AgentRecap, item: Row, at: int, *, began: bool = False) -> None:
        """Enter the state of ``item``. ``began``: it began before the time that is told about, so it counts no turn."""
        at = max(at, self.since)
        place = {name: item[name] for name in PLACE if name in item}
        agent.place |= {**place, "agent": item.get("agent")}
        state, waiting = item.get("state"), item.get("waiting_for") or {}
        prompt = waiting.get("fingerprint") if state in WAITING else None
        if state == agent.state and (agent._prompt == prompt or None in (agent._prompt, prompt)):
            self._complete(agent, waiting, prompt)
            return
        _count_running(agent, at)
        back = bool(item.get("resumed"))
        if agent.waits and agent.state in WAITING:
            agent.waits[-1].until = at
        if state in WAITING:
            last = agent.waits[-1] if agent.waits else None
            if back and last is not None:
                last.until = None  # the same prompt, which could not be seen for a while
            else:
                agent.waits.append(Wait(str(state), waiting.get("subject"), waiting.get("text"), at))
        elif state == "completed" and not (began or back):
            agent.finished += 1
        elif state == "error" and not (began or back):
            agent.failures.append((at, item.get("detail") or item.get("reason_code")))
        agent.state, agent.state_since, agent._prompt = state, at, prompt

    @staticmethod
    def _complete(agent: AgentRecap, waiting: Row, prompt: object) -> None:
        """Add what is known of the same prompt now: a hook reports it before the screen shows it."""
        agent._prompt = prompt or agent._prompt
        if agent.waits and agent.state in WAITING:
            last = agent.waits[-1]
            last.subject, last.text = last.subject or waiting.get("subject"), last.text or waiting.get("text")

    def _end(self, runtime_id: str, at: int) -> None:
        agent = self._agents[runtime_id]
        _count_running(agent, at)
        if agent.waits and agent.waits[-1].until is None:
            agent.waits[-1].until = at
        agent.ended_at, agent.state, agent._prompt = at, None, None


def _count_running(agent: AgentRecap, until: int) -> None:
    if agent.state == "running":
        agent.running += max(0, until - agent.state_since)
        agent.state_since = until


def agent_item(agent: AgentRecap, now: int) -> dict[str, Any]:
    """Convert to an item of the answer. Durations in seconds."""
    longest = sorted(agent.waits, key=lambda one: (one.until or now) - one.since, reverse=True)[:LISTED]
    return {
        "runtime_id": agent.runtime_id,
        **{name: agent.place.get(name) for name in PLACE},
        "state": agent.state,
        "ended_at": None if agent.ended_at is None else stamp(agent.ended_at),
        "waited_s": _seconds(agent.waited(now)),
        "wait_count": len(agent.waits),
        "waits": [
            {
                "state": one.kind, "subject": one.subject, "text": one.text, "since": stamp(one.since),
                "until": None if one.until is None else stamp(one.until),
                "waited_s": _seconds((one.until or now) - one.since),
            }
            for one in longest
        ],
        "finished": agent.finished,
        "failed": len(agent.failures),
        "failures": [{"at": stamp(at), "detail": detail} for at, detail in reversed(agent.failures[-LISTED:])],
        "running_s": _seconds(agent.running),
    }  # fmt: skip


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 1)
