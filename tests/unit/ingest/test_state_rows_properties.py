"""Whatever an agent does, and however late its hooks, screen and status file tell of it: once nothing happened for some
seconds, the state shown is what it does. With all hooks, with some of them lost, and with none."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import Claim, Source, WaitingFor, Write
from tests.unit.ingest.test_state_rows_walkthroughs import (
    ASKS,
    BUSY,
    COMPOSER,
    FREE,
    PROMPT,
    RAN,
    SPINNER,
    STOP,
    TOOL,
    Happening,
    Hook,
    Row,
    box,
    hook,
    played,
    screen,
    status,
)  # fmt: skip

PROMPTED = Write(
    Claim.WAITING_APPROVAL, "status waiting: permission prompt", waiting_for=WaitingFor("approval"), accepts_input=False
)
LONG = 6000
"""Milliseconds after which nothing is under way any more."""
BEGUN = 4500
"""How long a turn that no hook told of has to be seen working before the completion of before it is surely past."""
GAPS = (60, 120, 250, 400, 700, 1100, 2000, 3500, LONG, 9000)
LAGS = (0, 40, 120, 250)
DRAWN = (0, 100, 300, 800)  # a box, on a busy machine
WRITTEN = (0, 60, 200, 450)

ACTS = {
    "idle": ("prompt", "prompt", "prompt unheard"),
    "running": ("tool", "ask", "ask", "stop", "stop", "next prompt", "escape", "fail", "sub-agent asks", "blip"),
    "asked": ("grant", "grant", "deny", "ask again"),
}


@dataclass
class Story:
    """What an agent does, and what tells of it when."""

    draw: st.DrawFn
    status: bool
    lost: int  # of so many hooks one; 0: none, 1: all
    rows: list[tuple[int, Happening]] = field(default_factory=list)
    shown: dict[Source, int] = field(default_factory=dict)
    t: int = LONG
    heard_until: int = 0
    works_since: int = 0
    worked: int = LONG  # at most at a stretch, since the last turn's end
    asked: int = 0
    sub: bool = False
    does: str = "idle"
    named: frozenset[str] = frozenset({"idle"})

    def pick(self, some: tuple[int, ...]) -> int:
        return self.draw(st.sampled_from(some))

    def hook(self, what: Hook, after: int = 0) -> None:
        at = self.t + after
        self.heard_until = max(self.heard_until, at)
        if what is STOP:
            self.worked = 0
            self.works_since = at
        if self.lost == 0 or (self.lost > 1 and self.pick(tuple(range(self.lost)))):
            self.rows.append((at, what))

    def shows(self, write: Write | None, state: Write | None, lags: tuple[int, ...] = LAGS, after: int = 0) -> None:
        """On the screen, and in the status file; neither goes back to what it was before."""
        for what, some in ((screen(write), lags), (status(state), WRITTEN)):
            if what.source is Source.POLLER or (self.status and state is not None):
                at = max(self.t + after + self.pick(some), self.shown.get(what.source, 0) + 1)
                self.shown[what.source] = at
                self.rows.append((at, what))

    def act(self, name: str) -> None:
        agent = {"agent_id": f"a{self.asked}"} if self.sub else {}
        if name in ("prompt", "prompt unheard"):
            if name == "prompt":
                self.hook(PROMPT)
            self.shows(SPINNER, BUSY)
            self._now("running", "running")
        elif name == "tool":
            self.hook(TOOL)
            self.hook(RAN, self.pick((50, 300, 1500)))
        elif name in ("ask", "ask again", "sub-agent asks"):
            if name == "ask again":
                self.hook(hook("PostToolUse", tool_name="Bash", **agent))
                self.shows(SPINNER, None, (0,))
                self.t += self.pick((50, 200, 500))
            self.asked, self.sub = self.asked + 1, name == "sub-agent asks"
            whose = {"agent_id": f"a{self.asked}"} if self.sub else {}
            self.hook(
                hook("PermissionRequest", tool_name="Bash", tool_input={"command": "x"}, **whose) if whose else ASKS
            )
            self.shows(box(f"f{self.asked}"), PROMPTED, DRAWN)
            self._now("asked", "waiting_approval")
        elif name == "grant":
            self.shows(SPINNER, BUSY)
            self.hook(hook("PostToolUse", tool_name="Bash", **agent), self.pick((0, 100, 1000, 3000)))
            self._now("running", "running")
        elif name == "next prompt":  # a queued one: its turn begins with the end of the last
            self.hook(STOP)
            if self.pick((0, 1)):
                self.hook(PROMPT, self.pick((10, 80, 200)))
        elif name == "blip":
            self.shows(None, None)
            self.shows(SPINNER, None, after=self.pick((30, 100, 200)))
        else:
            self._ends(name)

    def _ends(self, name: str) -> None:
        if self.does == "running":
            self.worked = max(self.worked, self.t - self.works_since)
        begun = self.worked >= BEGUN
        if name == "stop":
            self.hook(STOP)
        elif name == "fail":
            self.hook(hook("StopFailure", error="overloaded"))
        self.shows(COMPOSER, FREE)
        message = {"stop": "completed", "fail": "error"}.get(name, "idle") if self.lost != 1 else "idle"
        spared = set() if begun or message != "idle" else {"completed"}
        self._now("idle", *({"idle", "completed", "error"} if self.lost > 1 else {message, *spared}))

    def _now(self, does: str, *named: str) -> None:
        if does == "running":
            self.works_since = self.t
        elif self.does == "running" and does == "asked":
            self.worked = max(self.worked, self.t - self.works_since)
        self.does, self.named = does, frozenset(named)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Row], list[tuple[int, frozenset[str], str]]]:
    """What happens, and which states may be shown at which moments, with what was done until then."""
    story = Story(draw, draw(st.booleans()), draw(st.sampled_from([0, 0, 4, 1])))
    story.rows += [(0, screen(COMPOSER)), (1, status(FREE) if story.status else screen(COMPOSER))]
    judged: list[tuple[int, frozenset[str], str]] = []
    done: list[str] = []
    for _ in range(draw(st.integers(1, 7))):
        name = draw(st.sampled_from(ACTS[story.does]))
        done.append(f"{story.t} {name}")
        story.act(name)
        gap = story.pick(GAPS)
        if gap >= LONG:
            judged.append((story.t + gap - 1, story.named, ", ".join(done)))
        drawn = 850 if story.does == "asked" else 0  # nobody answers what is not drawn yet
        story.t = max(story.t + max(gap, drawn), story.heard_until + 20)
    judged.append((story.t + LONG, story.named, ", ".join(done)))
    rows: list[Row] = []
    for at, what in sorted(story.rows, key=lambda row: row[0]):
        rows.append((max(at, rows[-1][0] + 1 if rows else 0), what, ...))  # one thing at a time
    return rows, judged


@pytest.mark.tc("TC-114")
@settings(deadline=None, max_examples=60, print_blob=True, suppress_health_check=list(HealthCheck))
@given(stories())
def test_what_is_shown_is_what_the_agent_does(
    story: tuple[list[Row], list[tuple[int, frozenset[str], str]]],
) -> None:
    rows, judged = story
    play = played(rows, judged[-1][0] + 1)
    for at, named, done in judged:
        assert str(play.at(at).state) in named, f"at {at} ms, after {done}\n{play.story()}"
