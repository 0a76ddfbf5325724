"""Runtimes through the one door: when one begins, when one ends, and that no two are mistaken for each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.core.ids import runtime_id
from agtmuxd.core.model import Claim, Source, State, Write
from agtmuxd.core.state.observation import AgentExit
from tests.rig import BUSY, QUIET, TARGET, Agent, Clock, Rig, event, pane_row


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rig(tmp_path: Path, clock: Clock) -> AsyncIterator[Rig]:
    async with Rig(tmp_path / "a.db", clock) as made:
        yield made


def lives(rig: Rig) -> list[tuple[int, str, bool]]:
    """``(epoch, agent, ended)`` of all runtimes of the file."""
    found = rig.rows("SELECT pane_epoch, agent_type, ended_at IS NOT NULL FROM runtimes ORDER BY pane_epoch")
    return [(epoch, agent, bool(ended)) for epoch, agent, ended in found]


@pytest.mark.tc("TC-004")
async def test_the_same_process_in_the_same_pane_stays_one_runtime(rig: Rig, clock: Clock) -> None:
    for _ in range(3):
        await rig.round(Agent())
        clock.forward(1)
    assert lives(rig) == [(1, "claude", False)]
    expected = runtime_id(TARGET, "900.1", "%1", 1, "claude", Agent().started_at)
    assert rig.runtime_id() == expected


@pytest.mark.tc("TC-004")
@pytest.mark.parametrize(
    "change",
    [{"pid": 4002, "start": "200"}, {"start": "200"}, {"kind": "codex"}],
    ids=["new process", "reused pid", "other agent"],
)
async def test_another_agent_process_raises_the_epoch(rig: Rig, clock: Clock, change: dict[str, str]) -> None:
    await rig.round(Agent())
    first = rig.runtime_id()
    clock.forward(1)
    await rig.round(replace(Agent(), **change))  # type: ignore[arg-type]
    assert lives(rig) == [(1, "claude", True), (2, change.get("kind", "claude"), False)]
    assert rig.runtime_id() != first


@pytest.mark.tc("TC-004")
async def test_one_that_is_gone_in_mid_turn_where_another_works_already_has_ended(rig: Rig, clock: Clock) -> None:
    await rig.round(Agent(levels={Source.POLLER: BUSY}))
    clock.forward(1)
    await rig.round(Agent(pid=4002, start="200", levels={Source.POLLER: BUSY}))
    assert lives(rig) == [(1, "claude", True), (2, "claude", False)]


@pytest.mark.tc("TC-004")
async def test_the_same_pane_id_of_a_restarted_server_raises_the_epoch(rig: Rig, clock: Clock) -> None:
    await rig.round(Agent())
    clock.forward(1)
    await rig.round(Agent(), boot="901.5", server=901)
    assert lives(rig) == [(1, "claude", True), (2, "claude", False)]
    assert rig.rows("SELECT end_reason FROM runtimes WHERE ended_at IS NOT NULL") == [("server_gone",)]


@pytest.mark.tc("TC-004")
async def test_a_pane_that_went_and_came_back_raises_the_epoch(rig: Rig, clock: Clock) -> None:
    await rig.round(Agent())
    clock.forward(1)
    await rig.round(panes=())
    assert rig.item() is None
    clock.forward(1)
    await rig.round(Agent())
    assert lives(rig) == [(1, "claude", True), (2, "claude", False)]


@pytest.mark.tc("TC-004")
@pytest.mark.parametrize("how", ["orderly", "crash", "replaced", "server"])
@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
async def test_a_state_version_of_a_pane_never_comes_again(
    tmp_path: Path, clock: Clock, how: str, restarted: bool
) -> None:
    """Else a guard that named the state of one agent would let an action through to the next one there."""
    one = Agent(levels={Source.POLLER: BUSY if how == "crash" else QUIET})
    another = replace(one, pid=4002, start="200")
    boot = "901.5" if how == "server" else "900.1"
    async with Rig(tmp_path / "a.db", clock) as rig:
        for level in (BUSY, QUIET, BUSY, *([] if how == "crash" else [QUIET])):
            one.levels[Source.POLLER] = level
            clock.forward(1)
            await rig.round(one)
            clock.forward(1)
            await rig.round(one)
        last = rig.the_state().state_version
        assert last > 2
        if how in ("orderly", "crash"):
            clock.forward(1)
            await rig.round()
            last += how == "crash"
            item = rig.item()
            assert item is not None
            assert item["state_version"] == (last if how == "crash" else None)
        if not restarted:
            clock.forward(1)
            await rig.round(another, boot=boot)
            assert rig.the_state().state_version == last + 1
    if restarted:
        async with Rig(tmp_path / "a.db", clock) as rig:
            clock.forward(1)
            await rig.round(another, boot=boot)
            assert rig.the_state().state_version == last + 1


@pytest.mark.tc("TC-004")
async def test_epochs_go_on_after_a_restart_of_the_daemon(tmp_path: Path, clock: Clock) -> None:
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(Agent())
        clock.forward(1)
        await rig.round()
    async with Rig(tmp_path / "a.db", clock) as rig:
        clock.forward(1)
        await rig.round(Agent(pid=4002, start="200"))
        assert lives(rig) == [(1, "claude", True), (2, "claude", False)]


@pytest.mark.tc("TC-004")
async def test_the_evidence_on_one_runtime_says_nothing_of_the_next(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    assert rig.the_state().state is State.RUNNING
    clock.forward(1)
    await rig.round(Agent(pid=4002, start="200"), gone=[AgentExit("%1", 4001, "100", True)])
    assert rig.the_state().state is State.UNKNOWN
    assert rig.the_state().attention == "none"


@pytest.mark.tc("TC-003")
async def test_two_panes_have_each_its_own_runtime_and_one_pane_one(rig: Rig) -> None:
    await rig.round(Agent(pane="%1"), Agent(pane="%2", pid=4002), panes=("%1", "%2"))
    assert rig.rows("SELECT pane_id, count(*) FROM runtimes WHERE ended_at IS NULL GROUP BY 1 ORDER BY 1") == [
        ("%1", 1), ("%2", 1),
    ]  # fmt: skip


# ------------------------------------------------ ends


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("seen_first", [True, False])
async def test_what_was_said_of_an_error_is_told_with_it_whoever_told_of_it_first(
    rig: Rig, clock: Clock, seen_first: bool
) -> None:
    agent = Agent()
    await rig.round(agent)
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    assert (rig.item() or {})["detail"] is None
    failed = event("StopFailure", agent, at=clock.forward(1), payload={"error": "overloaded\x1b[2J" + "x" * 300})
    if not seen_first:
        await rig.post(failed)
    await rig.steady(agent, Source.POLLER, Write(Claim.ERROR, "failure", accepts_input=True))
    if seen_first:
        await rig.post(replace(failed, ingested_at=clock()))
    item = rig.item()
    assert item is not None
    assert (item["state"], item["reason_code"], item["detail"][:10], len(item["detail"])) == (
        "error", "agent_error", "overloaded", 200,
    )  # fmt: skip
    assert "\x1b" not in item["detail"]
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    assert (rig.item() or {})["detail"] is None


@pytest.mark.tc("TC-114")
async def test_killed_in_mid_turn_it_stays_listed_as_a_crash_for_half_an_hour(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    clock.forward(3)
    await rig.round(gone=[AgentExit("%1", agent.pid, agent.start, False)])
    crash = rig.the_state()
    assert (crash.state, crash.reason_code, crash.attention) == (State.ERROR, "agent_crashed", "needs_action")
    item = rig.item()
    assert item is not None
    assert (item["state"], item["reason_code"], item["agent_type"]) == ("error", "agent_crashed", "claude")
    clock.forward(30 * 60 - 1)
    await rig.tick()
    assert rig.state() is not None
    clock.forward(1)
    await rig.tick()
    assert rig.state() is None
    item = rig.item()
    assert item is not None
    assert (item["state"], item["agent_type"]) == (None, None)


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("waits", [False, True])
async def test_a_crash_outlives_a_restart_of_the_daemon(tmp_path: Path, clock: Clock, waits: bool) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
        if waits:
            await rig.post(event("PermissionRequest", agent, at=clock.forward(1), payload={"tool_name": "Bash"}))
        clock.forward(1)
        await rig.round(gone=[AgentExit("%1", agent.pid, agent.start, None)])
        crash = rig.the_state()
    clock.forward(60)
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round()
        assert rig.the_state() == crash
        clock.forward(1)
        await rig.round(Agent(pid=4002, start="200"))
        assert rig.the_state().reason_code != "agent_crashed"  # a new runtime started there


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("how", ["said goodbye", "the pane tells", "was idle", "was headless"])
async def test_an_agent_that_left_in_order_is_listed_no_more(rig: Rig, clock: Clock, how: str) -> None:
    agent = Agent(headless=how == "was headless")
    await rig.round(agent)
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    if how == "was idle":
        await rig.post(event("Stop", agent, at=clock.forward(1)))
    if how == "said goodbye":
        await rig.post(event("SessionEnd", agent, at=clock.forward(1), payload={"reason": "prompt_input_exit"}))
    clock.forward(1)
    await rig.round(gone=[AgentExit("%1", agent.pid, agent.start, True if how == "the pane tells" else None)])
    assert rig.state() is None
    item = rig.item()
    assert item is not None
    assert item["agent_type"] is None


@pytest.mark.tc("TC-114")
async def test_a_goodbye_that_was_followed_by_work_is_none(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    await rig.post(event("SessionEnd", agent, at=clock.forward(1), payload={"reason": "resume"}))
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    await rig.post(event("PreToolUse", agent, at=clock.forward(1), payload={"tool_name": "Bash"}))
    clock.forward(1)
    await rig.round(gone=[AgentExit("%1", agent.pid, agent.start, None)])
    assert rig.the_state().reason_code == "agent_crashed"


@pytest.mark.tc("TC-114")
async def test_a_stopped_process_is_unknown_and_goes_on_where_it_was(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.steady(agent, Source.POLLER, BUSY)
    since = rig.the_state().since
    agent.suspended = True
    clock.forward(1)
    await rig.round(agent)
    assert (rig.the_state().state, rig.the_state().reason_code) == (State.UNKNOWN, "suspended")
    agent.suspended = False
    clock.forward(1)
    await rig.round(agent)
    assert rig.the_state().state is State.RUNNING
    assert rig.the_state().since == since


# ------------------------------------------------ versions


@pytest.mark.tc("TC-006")
async def test_a_state_version_rises_with_the_state_and_with_nothing_else(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.steady(agent, Source.POLLER, QUIET)
    before = rig.the_state().state_version
    clock.forward(2)
    await rig.round(agent, panes=[pane_row("%1", title="another title")])
    assert rig.the_state().state_version == before
    agent.levels[Source.POLLER] = replace(QUIET, accepts_input=False)
    clock.forward(1)
    await rig.round(agent)
    assert rig.the_state().state_version == before + 1
    await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
    assert rig.the_state().state_version == before + 2
    await rig.post(event("PreToolUse", agent, at=clock.forward(0.1), payload={"tool_name": "Bash"}))
    assert rig.the_state().state_version == before + 2
