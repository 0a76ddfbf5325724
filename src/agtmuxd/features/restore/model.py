"""Decide what becomes of each agent that was lost with its tmux server. Pure. Times are in ns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from agtmuxd.core.json_codec import stamp, stamp_or_none

SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "fish", "ksh", "mksh", "tcsh", "csh", "nu", "xonsh", "elvish"})
"""A pane that runs one of these, and no agent, may be the place that another tool has made again."""

Row = Mapping[str, Any]


class Place(NamedTuple):
    """Where a pane is: tmux's names and indexes, which can be the same in the next server."""

    session_name: str
    window_index: int
    window_name: str
    pane_index: int

    @classmethod
    def of(cls, item: Row) -> Place:
        """Read it from a published row."""
        session, window = item["identity"]["session_name"], item.get("window_index") or 0
        return cls(session, window, item.get("window_name") or "", item.get("pane_index") or 0)


@dataclass(frozen=True, slots=True)
class LostAgent:
    """An agent that ended with its tmux server. ``claimed_at``: somebody has started to restore it."""

    runtime_id: str
    target_id: str
    target: str
    pane_id: str
    agent_type: str
    session_id: str | None
    cwd: str | None
    transcript_path: str | None
    ended_at: int
    place: Place
    claimed_at: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do for one lost agent.

    ``action``: ``new`` (a window or pane of its own), ``pane`` (in the pane ``pane_id``, whose shell is idle) or
    ``skip`` (``reason`` says why). ``argv`` continues its session.
    """

    lost: LostAgent
    action: str
    argv: tuple[str, ...] = ()
    pane_id: str | None = None
    reason: str | None = None


def last_of_each_pane(agents: Iterable[LostAgent]) -> list[LostAgent]:
    """Keep one agent for each pane: the last. ``agents`` stand in the order in which they began.

    A program that ends in steps can look like one more agent for a moment. So an agent without a session does not
    replace one of the same type that has a session.
    """
    kept: dict[tuple[str, str], LostAgent] = {}
    for one in agents:
        pane = one.target_id, one.pane_id
        before = kept.get(pane)
        if before is None or one.session_id is not None or one.agent_type != before.agent_type:
            kept[pane] = one
    return list(kept.values())


def plan(
    lost: Iterable[LostAgent],
    rows: Sequence[Row],
    resume: Callable[[str, str], tuple[str, ...] | None],
    missing: Callable[[LostAgent], bool],
) -> list[Step]:
    """Plan the steps in the order of the places. ``rows``: the published panes.

    ``resume(agent_type, session_id)`` gives the command line. ``missing(lost)``: its session file is gone.
    """
    running = {(row["agent_type"], row["agent_session_id"]): row["ref"] for row in rows if row.get("agent_session_id")}
    free: dict[tuple[str, str, int, int], str] = {}
    for row in rows:
        if row.get("runtime_id") is None and row.get("command") in SHELLS:
            identity, place = row["identity"], Place.of(row)
            free[_spot(identity["target"], place)] = identity["pane_id"]
    steps: list[Step] = []
    taken: set[tuple[str, str]] = set()
    for one in sorted(lost, key=lambda one: -one.ended_at):
        why, argv = _obstacle(one, running, taken, resume, missing)
        if why is not None:
            steps.append(Step(one, "skip", reason=why))
            continue
        taken.add((one.agent_type, one.session_id or ""))
        pane_id = free.pop(_spot(one.target, one.place), None)
        steps.append(Step(one, "new" if pane_id is None else "pane", argv, pane_id))
    return sorted(steps, key=lambda step: (step.lost.target, step.lost.place))


def _spot(target: str, place: Place) -> tuple[str, str, int, int]:
    return target, place.session_name, place.window_index, place.pane_index


def _obstacle(
    one: LostAgent,
    running: Mapping[tuple[str, str], str],
    taken: set[tuple[str, str]],
    resume: Callable[[str, str], tuple[str, ...] | None],
    missing: Callable[[LostAgent], bool],
) -> tuple[str | None, tuple[str, ...]]:
    """Return why an agent cannot be restored, or None and its command line."""
    if one.session_id is None:
        return "its session is unknown: no hook and no session file named it; see agtmux hooks status", ()
    key = (one.agent_type, one.session_id)
    if key in running:
        return f"its session already runs in {running[key]}", ()
    if key in taken:
        return "another agent of this plan has the same session", ()
    if one.claimed_at is not None:
        return f"it was restored at {stamp(one.claimed_at)}: add --again to start it once more", ()
    argv = resume(one.agent_type, one.session_id)
    if argv is None:
        return f"agtmux does not know how to continue a session of {one.agent_type}", ()
    if missing(one):
        return "its session file is gone", ()
    return None, argv


def item(step: Step) -> dict[str, Any]:
    """Convert to an item of the answer."""
    lost = step.lost
    return {
        "runtime_id": lost.runtime_id,
        "agent_type": lost.agent_type,
        "agent_session_id": lost.session_id,
        "target": lost.target,
        "session_name": lost.place.session_name,
        "window_index": lost.place.window_index,
        "window_name": lost.place.window_name,
        "pane_index": lost.place.pane_index,
        "cwd": lost.cwd,
        "lost_at": stamp(lost.ended_at),
        "claimed_at": stamp_or_none(lost.claimed_at),
        "action": step.action,
        "argv": list(step.argv),
        "pane_id": step.pane_id,
        "reason": step.reason,
    }
