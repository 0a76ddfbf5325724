"""Screens, status files and hooks of every recording through adapters and state engine: what would have been shown."""

from __future__ import annotations

from functools import cache

import pytest

from agtmuxd.adapters.discovery import discover
from tests.corpus import offline, recording, together

AGENTS = ("claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cline")
REGISTRY = discover(points=())
pytestmark = pytest.mark.xdist_group("together")  # one worker: what is scored once is kept by ``scored``


@cache
def scored(agent: str, hooks: bool, status: bool) -> offline.Score:
    total = offline.Score()
    for name in recording.names(agent):
        one = recording.load(name)
        shown = together.states(one, REGISTRY.adapters[agent], hooks=hooks, status=status)
        total.add(together.score(one, shown))
    return total


SOURCES = [(True, True), (True, False), (False, True), (False, False)]


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize(("hooks", "status"), SOURCES)
@pytest.mark.parametrize("agent", AGENTS)
def test_no_waiting_state_is_missed_whatever_sources_there_are(agent: str, hooks: bool, status: bool) -> None:
    score = scored(agent, hooks, status)
    assert score.waits > 5
    assert score.missed == []


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("agent", AGENTS)
def test_all_sources_together_are_right_nearly_all_of_the_time(agent: str) -> None:
    """What is left is the lag of a 200 ms recording, and of the settling at each change."""
    score = scored(agent, True, True)
    print("\n" + offline.table({agent: score}))
    assert score.wrong <= score.total * 0.01, "\n".join(score.wrongs)
    assert score.right >= score.total * 0.98, offline.table({agent: score})


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_without_our_hooks_is_read_nearly_as_well(agent: str) -> None:
    score = scored(agent, False, True)
    print("\n" + offline.table({agent: score}))
    assert score.wrong <= score.total * 0.015, "\n".join(score.wrongs)
    assert score.right >= score.total * 0.97, offline.table({agent: score})


HARD = {
    "claude/v7-unanswered": "Escape before the first word of an answer, with the end of the turn before still in sight",
    "claude/v3-limits": "a limit that was hit ends the turn, and a dialog about it comes up by itself",
    "claude/v6-moved": "a command outlasts its time and goes on in the background, and its end begins a turn",
    "claude/v1-suspend": "suspended in the middle of a turn, at the prompt and with a box up",
    "codex/v1-suspend": "the same; the title stays as it was",
    "codex/v2-resized": "an approval in a pane of five rows",
    "codex/v3-limits-40x10": "refused faster than a spinner shows, in a tiny pane",
    "gemini/v4-40x10-queued": "cancelled and failed turns, of which ten rows show nothing",
    "gemini/r4-errors": "the menu of commands over what is left of a failure",
    "gemini/v9-cleared": "a failure that is cleared away",
    "gemini/v3-limits-40x10": "a limit's list of choices without its head",
    "claude/w4-many-asking": "two sub-agents that both ask, and what ends in the background meanwhile begins a turn",
    "claude/w5-no-colour-vim": "no colours, no motion, vim's keys",
    "claude/w6-90x25-network": "an overloaded server, and a session that is cleared",
    "codex/w2-80x12-operator": "another chat is begun in the pane of one that ended",
    "codex/w3-main-screen-resumed": "resumed on the main screen, below an answer that quotes a box",
    "codex/w5-no-colour-still": "no colours, no animations, no title, another status row",
    "claude/x1-65x20-sessions": "a status line of the user's that has Claude's own words",
    "claude/x2-85x22-gone": "a prompt that was taken back below an older failure",
    "codex/x2-45x14-name": "a title that tells the project's name only",
    "gemini/x2-70x24-reader": "the layout for screen readers",
}


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("hooks", [True, False])
@pytest.mark.parametrize("name", HARD)
def test_what_was_once_read_wrong_is_right_next_to_always(name: str, hooks: bool) -> None:
    one = recording.load(name)
    score = together.score(one, together.states(one, REGISTRY.adapters[one.agent], hooks=hooks))
    assert score.missed == []
    assert score.wrong <= score.total * 0.02, score.wrongs


def over_all(*, hooks: bool) -> offline.Score:
    total = offline.Score()
    for agent in AGENTS:
        total.add(scored(agent, hooks, True))
    return total


FLOORS = {
    "running": 0.98, "waiting_approval": 0.98, "waiting_input": 0.98, "error": 0.98, "completed": 0.95, "idle": 0.95,
}  # fmt: skip


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize(("state", "floor"), FLOORS.items())
def test_with_hooks_each_state_is_shown_when_it_is_and_only_then(state: str, floor: float) -> None:
    score = over_all(hooks=True)
    assert score.precision(state) >= floor
    assert score.recall(state) >= floor


@pytest.mark.tc("TC-101")
def test_over_all_agents_next_to_nothing_is_wrong_with_hooks_and_without() -> None:
    with_, without = over_all(hooks=True), over_all(hooks=False)
    assert (with_.missed, without.missed) == ([], [])
    assert with_.wrong <= with_.total * 0.005
    assert without.wrong <= without.total * 0.01
    assert min(without.recall("waiting_approval"), without.recall("waiting_input")) >= 0.97


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("hooks", [True, False])
@pytest.mark.parametrize("agent", ["claude", "codex", "copilot"])
def test_a_transcript_puts_right_what_the_other_sources_tell_late(agent: str, hooks: bool) -> None:
    without = offline.Score()
    for name in recording.names(agent):
        one = recording.load(name)
        without.add(together.score(one, together.states(one, REGISTRY.adapters[agent], hooks=hooks, transcript=False)))
    score = scored(agent, hooks, True)
    assert score.wrong < without.wrong, "\n".join(score.wrongs)
    assert score.right > without.right
    assert score.wrong <= score.total * 0.003, "\n".join(score.wrongs)
