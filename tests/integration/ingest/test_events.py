"""Events through the one door, on a real database: bound, pending, dropped, duplicate, late, stale."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.core.model import NS, Ancestor, Claim, Source, State
from agtmuxd.repository import Target
from tests.rig import BUSY, QUIET, SOCKET, TARGET, Agent, Clock, Rig, event, ms

PROMPT, STOP = "UserPromptSubmit", "Stop"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rig(tmp_path: Path, clock: Clock) -> AsyncIterator[Rig]:
    async with Rig(tmp_path / "a.db", clock) as made:
        yield made


def inbox(rig: Rig) -> list[tuple[str, str | None, str | None]]:
    return rig.rows("SELECT status, reason_code, runtime_id FROM event_inbox ORDER BY inbox_id")


# ------------------------------------------------ binding


@pytest.mark.tc("TC-008")
async def test_an_event_of_a_known_agent_is_bound_and_durable_when_it_is_answered(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    [posted] = await rig.post(event(PROMPT, agent, at=clock.forward(1)))
    assert (posted.status, posted.runtime_id) == ("bound", rig.runtime_id())
    assert rig.rows("SELECT event_type, applied FROM events") == [(PROMPT, "applied")]
    assert rig.the_state().state is State.RUNNING
    assert inbox(rig) == []


@pytest.mark.tc("TC-008")
async def test_an_event_that_claims_nothing_names_the_session_if_none_is_known(rig: Rig, clock: Clock) -> None:
    """Its order is not known, so it never replaces the session that another event named."""
    agent = Agent()
    await rig.round(agent)
    for session, known in (("s-1", "s-1"), ("s-2", "s-1")):
        await rig.post(event("SessionStart", agent, at=clock.forward(1), payload={"session_id": session}))
        (runtime,) = rig.pipeline.repository.runtimes.values()
        assert runtime.agent_session_id == known
    await rig.post(event(PROMPT, agent, at=clock.forward(1), payload={"session_id": "s-2"}))
    (runtime,) = rig.pipeline.repository.runtimes.values()
    assert runtime.agent_session_id == "s-2"


@pytest.mark.tc("TC-008")
async def test_a_hook_that_came_before_the_pane_was_seen_binds_when_its_runtime_appears(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    [posted] = await rig.post(event(PROMPT, agent, at=clock()))
    assert posted.status == "pending_bind"
    assert inbox(rig) == [("pending_bind", None, None)]
    assert any(table for _, _, table in rig.refresh_requests), "an unknown process spoke: look who is there"
    clock.forward(2)
    await rig.round(agent)
    assert inbox(rig) == [("bound", None, rig.runtime_id())]
    assert rig.the_state().state is State.RUNNING
    assert rig.the_state().since == clock() - 2 * NS  # since it happened, not since it was bound


@pytest.mark.tc("TC-008")
async def test_a_pending_event_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.post(event(PROMPT, agent, at=clock()))
    clock.forward(3)
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        assert inbox(rig) == [("bound", None, rig.runtime_id())]
        assert rig.the_state().state is State.RUNNING


@pytest.mark.tc("TC-008")
async def test_an_event_that_comes_after_a_restart_before_the_first_round_binds_with_it(
    tmp_path: Path, clock: Clock
) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
    clock.forward(3)
    async with Rig(tmp_path / "a.db", clock) as rig:
        [posted] = await rig.post(event(PROMPT, agent, at=clock()))
        assert posted.status == "pending_bind"  # its tmux server was not met yet
        clock.forward(1)
        await rig.round(agent)
        assert inbox(rig) == [("bound", None, rig.runtime_id())]
        assert rig.the_state().state is State.RUNNING


@pytest.mark.tc("TC-009")
async def test_an_event_that_nobody_fits_is_dropped_after_ten_seconds(rig: Rig, clock: Clock) -> None:
    await rig.round(Agent())
    stranger = Agent(pane="%7", pid=9999, start="7")
    await rig.post(event(PROMPT, stranger, at=clock()))
    clock.forward(10)
    await rig.tick()
    assert inbox(rig) == [("pending_bind", None, None)]
    clock.now += 1
    await rig.tick()
    assert inbox(rig) == [("dropped_unbound", "bind_no_candidate", None)]
    assert rig.pipeline.pending == {}
    assert rig.rows("SELECT count(*) FROM events") == [(0,)]


@pytest.mark.tc("TC-009")
async def test_an_event_whose_runtime_appears_too_late_is_dropped(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.post(event(PROMPT, agent, at=clock()))
    clock.forward(10.1)
    await rig.round(agent)
    assert inbox(rig) == [("dropped_unbound", "bind_ttl_expired", None)]
    assert rig.the_state().state is State.UNKNOWN


@pytest.mark.tc("TC-009")
async def test_an_event_that_several_fit_is_dropped_at_once(rig: Rig, clock: Clock) -> None:
    one, other = Agent(pane="%1"), Agent(pane="%2", pid=4002)
    await rig.round(one, other, panes=("%1", "%2"))
    session = {"session_id": "s-1"}
    for agent in (one, other):
        await rig.post(event("SessionStart", agent, at=clock.forward(0.1), payload={"source": "startup", **session}))
    before = rig.pipeline.repository.states.copy()
    [posted] = await rig.post(event(PROMPT, at=clock.forward(1), payload=session))
    assert (posted.status, posted.reason_code) == ("dropped_unbound", "bind_ambiguous")
    assert inbox(rig) == [("dropped_unbound", "bind_ambiguous", None)]
    assert {k: s.state for k, s in rig.pipeline.repository.states.items()} == {k: s.state for k, s in before.items()}


@pytest.mark.tc("TC-009")
async def test_the_same_pane_id_of_another_tmux_server_is_another_pane(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    foreign = event(PROMPT, agent, at=clock.forward(1), chain=(), tmux_socket="/tmp/other-server", tmux_server_pid=901)
    later = event(PROMPT, agent, at=clock(), chain=(), tmux_socket=SOCKET, tmux_server_pid=901)
    assert [p.status for p in await rig.post(foreign, later)] == ["pending_bind", "pending_bind"]
    clock.forward(11)
    await rig.tick()
    assert {row[0] for row in inbox(rig)} == {"dropped_unbound"}


@pytest.mark.tc("TC-114")
async def test_a_shared_daemons_hook_never_binds_by_the_pane_it_names(rig: Rig, clock: Clock) -> None:
    one, other = Agent(pane="%1", kind="codex"), Agent(pane="%2", kind="codex", pid=4002)
    await rig.round(one, other, panes=("%1", "%2"))
    ask = event("PermissionRequest", one, at=clock.forward(1), payload={"session_id": "th-2", "tool_name": "shell"})
    [posted] = await rig.post(ask)
    assert posted.status == "pending_bind"
    clock.forward(11)
    await rig.tick()
    assert inbox(rig) == [("dropped_unbound", "bind_no_candidate", None)]
    assert {s.state for s in rig.pipeline.repository.states.values()} == {State.UNKNOWN}


@pytest.mark.tc("TC-009")
async def test_what_no_adapter_understands_is_told_and_changes_nothing(rig: Rig, clock: Clock) -> None:
    [posted] = await rig.post(event("Stop", at=clock(), agent_type="nobody"))
    assert posted.status == "dropped_unbound"
    assert (posted.reason_code or "").startswith("not_understood")


# ------------------------------------------------ stale


@pytest.mark.tc("TC-005")
async def test_an_event_that_names_an_ended_runtime_is_refused_and_changes_nothing(rig: Rig, clock: Clock) -> None:
    old = Agent()
    await rig.round(old)
    old_id = rig.runtime_id()
    clock.forward(1)
    new = Agent(pid=4002, start="200")
    new.levels = {}
    await rig.round(new)
    await rig.post(event(PROMPT, new, at=clock.forward(1)))
    before, published = rig.the_state(), list(rig.published)
    late = replace(event(STOP, old, at=clock.forward(1)), runtime_id=old_id)
    [posted] = await rig.post(late)
    assert (posted.status, posted.reason_code, posted.runtime_id) == ("stale_runtime", "E_RUNTIME_STALE", old_id)
    assert rig.the_state() == before
    assert rig.published == published
    assert rig.rows("SELECT applied FROM events WHERE runtime_id = ?", old_id) == [("stale_runtime",)]


@pytest.mark.tc("TC-005")
async def test_a_hook_of_the_process_before_does_not_speak_for_the_one_in_its_pane_now(rig: Rig, clock: Clock) -> None:
    old, new = Agent(), Agent(pid=4002, start="200")
    await rig.round(old)
    clock.forward(1)
    await rig.round(new)
    await rig.post(event(STOP, old, at=clock.forward(1)))
    clock.forward(11)
    await rig.tick()
    assert inbox(rig) == [("dropped_unbound", "bind_no_candidate", None)]
    assert rig.the_state().state is State.UNKNOWN


@pytest.mark.tc("TC-005")
async def test_an_event_that_names_a_runtime_nobody_knows_is_refused(rig: Rig, clock: Clock) -> None:
    [posted] = await rig.post(event(STOP, at=clock(), runtime_id="rt-0123456789abcdef"))
    assert posted.status == "stale_runtime"
    assert rig.rows("SELECT count(*) FROM events") == [(0,)]


# ------------------------------------------------ duplicates, lateness


@pytest.mark.tc("TC-007")
async def test_a_duplicate_is_applied_once_and_told_so(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    start = event(PROMPT, agent, at=clock.forward(1))
    await rig.post(start)
    await rig.post(event(STOP, agent, at=clock.forward(1)))
    before = rig.the_state()
    again = replace(start, ingested_at=clock.forward(1))
    assert [p.status for p in await rig.post(again, again)] == ["duplicate", "duplicate"]
    assert rig.the_state() == before
    assert before.state is State.COMPLETED
    assert rig.rows("SELECT count(*) FROM events") == [(2,)]


@pytest.mark.tc("TC-007")
async def test_two_occurrences_with_the_same_words_are_two(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    for _ in range(2):
        assert [p.status for p in await rig.post(event(STOP, agent, at=clock.forward(1)))] == ["bound"]
    assert rig.rows("SELECT count(*) FROM events") == [(2,)]


@pytest.mark.tc("TC-007")
async def test_a_duplicate_of_a_pending_event_is_one_pending_event(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    early = event(PROMPT, agent, at=clock())
    assert [p.status for p in await rig.post(early, early)] == ["pending_bind", "duplicate"]
    await rig.round(agent)
    assert [p.status for p in await rig.post(early)] == ["duplicate"]
    assert rig.rows("SELECT count(*) FROM events") == [(1,)]


@pytest.mark.tc("TC-006")
async def test_a_late_event_stays_in_history_and_changes_nothing(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    clock.forward(5)
    await rig.post(event(STOP, agent, at=clock()))
    before = rig.the_state()
    [posted] = await rig.post(event(PROMPT, agent, at=clock() - 2 * NS, ingested=clock.forward(0.1)))
    assert posted.status == "late"
    assert rig.rows("SELECT event_type, applied FROM events ORDER BY ingested_at") == [
        (STOP, "applied"), (PROMPT, "late"),
    ]  # fmt: skip
    assert rig.the_state() == before


@pytest.mark.tc("TC-049")
async def test_a_storm_of_duplicates_from_many_senders_ends_as_the_events_alone_do(
    tmp_path: Path, clock: Clock
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    agent = Agent()
    names = [PROMPT, "PreToolUse", "PermissionRequest", "PostToolUse", STOP, PROMPT, "PermissionRequest"]
    events = [
        event(name, agent, at=clock.now + (number + 1) * NS, payload={"tool_name": "Bash"})
        for number, name in enumerate(names)
    ]
    async with Rig(tmp_path / "calm.db", Clock(clock.now)) as calm:
        await calm.round(agent)
        for one in events:
            await calm.post(one)
        expected = calm.pipeline.repository
    clock.forward(20)
    async with Rig(tmp_path / "storm.db", clock) as rig:
        await rig.round(Agent())
        storm = [one for one in events for _ in range(40)]
        chance.shuffle(storm)
        parts = [storm[n::8] for n in range(8)]
        answers = await asyncio.gather(*(rig.post(*part[i : i + 7]) for part in parts for i in range(0, len(part), 7)))
        listed = [posted.status for answer in answers for posted in answer]
        assert listed.count("duplicate") == len(storm) - len(events), f"seed {seed}"
        assert rig.rows("SELECT count(*) FROM events") == [(len(events),)]
        runtime_id = rig.runtime_id()
        assert rig.pipeline.repository.registers[runtime_id] == expected.registers[runtime_id], f"seed {seed}"
        assert rig.pipeline.repository.marks[runtime_id] == expected.marks[runtime_id], f"seed {seed}"
        assert rig.the_state().state is State.WAITING_APPROVAL


@pytest.mark.tc("TC-049")
async def test_one_bad_operation_does_not_take_its_neighbours_along(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    good = event(PROMPT, agent, at=clock.forward(1))
    bad = replace(good, event_id="bad", dedupe_key="")  # refused by the table
    results = await asyncio.gather(rig.post(bad), rig.post(good), return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert not isinstance(results[1], BaseException)
    assert results[1][0].status == "bound"
    assert rig.the_state().state is State.RUNNING


@pytest.mark.tc("TC-049")
async def test_levels_tell_an_event_only_where_their_claim_changes(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.steady(agent, Source.POLLER, QUIET)
    for _ in range(20):
        clock.forward(0.25)
        await rig.round(agent)
    agent.levels[Source.POLLER] = BUSY
    for _ in range(20):
        clock.forward(0.25)
        await rig.round(agent)
    assert rig.rows("SELECT event_type FROM events ORDER BY ingested_at") == [
        (f"claim:{Claim.NOT_RUNNING}",), (f"claim:{Claim.RUNNING}",),
    ]  # fmt: skip
    assert rig.the_state().since <= clock() - ms(4700)


@pytest.mark.tc("TC-008")
async def test_the_chain_of_a_wrapped_agent_binds_by_the_process_that_runs_it(rig: Rig, clock: Clock) -> None:
    agent = Agent()
    await rig.round(agent)
    through_a_shell = (Ancestor(1, "9"), Ancestor(2, "8"), *agent.chain)
    posted = await rig.post(event(PROMPT, agent, at=clock(), chain=through_a_shell, pane_id=None, tmux_socket=None))
    assert [p.status for p in posted] == ["bound"]


# ------------------------------------------------ processes that nobody knows


@pytest.mark.tc("TC-165")
async def test_a_program_outside_tmux_that_posts_for_ever_has_tables_read_no_more_often_than_they_are_anyway(
    rig: Rig, clock: Clock
) -> None:
    for _ in range(300):
        await rig.post(event(PROMPT, at=clock.forward(1)))
    tables = [at for _, at, table in rig.refresh_requests if table]
    assert 1 <= len(tables) <= 10 + 300 // 10 + 1


@pytest.mark.tc("TC-165")
async def test_an_event_of_this_machine_makes_no_machine_behind_ssh_look_for_its_process(
    rig: Rig, clock: Clock
) -> None:
    far = Target("ssh:far", "far", "ssh", "far", False, "ok", clock(), None, None, None, {}, clock())
    await rig.pipeline.add_target(far)
    await rig.post(event(PROMPT, at=clock.forward(1)))
    assert {target for target, _, table in rig.refresh_requests if table} == {TARGET}
    rig.refresh_requests.clear()
    await rig.post(event(PROMPT, at=clock.forward(1), target_id="ssh:far"))
    assert {target for target, _, table in rig.refresh_requests if table} == {"ssh:far"}
