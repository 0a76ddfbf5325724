"""Waits over a real store and stream: they sleep until something changes, and no restart loses them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import parse
from agtmuxd.core.actor import Actor
from agtmuxd.features.waits.routes import WaitItem
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync
from tests.integration.features.waits.stand import PERSON, Flags, Stand, standing
from tests.rig import Clock

AGENT = Actor(agent_id="a-1", name="builder", team="web")
OTHER = Actor(agent_id="a-2", name="tester")


async def code(work: object) -> str:
    with pytest.raises(AgtmuxError) as caught:
        await work  # type: ignore[misc]
    return caught.value.code


@pytest.mark.tc("TC-753")
async def test_a_condition_that_is_met_already_ends_the_wait_at_once(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        stand.flags.up.add("a")
        item = await stand.wait("flag:a", "flag:b", mode="any")
        WaitItem.model_validate(item)
        assert (item["state"], item["met"]) == ("met", 1)
        assert [one["state"] for one in item["conditions"]] == ["met", "open"]
        assert item["conditions"][0]["result"] == {"flag": "a", "agent": None}


@pytest.mark.tc("TC-753")
@pytest.mark.parametrize(("mode", "at_least", "needed"), [("any", None, 1), ("all", None, 3), ("at_least", 2, 2)])
async def test_a_wait_ends_when_enough_conditions_were_met_in_any_order(
    tmp_path: Path, mode: str, at_least: int | None, needed: int
) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        item = await stand.wait("flag:a", "flag:b", "flag:c", mode=mode, at_least=at_least)
        for number, name in enumerate("cab"[:needed], 1):
            stand.flags.up.clear()  # what was met once counts, although it is otherwise by now
            assert (await stand.waits.get(item["wait_id"], 0))["state"] == "open"
            await stand.raise_flag(name)
            await stand.settle()
            assert (await stand.waits.get(item["wait_id"], 0))["met"] == number
        assert (await stand.over(item["wait_id"]))["state"] == "met"
        changes = [c for _, some in stand.rig.published for c in some.get("coord", ()) if c.identity["kind"] == "wait"]
        assert [c.item and c.item["met"] for c in changes] == list(range(needed + 1)), "watchers see each step"


@pytest.mark.tc("TC-754")
async def test_only_what_a_condition_wakes_on_makes_it_look(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        for _ in range(50):
            await stand.wait("flag:a")
        assert stand.waits.health().counters == {"open": 50}
        await stand.settle()
        stand.flags.checks.clear()
        await stand.rig.pipeline.write(lambda _, publish: publish("lease", "l", {"name": "l"}))
        await stand.runs()
        await stand.settle()
        assert stand.flags.checks == []
        await stand.raise_flag("other")
        await stand.settle()
        assert len(stand.flags.checks) == 50


@pytest.mark.tc("TC-755")
async def test_a_wait_survives_a_restart_and_counts_what_happened_meanwhile(tmp_path: Path) -> None:
    clock, flags = Clock(), Flags()
    async with standing(tmp_path / "a.db", clock, flags=flags) as stand:
        half = await stand.wait("flag:a", "flag:b")
        meanwhile, late = await stand.wait("flag:c"), await stand.wait("flag:d", timeout=5)
        both = await stand.wait("flag:c", "flag:d", timeout=5)
        await stand.raise_flag("a")
        await stand.settle()
    flags.up = {"b", "c"}
    clock.forward(10)
    async with standing(tmp_path / "a.db", clock, flags=flags) as stand:
        assert [(await stand.over(one["wait_id"]))["state"] for one in (half, meanwhile, late)] == [
            "met", "met", "timeout"
        ]  # fmt: skip
        over = await stand.over(both["wait_id"])
        assert (over["state"], over["met"]) == ("timeout", 1), "what was met in time is in the result"
    async with standing(tmp_path / "a.db", clock, flags=flags) as stand:
        assert (await stand.over(half["wait_id"]))["met"] == 2, "who comes back later gets the result"


@pytest.mark.tc("TC-755")
async def test_one_request_makes_one_wait_also_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with standing(tmp_path / "a.db", clock) as stand:
        first = await stand.wait("flag:a", ref="request-x")
    async with standing(tmp_path / "a.db", clock) as stand:
        again = await stand.wait("flag:a", ref="request-x")
        assert again["wait_id"] == first["wait_id"]
        assert await code(stand.wait("flag:b", ref="request-x")) == "E_IDEMPOTENCY_CONFLICT"
        other = await stand.wait("flag:b", ref="request-x", actor=AGENT)
        assert other["wait_id"] != first["wait_id"]


@pytest.mark.tc("TC-756")
async def test_a_wait_ends_at_its_time_by_the_daemons_clock_with_what_was_met(tmp_path: Path) -> None:
    clock = Clock()
    async with standing(tmp_path / "a.db", clock) as stand:
        item = await stand.wait("flag:a", "flag:b", timeout=30)
        await stand.raise_flag("a")
        await stand.settle()
        clock.forward(29)
        await stand.waits.end_due()
        assert (await stand.waits.get(item["wait_id"], 0))["state"] == "open"
        blocked = asyncio.create_task(stand.over(item["wait_id"]))
        await stand.settle()
        clock.forward(1)
        await stand.waits.end_due()
        over = await blocked
        assert (over["state"], [one["state"] for one in over["conditions"]]) == ("timeout", ["met", "open"])
        short = await stand.wait("flag:c", timeout=0.0)
        assert short["state"] == "timeout"


@pytest.mark.tc("TC-756")
async def test_the_end_of_time_needs_nobody_who_asks(tmp_path: Path) -> None:
    """The task of the feature ends it: the clock of this test does not stand still."""
    from agtmuxd.clock import Clock as RealClock

    real = RealClock()
    async with standing(tmp_path / "a.db", real) as stand:  # type: ignore[arg-type]
        item = await stand.wait("flag:a", timeout=0.05)
        assert (await stand.over(item["wait_id"]))["state"] == "timeout"


@pytest.mark.tc("TC-757")
async def test_a_condition_that_can_never_be_met_any_more_is_gone_and_ends_what_needs_it(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        every, one = await stand.wait("flag:a", "flag:b"), await stand.wait("flag:a", "flag:b", mode="any")
        stand.flags.gone.add("a")
        await stand.raise_flag()
        over = await stand.over(every["wait_id"])
        assert (over["state"], over["conditions"][0]["reason"]) == ("failed", "gone: a")
        assert (await stand.waits.get(one["wait_id"], 0))["state"] == "open"
        await stand.raise_flag("b")
        assert (await stand.over(one["wait_id"]))["state"] == "met"


@pytest.mark.tc("TC-757")
async def test_a_check_that_fails_is_made_again_and_ends_no_other_wait(tmp_path: Path) -> None:
    clock = Clock()
    async with standing(tmp_path / "a.db", clock) as stand:
        item = await stand.wait("flag:a")
        await stand.settle()
        stand.flags.fails = 1
        await stand.raise_flag("a")
        await stand.settle()
        assert (await stand.waits.get(item["wait_id"], 0))["state"] == "open"
        clock.forward(1)
        await stand.waits.end_due()
        assert (await stand.over(item["wait_id"]))["state"] == "met"


@pytest.mark.tc("TC-754")
async def test_changes_that_were_lost_are_made_up_for(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        item = await stand.wait("flag:a")
        await stand.settle()
        stand.flags.up.add("a")
        await stand.waits.on_changes(Batch(9, 9, {}))
        assert (await stand.waits.get(item["wait_id"], 0))["state"] == "open"
        await stand.waits.on_resync(Resync.OVERFLOW)
        assert (await stand.over(item["wait_id"]))["state"] == "met"


@pytest.mark.tc("TC-758")
async def test_agents_list_and_cancel_only_their_own_waits(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        mine, yours = await stand.wait("flag:a", actor=AGENT), await stand.wait("flag:a", actor=OTHER)
        assert await code(stand.waits.cancel(AGENT, yours["wait_id"])) == "E_NOT_FOUND"
        listed = [[one["wait_id"] for one in await stand.waits.listing(who, "open", 9)] for who in (AGENT, PERSON)]
        assert listed == [[mine["wait_id"]], [yours["wait_id"], mine["wait_id"]]]
        blocked = asyncio.create_task(stand.over(mine["wait_id"]))
        await stand.settle()
        assert (await stand.waits.cancel(AGENT, mine["wait_id"]))["state"] == "cancelled"
        assert (await blocked)["state"] == "cancelled"
        assert (await stand.waits.cancel(PERSON, mine["wait_id"]))["state"] == "cancelled"
        assert await code(stand.waits.get("no-such-wait", 0)) == "E_NOT_FOUND"


@pytest.mark.tc("TC-758")
async def test_open_waits_have_a_limit_for_each_agent_and_for_all(tmp_path: Path) -> None:
    settings = parse("[waits]\nopen = 3\nopen_of_agent = 1", "c.toml")
    async with standing(tmp_path / "a.db", Clock(), settings) as stand:
        await stand.wait("flag:a", actor=AGENT)
        assert await code(stand.wait("flag:b", actor=AGENT)) == "E_QUEUE_FULL"
        first = await stand.wait("flag:b")
        await stand.wait("flag:b")
        assert await code(stand.wait("flag:b")) == "E_QUEUE_FULL"
        await stand.waits.cancel(PERSON, first["wait_id"])
        await stand.wait("flag:b")


@pytest.mark.tc("TC-758")
async def test_a_rule_may_refuse_an_agent_to_wait(tmp_path: Path) -> None:
    rule = '[[policies]]\neffect = "deny"\nsubject = "agent:builder"\nverb = "wait"\n'
    async with standing(tmp_path / "a.db", Clock(), parse(rule, "c.toml")) as stand:
        assert await code(stand.wait("flag:a", actor=AGENT)) == "E_POLICY_DENIED"
        await stand.wait("flag:a", actor=OTHER)


@pytest.mark.tc("TC-757")
async def test_a_wait_for_what_this_daemon_does_not_know_any_more_fails_clearly(tmp_path: Path) -> None:
    clock = Clock()
    async with standing(tmp_path / "a.db", clock) as stand:
        item = await stand.wait("flag:a")
        await stand.rig.store.run(
            lambda c: c.execute("""UPDATE waits SET conditions_json = replace(conditions_json, '"flag"', '"flog"')""")
        )
    async with standing(tmp_path / "a.db", clock) as stand:
        over = await stand.over(item["wait_id"])
        assert (over["state"], over["conditions"][0]["reason"]) == ("failed", "this daemon knows no flog:")


@pytest.mark.tc("TC-756")
async def test_old_results_are_deleted_and_open_waits_stay(tmp_path: Path) -> None:
    clock = Clock()
    async with standing(tmp_path / "a.db", clock) as stand:
        over = await stand.wait("flag:a", timeout=0)
        await stand.wait("flag:a", timeout=40 * 86_400)
        clock.forward(8 * 86_400)

        async def purged(one: Stand) -> int:
            return await one.rig.store.run(lambda c: one.waits.purge(c, clock()))

        assert (await purged(stand), await purged(stand)) == (1, 0)
        assert await code(stand.waits.get(over["wait_id"], 0)) == "E_NOT_FOUND"
