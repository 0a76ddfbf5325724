"""What a shared server says of an agent is a level beside its screen: read with each look, taken back when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.contract import Identity
from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import MS, Claim, Proc, Source, Write
from agtmuxd.core.state.debounce import DebounceResult, DebounceState
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.roster import Roster
from tests.rig import pane_row

pytestmark = pytest.mark.tc("TC-016")

RUNNING = Write(Claim.RUNNING, "thread active")
WAITS = Write(Claim.WAITING_APPROVAL, "thread waitingOnApproval")
ADAPTERS = discover(points=()).adapters


class _Nothing:
    """An executor and adapters that nothing is asked of."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


class _Watch:
    """Looks at one pane that shows the same all the time."""

    def __init__(self, steady: dict[Source, DebounceState] | None = None, *, headless: bool = False) -> None:
        nothing: Any = _Nothing()
        self.word: Write | None = None
        self.at = 0
        self.roster = Roster(
            nothing, nothing, lambda *_: {}, status_files=lambda _: True,
            server_claims=lambda agents: {a.pane_id: self.word for a in agents if self.word is not None},
        )  # fmt: skip
        proc, who = Proc(7, 1, 7, 7, 1, "S", "99", "codex", ("codex",)), Identity("codex", headless=headless)
        self.agent = Agent("%1", ADAPTERS["codex"], who, proc, 0, None, Path("/"), steady or {})
        self.roster.agents["%1"] = self.agent
        self.captures = {"%1": "nothing known"}

    async def look(self, ms: int = 500) -> list[DebounceResult]:
        """What the status says then."""
        self.at += ms * MS
        await self.roster.look({"%1": pane_row("%1")}, self.captures, self.at)
        return [settled for source, settled in self.agent.levels if source is Source.STATUS]


async def test_it_counts_with_the_look_after_it_was_told_though_the_screen_stands_still() -> None:
    watch = _Watch()
    for _ in range(3):
        assert await watch.look() == []
    watch.word = RUNNING
    assert [(s.changed, s.since) for s in await watch.look()] == [(RUNNING, watch.at)]
    assert [s.refreshed for s in await watch.look()] == [True]
    watch.word = WAITS
    assert [(s.changed, s.since) for s in await watch.look()] == [(WAITS, watch.at)]


@pytest.mark.parametrize("before", ["told", "remembered"])
async def test_what_is_not_told_any_more_claims_nothing(before: str) -> None:
    """Also after a restart of the daemon, in which the setting was turned off."""
    watch = _Watch({Source.STATUS: DebounceState(WAITS, 0)} if before == "remembered" else None)
    if before == "told":
        watch.word = WAITS
        for _ in range(3):
            await watch.look()
    watch.word = None
    await watch.look()
    (settled,) = await watch.look()
    expected = settled.steady.current
    assert expected is not None
    assert expected.claim is None


async def test_a_run_without_a_screen_is_not_asked_after() -> None:
    watch = _Watch(headless=True)
    watch.word = WAITS
    assert await watch.look() == []
