"""The walk-throughs of the evidence model, as tables: when, what happened, which state a person would name then.

A table is played through the adapter's own reading of hooks, through settling, registers and resolve, with an observer
that looks as the real one does: four times a second, at once after an event, and again when it was asked to. Each row's
state has to stand just before the next row (``...`` where a moment is too short to judge), and between the rows no
other state may ever have been shown. What needs a pipeline and its database is in
tests/integration/ingest/test_pipeline_walkthroughs.py.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import EllipsisType
from typing import Any

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import MS, NS, Claim, RawEvent, Source, Strength, WaitingFor, Write
from agtmuxd.core.state.debounce import DebounceState, sample
from agtmuxd.core.state.resolve import RuntimeFacts, recheck_at, resolve
from agtmuxd.ingest.apply_event import apply_event, apply_level
from agtmuxd.ingest.state_rows import acknowledge, update_state
from agtmuxd.repository import Repository, Runtime, StateRow, UnitOfWork

T0 = 1_000_000 * NS
KEY = ("t", "%1")
ROUND = 250
TOOK = 20
"""Milliseconds between rounds, and from an event to the look that it asks for."""

ADAPTERS = discover([])


@dataclass(frozen=True)
class Hook:
    name: str
    payload: Mapping[str, Any]
    source: Source = Source.HOOK
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Shows:
    source: Source
    write: Write | None


@dataclass(frozen=True)
class Away:
    """The target cannot be reached, or can again."""

    down: bool


@dataclass(frozen=True)
class Acknowledged:
    """Somebody looked."""


Happening = Hook | Shows | Away | Acknowledged | None
Row = tuple[int, Happening, str | EllipsisType]


def hook(name: str, **payload: Any) -> Hook:
    return Hook(name, payload)


def screen(write: Write | None) -> Shows:
    return Shows(Source.POLLER, write)


def status(write: Write | None) -> Shows:
    return Shows(Source.STATUS, write)


def box(fingerprint: str = "f1", claim: Claim = Claim.WAITING_APPROVAL) -> Write:
    return Write(
        claim, "box", accepts_input=False,
        waiting_for=WaitingFor("approval", None, "Do you want to proceed?", ("Yes", "No"), fingerprint),
    )  # fmt: skip


SPINNER = Write(Claim.RUNNING, "spinner", accepts_input=False)
COMPOSER = Write(Claim.NOT_RUNNING, "composer", accepts_input=True)
QUOTA = Write(Claim.ERROR, "limit reached", accepts_input=True)
BUSY = Write(Claim.RUNNING, "status busy")
FREE = Write(Claim.NOT_RUNNING, "status idle", background_tasks=0)
SHELL = Write(Claim.NOT_RUNNING, "status shell", background_tasks=1)
PROMPT = hook("UserPromptSubmit", prompt="do it")
TOOL = hook("PreToolUse", tool_name="Bash", tool_input={"command": "make"})
ASKS = hook("PermissionRequest", tool_name="Bash", tool_input={"command": "make"})
RAN = hook("PostToolUse", tool_name="Bash")
STOP = hook("Stop", background_tasks=[])

IDLE_THEN_WORKING: list[Row] = [
    (0, screen(COMPOSER), "idle"),
    (5000, PROMPT, "running"),
    (5060, screen(SPINNER), "running"),
]


def minutes(n: float) -> int:
    return int(n * 60_000)


WALKS: dict[str, list[Row]] = {
    "a plain turn, looked at by nobody": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9080, screen(COMPOSER), "completed"),
        (9000 + minutes(2), None, "idle"),
    ],
    "a plain turn without a screen that is understood": [
        (0, None, "unknown"),
        (5000, PROMPT, "running"),
        (9000, STOP, "completed"),
        (9000 + minutes(2), None, "idle"),
    ],
    "approval denied: no hook tells, the screen does": [
        *IDLE_THEN_WORKING,
        (8000, TOOL, "running"),
        (8050, ASKS, "waiting_approval"),
        (8070, screen(box()), "waiting_approval"),
        (15000, screen(COMPOSER), ...),
        (16000, None, "idle"),
    ],
    "approval given, then a long command: silent for ten minutes": [
        *IDLE_THEN_WORKING,
        (8000, TOOL, "running"),
        (8050, ASKS, "waiting_approval"),
        (8070, screen(box()), "waiting_approval"),
        (15000, screen(SPINNER), ...),
        (15300, None, "running"),
        (15000 + minutes(10), RAN, "running"),
        (16000 + minutes(10), STOP, ...),
        (16100 + minutes(10), screen(COMPOSER), "completed"),
    ],
    "approval given within a second": [
        *IDLE_THEN_WORKING,
        (8000, TOOL, "running"),
        (8050, ASKS, "waiting_approval"),
        (8070, screen(box()), "waiting_approval"),
        (8700, screen(SPINNER), ...),
        (9100, RAN, "running"),
        (9500, STOP, ...),
        (9600, screen(COMPOSER), "completed"),
    ],
    "a busy machine draws the box late": [
        *IDLE_THEN_WORKING,
        (8000, TOOL, "running"),
        (8050, ASKS, "waiting_approval"),
        (8850, screen(box()), "waiting_approval"),
        (15000, screen(SPINNER), ...),
        (15300, None, "running"),
    ],
    "a busy machine takes the box away late": [
        *IDLE_THEN_WORKING,
        (8050, ASKS, "waiting_approval"),
        (8150, screen(box()), "waiting_approval"),
        (15000, STOP, "completed"),
        (15800, screen(COMPOSER), "completed"),
    ],
    "an approval that was never put to anybody": [
        *IDLE_THEN_WORKING,
        (8000, TOOL, "running"),
        (8050, ASKS, "waiting_approval"),
        (9300, None, ...),
        (9700, None, "running"),
    ],
    "approval by the status file alone": [
        (0, status(FREE), "idle"),
        (5000, PROMPT, "running"),
        (5070, status(BUSY), "running"),
        (8050, ASKS, "waiting_approval"),
        (8100, status(Write(Claim.WAITING_APPROVAL, "status waiting")), "waiting_approval"),
        (15000, status(BUSY), ...),
        (15600, None, "running"),
    ],
    "the status file lags behind a question for approval": [
        (0, status(FREE), "idle"),
        (5000, PROMPT, "running"),
        (5070, status(BUSY), "running"),
        (8050, ASKS, "waiting_approval"),
        (8507, status(Write(Claim.WAITING_APPROVAL, "status waiting")), "waiting_approval"),
    ],
    "two approvals, one after the other": [
        *IDLE_THEN_WORKING,
        (8050, ASKS, "waiting_approval"),
        (8070, screen(box("f1")), "waiting_approval"),
        (12000, screen(SPINNER), ...),
        (12300, RAN, "running"),
        (13000, ASKS, "waiting_approval"),
        (13050, screen(box("f2")), "waiting_approval"),
    ],
    "a sub-agent asks, and the main turn stops 110 ms later": [
        *IDLE_THEN_WORKING,
        (8000, hook("PermissionRequest", agent_id="sub-1", tool_name="Bash"), "waiting_approval"),
        (8040, screen(box()), "waiting_approval"),
        (8110, STOP, "waiting_approval"),
        (12000, screen(COMPOSER), ...),
        (12010, hook("PostToolUse", agent_id="sub-1", tool_name="Bash"), ...),
        (13000, None, "completed"),
    ],
    "a sub-agent's approval is not ended by another's event": [
        *IDLE_THEN_WORKING,
        (8000, hook("PermissionRequest", agent_id="sub-1", tool_name="Bash"), "waiting_approval"),
        (8040, screen(box()), "waiting_approval"),
        (8500, hook("PostToolUse", agent_id="sub-2", tool_name="Bash"), "waiting_approval"),
        (9000, RAN, "waiting_approval"),
    ],
    "a turn that ended while its sub-agents work on": [
        *IDLE_THEN_WORKING,
        (8000, hook("Stop", background_tasks=[{"id": "1", "type": "subagent", "status": "running"}]), "running"),
        (8100, status(BUSY), "running"),
        (60000, PROMPT, "running"),
        (65000, STOP, ...),
        (65060, screen(COMPOSER), ...),
        (65070, status(FREE), "completed"),
    ],
    "background tasks: a dev server is left running": [
        *IDLE_THEN_WORKING,
        (8000, hook("Stop", background_tasks=[{"id": "1", "type": "shell", "status": "running"}]), ...),
        (8060, screen(COMPOSER), ...),
        (8080, status(SHELL), "completed"),
        (8000 + minutes(2), None, "idle"),
        (8000 + minutes(30), None, "idle"),
    ],
    "a queued prompt: its turn begins without an event": [
        *IDLE_THEN_WORKING,
        (7000, PROMPT, "running"),
        (9000, STOP, "running"),  # the spinner goes on 80 ms later
        (14000, STOP, ...),
        (14080, screen(COMPOSER), "completed"),
    ],
    "a queued prompt whose spinner is gone for 60 ms": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9005, screen(COMPOSER), ...),
        (9065, screen(SPINNER), "running"),
        (14000, STOP, ...),
        (14080, screen(COMPOSER), "completed"),
    ],
    "a busy blip of the status file well after a stop": [
        *IDLE_THEN_WORKING,
        (5070, status(BUSY), "running"),
        (9000, STOP, ...),
        (9080, screen(COMPOSER), ...),
        (9090, status(FREE), "completed"),
        (11000, status(BUSY), "running"),
        (11300, status(FREE), ...),
        (11600, None, "completed"),
        (9000 + minutes(2), None, "idle"),
    ],
    "a busy blip of the screen well after a stop": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9080, screen(COMPOSER), "completed"),
        (11000, screen(SPINNER), "running"),
        (11300, screen(COMPOSER), ...),
        (11600, None, "completed"),
        (9000 + minutes(2), None, "idle"),
    ],
    "a queued prompt that is interrupted": [
        *IDLE_THEN_WORKING,
        (9000, STOP, "running"),
        (14000, screen(COMPOSER), ...),
        (15000, None, "idle"),
    ],
    "a short turn that only the screen tells of, long after an end, interrupted": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9080, screen(COMPOSER), "completed"),
        (40000, screen(SPINNER), "running"),
        (42000, screen(COMPOSER), ...),
        (43000, None, "idle"),
    ],
    "a screen that only hints at quiet in the middle of a turn": [
        *IDLE_THEN_WORKING,
        (8000, screen(replace(COMPOSER, strength=Strength.HINT)), "running"),
        (20000, STOP, "completed"),
    ],
    "the screen lags behind a stop": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9216, screen(COMPOSER), "completed"),
    ],
    "screen and status both lag behind a stop": [
        *IDLE_THEN_WORKING,
        (5100, status(BUSY), "running"),
        (9000, STOP, ...),
        (9216, screen(COMPOSER), ...),
        (9457, status(FREE), "completed"),
    ],
    "the status file is ahead of the stop": [
        *IDLE_THEN_WORKING,
        (5100, status(BUSY), "running"),
        (8950, status(FREE), ...),
        (9000, STOP, ...),
        (9080, screen(COMPOSER), "completed"),
    ],
    "a stale screen against a new prompt": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9080, screen(COMPOSER), "completed"),
        (20000, PROMPT, "running"),  # the composer is still empty for 200 ms
        (20200, screen(SPINNER), "running"),
    ],
    "a new prompt a moment after the end": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9080, screen(COMPOSER), "completed"),
        (10000, PROMPT, "running"),
        (10080, screen(SPINNER), "running"),
        (11000, STOP, ...),
        (11080, screen(COMPOSER), "completed"),
    ],
    "an old dialog on the screen while the next turn starts": [
        *IDLE_THEN_WORKING,
        (8050, ASKS, "waiting_approval"),
        (8070, screen(box()), "waiting_approval"),
        (12000, PROMPT, "running"),
        (12200, screen(SPINNER), "running"),
    ],
    "interrupted by Escape, without any hook": [
        *IDLE_THEN_WORKING,
        (8000, TOOL, "running"),
        (15000, screen(COMPOSER), ...),
        (16000, None, "idle"),
        (minutes(20), None, "idle"),
    ],
    "interrupted, and only the status file tells": [
        (0, status(FREE), "idle"),
        (5000, PROMPT, "running"),
        (5070, status(BUSY), "running"),
        (15000, status(FREE), ...),
        (16500, None, "idle"),
    ],
    "no hooks at all: the screen alone": [
        (0, screen(COMPOSER), "idle"),
        (5000, screen(SPINNER), "running"),
        (8000, screen(box()), "waiting_approval"),
        (12000, screen(SPINNER), "running"),
        (15000, screen(COMPOSER), ...),
        (16000, None, "idle"),
    ],
    "quota: the composer is back, the message needs a person": [
        *IDLE_THEN_WORKING,
        (9000, hook("StopFailure", error="rate_limit"), "error"),
        (9100, screen(COMPOSER), "error"),
        (minutes(30), None, "error"),
        (minutes(31), PROMPT, "running"),
        (minutes(31) + 50, screen(SPINNER), "running"),
    ],
    "quota, seen on the screen alone": [
        (0, screen(COMPOSER), "idle"),
        (5000, screen(SPINNER), "running"),
        (9000, screen(QUOTA), ...),
        (9600, None, "error"),
        (minutes(5), screen(SPINNER), "running"),
        (minutes(6), screen(COMPOSER), ...),
        (minutes(6) + 600, None, "idle"),
    ],
    "a failed turn, then /clear": [
        *IDLE_THEN_WORKING,
        (9000, hook("StopFailure", error="server_error"), "error"),
        (9100, screen(COMPOSER), "error"),
        (20000, hook("SessionStart", source="clear"), "idle"),
    ],
    "a question is asked": [
        *IDLE_THEN_WORKING,
        (8000, hook("PermissionRequest", tool_name="AskUserQuestion", tool_input={}), "waiting_input"),
        (8050, screen(box(claim=Claim.WAITING_INPUT)), "waiting_input"),
        (20000, screen(SPINNER), ...),
        (20100, hook("PostToolUse", tool_name="AskUserQuestion"), "running"),
    ],
    "demotion is told by the clock, not by rounds": [
        *IDLE_THEN_WORKING,
        (9000, STOP, ...),
        (9080, screen(COMPOSER), "completed"),
        (9000 + minutes(2) - 1, None, "completed"),
        (9000 + minutes(2), None, "idle"),
    ],
    "a screen that no rule knows in the middle of a turn": [
        *IDLE_THEN_WORKING,
        (8000, screen(None), "running"),
        (30000, screen(SPINNER), "running"),
    ],
    "a screen that no rule knows, and nobody else speaks": [
        (0, screen(COMPOSER), "idle"),
        (5000, screen(None), ...),
        (6000, None, "unknown"),
    ],
    "the target is away while it waits, and back": [
        *IDLE_THEN_WORKING,
        (8050, ASKS, "waiting_approval"),
        (8070, screen(box()), "waiting_approval"),
        (20000, Away(True), "unknown"),
        (60000, Away(False), "waiting_approval"),
    ],
}


class Play:
    """Plays one table over real registers, with time in its own hand."""

    def __init__(self) -> None:
        runtime = Runtime(
            "r1", "t", "%1", "b", 1, "claude", None, None, None, 1, "1", T0 - 3600 * NS, False, None, None,
            T0 - 3600 * NS,
        )  # fmt: skip
        self.repository = Repository(
            runtimes={"r1": runtime}, active={KEY: "r1"}, registers={"r1": {}}, marks={"r1": {}}
        )
        self.levels: dict[Source, Write | None] = {}
        self.steady: dict[Source, DebounceState] = {}
        self.read_at = 0
        self.down = False
        self.wakes: list[int] = []
        self.looks: list[int] = [0]
        self.seen: list[tuple[int, StateRow]] = []
        self.number = 0

    def run(self, rows: Sequence[Row], until: int) -> None:
        rounds = list(range(ROUND, until, ROUND)) if until < minutes(3) else [*range(ROUND, until, 2000)]
        for look in rounds:
            heapq.heappush(self.looks, look)
        pending = [(at, what) for at, what, _ in rows]
        while True:
            at = min([p[0] for p in pending[:1]] + self.looks[:1] + self.wakes[:1], default=until)
            if at >= until:
                return
            self.now = T0 + at * MS
            if pending and pending[0][0] == at:
                self._happens(pending.pop(0)[1])
                heapq.heappush(self.looks, at + TOOK)
            elif self.looks and self.looks[0] == at:
                while self.looks and self.looks[0] == at:
                    heapq.heappop(self.looks)
                self._look()
            else:
                while self.wakes and self.wakes[0] == at:
                    heapq.heappop(self.wakes)
            self._judge()

    def _happens(self, what: Happening) -> None:
        if isinstance(what, Shows):
            self.levels[what.source] = what.write
        elif isinstance(what, Away):
            self.down = what.down
            self._look()
        elif isinstance(what, Acknowledged):
            unit = UnitOfWork(self.repository)
            acknowledge(unit, KEY, "r1", self.now)
            unit.commit()
        elif isinstance(what, Hook):
            self.number += 1
            event = RawEvent(
                f"e{self.number:04d}", what.name, what.source, "claude", self.now, self.now, str(self.number),
                payload={"hook_event_name": what.name, **what.payload}, env=dict(what.env),
            )  # fmt: skip
            unit = UnitOfWork(self.repository)
            runtime = self.repository.runtimes["r1"]
            apply_event(unit, runtime, event, ADAPTERS.normalise(event, {}), skew_budget=10 * NS)
            unit.commit()

    def _look(self) -> None:
        if self.down:
            return
        self.read_at = self.now
        for source, write in self.levels.items():
            settled = sample(self.steady.get(source, DebounceState()), source, write, self.now)
            self.steady[source] = settled.steady
            self.number += 1
            unit = UnitOfWork(self.repository)
            apply_level(unit, self.repository.runtimes["r1"], source, settled, self.now, f"e{self.number:04d}")
            unit.commit()
            self._again(self.looks, settled.again_at)

    def _again(self, heap: list[int], at: int | None) -> None:
        if at is not None:
            heapq.heappush(heap, -((T0 - at) // MS))  # rounded up: never before its time

    def _judge(self) -> None:
        unit = UnitOfWork(self.repository)
        life = RuntimeFacts(T0 - 3600 * NS, self.read_at, target_down=self.down)
        self._again(
            self.wakes, update_state(unit, self.repository.runtimes["r1"], life, self.now, looked_at=False).next_wake
        )
        unit.commit()
        self._again(self.looks, recheck_at(self.repository.registers["r1"], self.now))
        state = self.repository.states[KEY]
        if not self.seen or self.seen[-1][1] != state:
            self.seen.append(((self.now - T0) // MS, state))

    # ------------------------------------------------ what was shown

    def at(self, ms: int) -> StateRow:
        """What was shown just before that moment."""
        return [state for when, state in self.seen if when < ms][-1]

    def states(self, start: int, end: int) -> list[str]:
        """The states shown from one moment to another, repeats left out."""
        out = [str(self.at(start + 1).state)]
        for when, state in self.seen:
            if start < when < end and str(state.state) != out[-1]:
                out.append(str(state.state))
        return out

    def story(self) -> str:
        lines = [f"{when:>8} ms  {row.state}  {row.reason_code or ''}" for when, row in self.seen]
        now = self.now
        resolution = resolve(
            self.repository.registers["r1"], self.repository.marks["r1"], RuntimeFacts(T0, self.read_at), now
        )
        lines += [
            f"    {r.source}/{r.subject}: {r.entry.claim}  {c.discarded_because or 'used'}"
            for c in resolution.considered
            for r in [c.register]
        ]
        return "\n".join(lines)


def played(rows: list[Row], until: int | None = None) -> Play:
    play = Play()
    play.run(rows, until if until is not None else rows[-1][0] + 2000)
    return play


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("name", WALKS)
def test_each_walk_ends_in_the_state_a_person_would_name(name: str) -> None:
    rows = WALKS[name]
    play = played(rows)
    ends = [row[0] for row in rows[1:]] + [rows[-1][0] + 2000]
    for (_, _, named), end in zip(rows, ends, strict=True):
        if not isinstance(named, EllipsisType):
            assert str(play.at(end).state) == named, f"just before {end} ms\n{play.story()}"


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("name", WALKS)
def test_no_walk_ever_shows_a_state_that_nobody_named(name: str) -> None:
    rows = WALKS[name]
    play = played(rows)
    named: list[str] = []
    for _, _, state in rows:
        if not isinstance(state, EllipsisType) and (not named or named[-1] != state):
            named.append(state)
    shown = play.states(TOOK, rows[-1][0] + 2000)
    if shown[:1] == ["unknown"] and named[:1] != ["unknown"]:
        shown = shown[1:]
    assert shown == named, play.story()


# ------------------------------------------------ what goes with the state


@pytest.mark.tc("TC-114")
def test_a_completion_is_shown_within_700_ms_of_its_hook_whatever_the_screen_does() -> None:
    for name in ("the screen lags behind a stop", "screen and status both lag behind a stop"):
        play = played(WALKS[name])
        first = next(when for when, row in play.seen if row.state == "completed")
        assert first - 9000 <= 700, play.story()
        assert play.at(11000).since == T0 + 9000 * MS  # since the hook's moment, not since it was shown


@pytest.mark.tc("TC-114")
def test_a_waiting_state_is_shown_at_once() -> None:
    play = played(WALKS["approval denied: no hook tells, the screen does"])
    assert next(when for when, row in play.seen if row.state == "waiting_approval") == 8050


@pytest.mark.tc("TC-114")
def test_a_second_prompt_is_another_one_and_the_words_of_one_prompt_are_not() -> None:
    play = played(WALKS["two approvals, one after the other"])
    first, second = play.at(11000), play.at(15000)
    assert (first.waiting_for and first.waiting_for.fingerprint) == "f1"
    assert (second.waiting_for and second.waiting_for.fingerprint) == "f2"
    assert second.since == T0 + 13000 * MS
    assert second.state_version > first.state_version
    assert first.waiting_for is not None
    assert first.waiting_for.subject == "Bash"
    assert first.since == T0 + 8050 * MS


@pytest.mark.tc("TC-114")
def test_attention_asks_once_for_a_completion_and_outlives_its_demotion() -> None:
    play = played(WALKS["a plain turn, looked at by nobody"])
    asked = [row.attention for when, row in play.seen if when > 9000]
    assert set(asked[asked.index("review") :]) == {"review"}
    assert play.seen[-1][1].state == "idle"


@pytest.mark.tc("TC-114")
def test_a_queued_prompt_asks_for_no_review_before_its_own_turn_ended() -> None:
    play = played(WALKS["a queued prompt: its turn begins without an event"])
    assert {row.attention for when, row in play.seen if when < 14000} == {"none"}
    assert play.seen[-1][1].attention == "review"


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("level", ["screen", "status file"])
def test_a_busy_blip_leaves_a_completion_what_it_was_to_its_user(level: str) -> None:
    walk = WALKS[f"a busy blip of the {level} well after a stop"]
    play = played(walk)
    assert {row.attention for when, row in play.seen if when > 9700} == {"review"}
    assert play.at(10900).since == play.at(11900).since == T0 + 9000 * MS
    looked = sorted([*walk, (10900, Acknowledged(), ...)], key=lambda row: row[0])
    seen = played(looked, 20000)
    assert seen.seen[-1][1].state == "completed"
    assert {row.attention for when, row in seen.seen if when >= 10900} == {"none"}


@pytest.mark.tc("TC-114")
def test_a_box_that_was_answered_needs_nobody_any_more_though_a_completion_of_before_stands() -> None:
    play = played([
        *IDLE_THEN_WORKING, (9000, STOP, ...), (9080, screen(COMPOSER), ...), (20000, screen(box()), ...),
        (22000, screen(SPINNER), ...),
    ])  # fmt: skip
    assert play.at(21900).attention == "needs_action"
    assert {row.attention for when, row in play.seen if row.state == "running"} == {"none"}


@pytest.mark.tc("TC-114")
def test_background_work_is_counted_while_it_lives() -> None:
    play = played(WALKS["background tasks: a dev server is left running"])
    assert play.at(20000).background_tasks == 1
    assert play.seen[-1][1].background_tasks == 1


@pytest.mark.tc("TC-114")
def test_back_from_away_the_same_prompt_stands_since_when_it_stood() -> None:
    play = played(WALKS["the target is away while it waits, and back"])
    before, away, back = play.at(20000), play.at(60000), play.seen[-1][1]
    assert away.reason_code == "target_unreachable"
    assert away.attention == "needs_action"
    assert away.last_known is not None
    assert (away.last_known["state"], away.last_known["since"]) == ("waiting_approval", before.since)
    assert (back.since, back.resumed, back.attention_since) == (before.since, True, before.attention_since)
