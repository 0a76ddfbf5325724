"""Leases are granted all or nothing, never to two, and end by time, release, takeover or the end of their agent."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.globs import Budget, compile_pattern, overlap
from agtmuxd.features.leases.requests import LeaseRequest
from tests.integration.features.leases.world import PERSON, world
from tests.rig import Clock

POOL = ("src/**", "src/*.py", "src/a*", "**/test_*.py", "src/api/**", "src/*/views.py", "src/app/*", "docs", "src/b.py")


@pytest.mark.tc("TC-785")
async def test_agents_that_race_for_overlapping_paths_never_hold_them_together(tmp_path: Path) -> None:
    """Many rounds of requests at once, each for some of the patterns; then every pair of holders is compared."""
    pick = random.Random(785)
    async with world(tmp_path) as w:
        actors = await w.agents(12)
        won = 0
        for number in range(40):
            wanted = [tuple(pick.sample(POOL, pick.randint(1, 3))) for _ in actors]
            results = await asyncio.gather(
                *(w.hold(a, *paths, ref=f"{number}") for a, paths in zip(actors, wanted, strict=True)),
                return_exceptions=True,
            )
            granted = [r for r in results if isinstance(r, list)]
            refused = [r for r in results if not isinstance(r, list)]
            assert all(isinstance(r, AgtmuxError) and r.code == "E_LEASE_CONFLICT" for r in refused)
            assert granted and refused
            opens = await w.leases.listing(ended=False, limit=1000, lease_id=None, holder=None)
            assert len(opens) == sum(map(len, granted)), "a refused request leaves nothing"
            for one in opens:
                for other in opens:
                    if one["agent_id"] != other["agent_id"]:
                        a, b = compile_pattern(one["pattern"]), compile_pattern(other["pattern"])
                        assert not overlap(a, b, Budget()), (one, other)
            for one in opens:
                actor = next(a for a in actors if a.agent_id == one["agent_id"])
                await w.leases.release(actor, one["lease_id"], one["fence"], f"release {one['fence']}")
            won += len(granted)
        assert won >= 40


@pytest.mark.tc("TC-786")
async def test_a_refusal_names_the_holder_its_pattern_its_end_and_what_to_do(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one, two = await w.agents(2)
        (held,) = await w.hold(one, "src/**")
        with pytest.raises(AgtmuxError) as caught:
            await w.hold(two, "docs", "src/a.py")
        assert caught.value.code == "E_LEASE_CONFLICT"
        for name, value in (
            ("holder", "agent:claude-1"), ("pattern", "src/**"), ("expires_at", held["expires_at"]),
            ("next_step", "wait for it with --wait, or work on something else"),
        ):  # fmt: skip
            assert caught.value.details[name] == value
        assert "agent:claude-1" in caught.value.message
        opens = await w.leases.listing(ended=True, limit=10, lease_id=None, holder=None)
        assert [item["pattern"] for item in opens] == ["src/**"], "nothing of the refused request is held"
        (same,) = await w.hold(one, "src/**")
        assert (same["lease_id"], same["fence"]) == (held["lease_id"], held["fence"]), "own overlap is no conflict"
        await w.hold(one, "src/a.py")
        await w.hold(two, "src/b.py", advisory=True)
        await w.hold(PERSON, "other/**", mode="shared")
        await w.hold(two, "other/x", mode="shared")


@pytest.mark.tc("TC-786")
async def test_a_request_that_is_repeated_gets_its_answer_again_and_another_with_its_ref_is_refused(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        first = await w.hold(PERSON, "src/**", names=("db",), ref="once")
        assert await w.hold(PERSON, "src/**", names=("db",), ref="once") == first
        with pytest.raises(AgtmuxError, match="use a new one") as caught:
            await w.hold(PERSON, "docs", ref="once")
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
        assert w.rig.rows("SELECT count(*) FROM leases") == [(2,)]


@pytest.mark.tc("TC-787")
async def test_a_name_has_a_capacity_and_its_case_variants_are_the_same_name(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one, two, three = await w.agents(3)
        (first,) = await w.hold(one, names=("Build",), capacity=2)
        await w.hold(two, names=("build",))
        with pytest.raises(AgtmuxError, match="Build is held by agent:claude-1") as caught:
            await w.hold(three, names=("BUILD",))
        assert caught.value.code == "E_LEASE_CONFLICT"
        with pytest.raises(AgtmuxError, match="leave out --capacity"):
            await w.hold(three, names=("build",), capacity=5)
        await w.leases.release(one, first["lease_id"], first["fence"], "x")
        await w.hold(three, names=("BUILD",))
        with pytest.raises(AgtmuxError, match="that is you"):
            await w.hold(three, names=("build",))


@pytest.mark.tc("TC-788")
async def test_a_holder_that_ended_frees_its_lease_within_a_minute_and_its_old_fence_is_refused(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with world(tmp_path, clock) as w:
        one, two = await w.agents(2)
        (held,) = await w.hold(one, "src/**")
        await w.end(1)
        await w.leases.sweep()
        with pytest.raises(AgtmuxError, match="its holder has ended; wait a minute"):
            await w.hold(two, "src/a.py")
        clock.forward(61)
        await w.leases.sweep()
        assert (w.changes()[-1]["state"], w.changes()[-1]["end_reason"]) == ("released", "holder_gone")
        (mine,) = await w.hold(two, "src/a.py")
        assert mine["fence"] > held["fence"]
        for late in (w.leases.renew(one, held["lease_id"], held["fence"], None, "l1"),
                     w.leases.release(one, held["lease_id"], held["fence"], "l2")):  # fmt: skip
            with pytest.raises(AgtmuxError, match="has ended") as caught:
                await late
            assert caught.value.code == "E_LEASE_FENCED"


@pytest.mark.tc("TC-788")
async def test_an_end_that_is_due_is_found_by_the_request_that_needs_it_without_a_sweep(tmp_path: Path) -> None:
    clock = Clock()
    async with world(tmp_path, clock) as w:
        one, _ = await w.agents(2)
        await w.hold(PERSON, names=("db",), ttl=30_000_000_000)
        clock.forward(30)
        await w.hold(one, names=("db",))
        assert [item["state"] for item in w.changes()] == ["active", "expired", "active"]


@pytest.mark.tc("TC-788")
async def test_a_living_agent_keeps_its_lease_over_its_time_and_a_restart_and_loses_it_at_the_longest_hold(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with world(tmp_path, clock) as w:
        (one,) = await w.agents(1)
        await w.hold(one, names=("db",))
        for _ in range(5):
            clock.forward(110)
            assert await w.leases.sweep() is not None
        assert len(await w.leases.listing(ended=False, limit=9, lease_id=None, holder=None)) == 1
    async with world(tmp_path, clock) as w:
        clock.forward(110)
        await w.leases.sweep()
        (held,) = await w.leases.listing(ended=False, limit=9, lease_id=None, holder=None)
        assert held["state"] == "active"
        for _ in range(300):
            clock.forward(100)
            await w.leases.sweep()
        (last,) = await w.leases.listing(ended=True, limit=9, lease_id=None, holder=None)
        assert (last["state"], last["end_reason"]) == ("expired", "ttl")


@pytest.mark.tc("TC-788")
async def test_a_target_that_does_not_answer_neither_ends_nor_renews_a_lease(tmp_path: Path) -> None:
    clock = Clock()
    async with world(tmp_path, clock) as w:
        (one,) = await w.agents(1)
        (held,) = await w.hold(one, names=("db",))
        await w.rig.health("down", "lost")
        clock.forward(150)
        await w.leases.sweep()
        (same,) = await w.leases.listing(ended=False, limit=9, lease_id=None, holder=None)
        assert (same["state"], same["expires_at"]) == ("active", held["expires_at"])


@pytest.mark.tc("TC-789")
async def test_fences_only_grow_also_after_a_restart(tmp_path: Path) -> None:
    fences: list[int] = []
    for _ in range(3):
        async with world(tmp_path) as w:
            for _ in range(2):
                (held,) = await w.hold(PERSON, names=("db",), ref=f"n{len(fences)}")
                fences.append(held["fence"])
                await w.leases.release(PERSON, held["lease_id"], held["fence"], f"r{held['fence']}")
    assert fences == sorted(set(fences))


@pytest.mark.tc("TC-789")
async def test_taking_needs_the_right_fence_and_a_person_or_a_holder_that_is_gone(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one, two = await w.agents(2)
        held, more = await w.hold(one, "src/**", "src/api/x.py")

        def take(actor: Any, fence: int, ref: str) -> Any:
            return w.leases.take(actor, held["lease_id"], fence, None, "needed", ref)

        with pytest.raises(AgtmuxError, match="only a person may take it") as caught:
            await take(two, held["fence"], "1")
        assert caught.value.code == "E_LEASE_CONFLICT"
        with pytest.raises(AgtmuxError, match="has the fence") as caught:
            await take(PERSON, held["fence"] - 1, "2")
        assert caught.value.code == "E_LEASE_FENCED"
        answer = await take(PERSON, held["fence"], "3")
        assert {item["pattern"] for item in answer["items"]} == {"src/**", "src/api/x.py"}, "all that overlaps"
        assert all(item["mine"] and item["fence"] > more["fence"] for item in answer["items"])
        with pytest.raises(AgtmuxError, match="taken by person") as caught:
            await w.leases.renew(one, held["lease_id"], held["fence"], None, "4")
        assert caught.value.code == "E_LEASE_FENCED"
        (gone,) = await w.hold(one, names=("db",))
        await w.end(1)
        await w.leases.sweep()
        taken = await w.leases.take(two, gone["lease_id"], gone["fence"], None, None, "5")
        assert taken["taken_from"] == "agent:claude-1"


@pytest.mark.tc("TC-789")
async def test_only_the_holder_renews_and_only_it_or_a_person_releases(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one, two = await w.agents(2)
        (held,) = await w.hold(one, "src/**")
        for call in (w.leases.renew(two, held["lease_id"], held["fence"], None, "a"),
                     w.leases.renew(PERSON, held["lease_id"], held["fence"], None, "b"),
                     w.leases.release(two, held["lease_id"], held["fence"], "c")):  # fmt: skip
            with pytest.raises(AgtmuxError, match="held by agent:claude-1, not by you") as caught:
                await call
            assert caught.value.code == "E_FORBIDDEN"
        ended = await w.leases.release(PERSON, held["lease_id"], held["fence"], "d")
        assert ended["item"]["end_reason"] == "released by person"
        with pytest.raises(AgtmuxError) as caught:
            await w.leases.release(one, "no-such-lease", 5, "e")
        assert caught.value.code == "E_NOT_FOUND"


@pytest.mark.tc("TC-790")
async def test_a_check_says_what_acquire_would_and_writes_nothing(tmp_path: Path) -> None:
    clock = Clock()
    async with world(tmp_path, clock) as w:
        one, two = await w.agents(2)
        await w.hold(one, "src/**")
        before = (len(w.rig.published), w.rig.rows("SELECT * FROM leases"), w.rig.rows("SELECT * FROM fence_seq"))
        wanted = LeaseRequest(w.git_dir, ("src/a.py",), ("db",))
        assert [item["pattern"] for item in await w.leases.check(two, wanted)] == ["src/**"]
        assert await w.leases.check(one, wanted) == []
        clock.forward(9 * 3600)
        assert await w.leases.check(two, wanted) == [], "what has run out refuses nobody"
        assert before == (
            len(w.rig.published), w.rig.rows("SELECT * FROM leases"), w.rig.rows("SELECT * FROM fence_seq")
        )  # fmt: skip


@pytest.mark.tc("TC-790")
async def test_old_leases_and_answers_are_deleted_and_open_ones_stay(tmp_path: Path) -> None:
    clock = Clock()
    async with world(tmp_path, clock) as w:
        (old,) = await w.hold(PERSON, names=("old",))
        await w.leases.release(PERSON, old["lease_id"], old["fence"], "x")
        clock.forward(8 * 86400)
        await w.hold(PERSON, names=("new",))
        assert await w.rig.store.run(lambda connection: w.leases.purge(connection, clock())) == 3
        assert w.rig.rows("SELECT state FROM leases") == [("active",)]
