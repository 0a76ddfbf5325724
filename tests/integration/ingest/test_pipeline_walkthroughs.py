"""Walk-throughs that need the database or the target's health: restarts, targets that go and come, who has looked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.model import NS, Source, State
from tests.rig import BUSY, QUIET, Agent, Clock, Rig, box, event

ASKED = {"tool_name": "Bash", "tool_input": {"command": "make"}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rig(tmp_path: Path, clock: Clock) -> AsyncIterator[Rig]:
    async with Rig(tmp_path / "a.db", clock) as made:
        yield made


async def waiting(rig: Rig, agent: Agent) -> None:
    """The agent works, then asks for approval on screen and by its hook."""
    await rig.steady(agent, Source.POLLER, BUSY)
    await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(1)))
    await rig.post(event("PermissionRequest", agent, at=rig.clock.forward(1), payload=ASKED))
    await rig.steady(agent, Source.POLLER, box())


async def completed(rig: Rig, agent: Agent) -> None:
    await rig.steady(agent, Source.POLLER, BUSY)
    await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(1)))
    await rig.post(event("Stop", agent, at=rig.clock.forward(1)))
    await rig.steady(agent, Source.POLLER, QUIET)


SITUATIONS: dict[str, Any] = {"waiting": waiting, "completed": completed}
NAMED = {"waiting": State.WAITING_APPROVAL, "completed": State.COMPLETED}
ASKS = {"waiting": "needs_action", "completed": "review"}

# ------------------------------------------------ restarts


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("away", [1.0, 45.0])
async def test_a_restart_restores_state_since_version_and_attention(
    tmp_path: Path, clock: Clock, situation: str, away: float
) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await SITUATIONS[situation](rig, agent)
        before, item = rig.the_state(), rig.item()
        assert (before.state, before.attention) == (NAMED[situation], ASKS[situation])
    clock.forward(away)
    again = Agent(levels=dict(agent.levels))
    async with Rig(tmp_path / "a.db", clock) as rig:
        assert rig.item() == item, "served as it was"
        await rig.round(again)
        after = rig.the_state()
        for name in ("state", "since", "state_version", "waiting_for", "attention", "attention_since"):
            assert getattr(after, name) == getattr(before, name), name
        assert rig.shown() == [], "nothing to tell: nothing changed"


@pytest.mark.tc("TC-114")
async def test_nothing_is_published_for_a_target_before_its_first_good_round(tmp_path: Path, clock: Clock) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await waiting(rig, agent)
    clock.forward(3600)
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.health("ok")
        await rig.tick()
        prompt = event("UserPromptSubmit", at=clock.forward(1), payload={"prompt": "x"}, runtime_id=rig.runtime_id())
        assert [p.status for p in await rig.post(prompt)] == ["bound"]
        assert rig.published == []
        assert rig.the_state().state is State.WAITING_APPROVAL
        clock.forward(1)
        await rig.round(Agent(levels={Source.POLLER: BUSY}))
        assert rig.shown() == ["running"]
        assert rig.the_state().state is State.RUNNING


@pytest.mark.tc("TC-114")
async def test_without_a_good_round_the_rows_are_judged_after_five_seconds(tmp_path: Path, clock: Clock) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
        before = rig.the_state()
    clock.forward(600)
    async with Rig(tmp_path / "a.db", clock) as rig:
        clock.forward(4.9)
        await rig.tick()
        assert rig.the_state() == before
        clock.forward(0.1)
        await rig.tick()
        assert (rig.the_state().state, rig.the_state().reason_code) == (State.UNKNOWN, "stale_signal")


@pytest.mark.tc("TC-114")
async def test_a_completion_is_demoted_over_a_restart_as_of_its_time(tmp_path: Path, clock: Clock) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await completed(rig, agent)
        ended = rig.the_state().since
    clock.forward(300)
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(Agent(levels={Source.POLLER: QUIET}))
        state = rig.the_state()
        assert (state.state, state.since, state.attention) == (State.IDLE, ended + 120 * NS, "review")


@pytest.mark.tc("TC-114")
async def test_a_completion_is_demoted_by_the_daemons_clock_without_any_round(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await completed(rig, agent)
    ended = rig.the_state().since
    while clock.now < ended + 120 * NS - NS:
        clock.forward(5)
        await rig.round(agent)
    clock.now = ended + 120 * NS - 1
    await rig.tick()
    assert rig.the_state().state is State.COMPLETED
    clock.now += 1
    await rig.tick()
    assert rig.the_state().state is State.IDLE


@pytest.mark.tc("TC-114")
async def test_what_happened_while_the_daemon_was_away_arrives_with_the_first_round(
    tmp_path: Path, clock: Clock
) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await waiting(rig, agent)
    asked = clock.forward(10)
    clock.forward(50)
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(Agent(levels={Source.POLLER: box("f-2")}))
        spooled = event("PermissionRequest", agent, at=asked, ingested=clock(), payload=ASKED, spooled=True)
        assert [p.status for p in await rig.post(spooled)] == ["bound"]
        state = rig.the_state()
        assert state.waiting_for is not None
        assert (state.state, state.waiting_for.fingerprint) == (State.WAITING_APPROVAL, "f-2")


@pytest.mark.tc("TC-114")
async def test_a_failure_that_the_next_turn_put_behind_does_not_come_back_over_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await rig.steady(agent, Source.POLLER, BUSY)
        await rig.post(event("StopFailure", agent, at=clock.forward(1), payload={"error": "overloaded"}))
        assert rig.the_state().state is State.ERROR
        for _ in range(20):  # busy all along: a queued prompt's turn, of which no hook told
            clock.forward(0.25)
            await rig.round(agent)
        assert rig.the_state().state is State.RUNNING
    clock.forward(1)
    again = Agent(levels={Source.POLLER: QUIET})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(again)
        clock.forward(1)
        await rig.round(again)
        assert rig.the_state().state is State.IDLE


# ------------------------------------------------ targets that go and come


@pytest.mark.tc("TC-010")
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("stale_first", [False, True])
async def test_a_target_that_is_down_and_back_restores_what_was_known_and_notifies_nobody(
    rig: Rig, clock: Clock, situation: str, stale_first: bool
) -> None:
    agent = Agent()
    await rig.round(agent)
    await SITUATIONS[situation](rig, agent)
    before = rig.the_state()
    if stale_first:  # three rounds that time out: the last reading is older than it may be before the target is down
        await rig.health("degraded", "timeout")
        clock.forward(12)
        await rig.tick()
    await rig.health("down", "timeout")
    away = rig.the_state()
    assert (away.state, away.reason_code) == (State.UNKNOWN, "target_unreachable")
    assert away.last_known is not None
    assert (away.last_known["state"], away.last_known["since"]) == (str(before.state), before.since)
    assert (away.attention, away.attention_since) == (before.attention, before.attention_since)
    clock.forward(40)
    result = len(rig.published)
    await rig.health("ok")
    await rig.round(agent)
    back = rig.the_state()
    assert (back.state, back.since, back.waiting_for) == (before.state, before.since, before.waiting_for)
    assert (back.resumed, back.last_known) == (True, None)
    assert (back.attention, back.attention_since) == (before.attention, before.attention_since)
    states = [c.item["state"] for _, changes in rig.published[result:] for c in changes.get("panes", ()) if c.item]
    assert states == [str(before.state)], "back in one step"


@pytest.mark.tc("TC-010")
async def test_another_prompt_on_return_is_a_new_one(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await waiting(rig, agent)
    before = rig.the_state()
    await rig.health("down", "timeout")
    clock.forward(40)
    agent.levels[Source.POLLER] = box("f-9")
    await rig.health("ok")
    await rig.round(agent)
    back = rig.the_state()
    assert back.state is State.WAITING_APPROVAL
    assert (back.resumed, back.attention) == (False, "needs_action")
    assert back.state_version > before.state_version


@pytest.mark.tc("TC-010")
async def test_a_turn_that_ended_while_the_target_was_away_asks_for_review(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.steady(agent, Source.POLLER, BUSY)
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    await rig.health("down", "timeout")
    clock.forward(40)
    await rig.post(event("Stop", agent, at=clock() - 5 * NS, spooled=True))
    agent.levels[Source.POLLER] = QUIET
    await rig.health("ok")
    await rig.round(agent)
    clock.forward(1)
    await rig.round(agent)
    state = rig.the_state()
    assert (state.state, state.attention, state.resumed) == (State.COMPLETED, "review", False)


@pytest.mark.tc("TC-010")
async def test_a_claim_whose_pane_is_read_no_more_goes_stale_by_its_own_time(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await rig.post(event("UserPromptSubmit", agent, at=clock()))
    clock.forward(69.9)
    await rig.tick()
    assert rig.the_state().state is State.RUNNING
    clock.forward(0.1)
    await rig.tick()
    assert (rig.the_state().state, rig.the_state().reason_code) == (State.UNKNOWN, "stale_signal")


@pytest.mark.tc("TC-010")
async def test_a_down_target_takes_no_other_one_along(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await waiting(rig, agent)
    await rig.health("degraded", "timeout")
    assert rig.the_state().state is State.WAITING_APPROVAL  # a first failure proves nothing


# ------------------------------------------------ who has looked


@pytest.mark.tc("TC-114")
async def test_a_completion_that_was_watched_asks_for_no_review(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.steady(agent, Source.POLLER, BUSY)
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    await rig.round(agent, looked_at=["%1"])
    await rig.post(event("Stop", agent, at=clock.forward(1)))
    agent.levels[Source.POLLER] = QUIET
    for _ in range(3):
        clock.forward(0.5)
        await rig.round(agent, looked_at=["%1"])
    assert (rig.the_state().state, rig.the_state().attention) == (State.COMPLETED, "none")


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("resumed", [False, True])
async def test_a_look_at_it_ends_the_review_also_after_a_return(rig: Rig, clock: Clock, resumed: bool) -> None:
    agent = Agent()
    await rig.round(agent)
    await completed(rig, agent)
    if resumed:
        await rig.health("down", "timeout")
        clock.forward(20)
        await rig.health("ok")
        await rig.round(agent)
    assert rig.the_state().attention == "review"
    clock.forward(2)
    await rig.round(agent, looked_at=["%1"])
    assert (rig.the_state().state, rig.the_state().attention) == (State.COMPLETED, "none")


@pytest.mark.tc("TC-114")
async def test_a_look_does_not_answer_a_question(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await waiting(rig, agent)
    clock.forward(2)
    await rig.round(agent, looked_at=["%1"])
    assert rig.the_state().attention == "needs_action"


@pytest.mark.tc("TC-114")
async def test_a_whole_turn_between_two_looks_is_a_new_completion(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await completed(rig, agent)
    clock.forward(2)
    await rig.round(agent, looked_at=["%1"])
    clock.forward(2)
    await rig.round(agent)
    assert rig.the_state().attention == "none"
    start, end = (event(name, agent, at=clock.forward(1)) for name in ("UserPromptSubmit", "Stop"))
    await rig.post(start, end)
    state = rig.the_state()
    assert (state.state, state.since, state.attention) == (State.COMPLETED, end.event_time, "review")
