"""Signals over a real store: sent once, within limits, without secrets, and read in order across restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import Settings, parse
from agtmuxd.core.actor import Actor
from agtmuxd.features.signals.routes import SignalItem, TopicItem
from agtmuxd.features.signals.service import Signals
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.policy.policy import Policy
from tests.fake_services import target
from tests.rig import Clock, Rig

AGENT = Actor(agent_id="a-1", name="builder", team="web")
PERSON = Actor()


def made(rig: Rig, text: str = "") -> Signals:
    settings = parse(text, "c.toml") if text else Settings()
    return Signals(
        envelope=Envelope(rig.clock, lambda: [target()]), store=rig.store, write=rig.pipeline.write,
        allow=Policy(lambda: settings).allow, redact=Redactor(list), settings=lambda: settings.signals, clock=rig.clock,
    )  # fmt: skip


async def code(work: Any) -> tuple[str, dict[str, object]]:
    with pytest.raises(AgtmuxError) as caught:
        await work
    return caught.value.code, caught.value.details


async def read(signals: Signals, topics: str | None, **more: Any) -> Any:
    return await signals.read(PERSON, topics, **({"after": None, "consumer": None, "limit": 100} | more))


@pytest.mark.tc("TC-748")
async def test_a_signal_goes_into_the_stream_without_its_data_and_is_stored_without_secrets(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        signals, secret = made(rig), "sk-ant-REDACTED" + "A1b2C3d4" * 6
        item, replayed = await signals.send(AGENT, "team/web/built", {"ok": True, "key": secret}, "request-1")
        assert not replayed
        (change,) = rig.published[-1][1]["coord"]
        assert change.identity == {"kind": "signal", "id": item["signal_id"]}
        assert change.item == item
        assert (item["topic"], item["sender"], item["seq"]) == ("team/web/built", "agent:builder", 1)
        assert item["payload_bytes"] == len(f'{{"ok":true,"key":"{secret}"}}')
        assert "data" not in item
        ((stored,),) = rig.rows("SELECT payload_json FROM signals")
        assert secret not in stored
        whole = await signals.find(PERSON, item["signal_id"])
        assert SignalItem.model_validate(whole).data["ok"] is True
        assert await signals.find(PERSON, "1") == whole
        assert (await code(signals.find(PERSON, "2")))[0] == "E_NOT_FOUND"


@pytest.mark.tc("TC-748")
async def test_one_request_sends_once_also_twice_at_once_and_another_with_its_name_is_refused(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        signals = made(rig)
        twice = await asyncio.gather(*(signals.send(AGENT, "team/web/a", 1, "request-1") for _ in range(5)))
        assert len({item["signal_id"] for item, _ in twice}) == 1
        assert sorted(replayed for _, replayed in twice) == [False, True, True, True, True]
        assert (await code(signals.send(AGENT, "team/web/a", 2, "request-1")))[0] == "E_IDEMPOTENCY_CONFLICT"
        await signals.send(PERSON, "team/web/a", 2, "request-1")
        assert rig.rows("SELECT count(*) FROM signals") == [(2,)]


@pytest.mark.tc("TC-744")
async def test_an_agent_sends_only_below_its_team_and_reads_what_no_rule_refuses(tmp_path: Path) -> None:
    rule = '[[policies]]\neffect = "deny"\nsubject = "agent:builder"\nverb = "read"\nobject = "topic:secret/*"\n'
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        signals = made(rig, rule)
        refused = await code(signals.send(AGENT, "team/db/a", None, "request-1"))
        assert (refused[0], refused[1]["allowed"]) == ("E_POLICY_DENIED", "team/web/")
        await signals.send(PERSON, "secret/a", 1, "request-2")
        await signals.send(PERSON, "open/a", 2, "request-3")
        for denied in (
            signals.read(AGENT, "secret/a", after=0, consumer=None, limit=9), signals.find(AGENT, "1"),
            signals.prepare("secret/a>0", AGENT),
        ):  # fmt: skip
            assert (await code(denied))[0] == "E_POLICY_DENIED"
        seen = await signals.read(AGENT, None, after=0, consumer=None, limit=9)
        assert [item["topic"] for item in seen["items"]] == ["open/a"]
        assert [item["topic"] for item in await signals.topics(AGENT, None)] == ["open/a"]
        assert len(await signals.topics(PERSON, None)) == 2
        assert seen["next_after"] == 2


@pytest.mark.tc("TC-742")
async def test_data_has_a_cap_by_topic_that_the_refusal_names(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        signals = made(rig, '[signals]\npayload_caps = {"small/*" = 10}')
        assert await code(signals.send(PERSON, "small/a", "x" * 9, "request-1")) == (
            "E_PAYLOAD_TOO_LARGE", {"bytes": 11, "cap": 10}
        )  # fmt: skip
        await signals.send(PERSON, "small/a", "x" * 8, "request-2")
        await signals.send(PERSON, "a", "x" * 65_534, "request-3")
        assert (await code(signals.send(PERSON, "a", "x" * 65_535, "request-4")))[1]["cap"] == 65_536


@pytest.mark.tc("TC-749")
async def test_an_agent_has_a_rate_for_each_topic_and_people_have_none(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        signals = made(rig)
        for number in range(10):
            await signals.send(AGENT, "team/web/a", None, f"request-{number}")
        assert await code(signals.send(AGENT, "team/web/a", None, "request-10")) == (
            "E_RATE_LIMITED", {"retry_after_s": 1.0, "topic": "team/web/a"}
        )  # fmt: skip
        _, replayed = await signals.send(AGENT, "team/web/a", None, "request-3")
        assert replayed, "a repeated request costs nothing"
        await signals.send(AGENT, "team/web/b", None, "request-11")
        for number in range(20):
            await signals.send(PERSON, "team/web/a", None, f"request-{number}")
        rig.clock.forward(1)
        await signals.send(AGENT, "team/web/a", None, "request-10")
        assert signals.health().counters == {"sent": 32, "rate_limited": 1}


@pytest.mark.tc("TC-750")
async def test_a_consumer_reads_on_after_a_restart_and_cannot_be_moved_by_another(tmp_path: Path) -> None:
    clock = Clock()
    async with Rig(tmp_path / "a.db", clock) as rig:
        signals = made(rig)
        for number in range(3):
            await signals.send(PERSON, "team/web/a", number, f"request-{number}")
        found = await read(signals, "team/web/a", consumer="me", limit=2)
        assert ([item["data"] for item in found["items"]], found["truncated"]) == ([0, 1], True)
        assert (await read(signals, "team/web/a", consumer="me"))["items"][0]["data"] == 0, "not moved: not read"
        await signals.move_cursor(PERSON, "team/web/a", "me", found["next_after"])
    async with Rig(tmp_path / "a.db", clock) as rig:
        signals = made(rig)
        assert [one["data"] for one in (await read(signals, "team/web/a", consumer="me"))["items"]] == [2]
        await signals.move_cursor(AGENT, "team/web/a", "me", 3)
        assert len((await read(signals, "team/web/a", consumer="me"))["items"]) == 1
        assert (await code(signals.move_cursor(PERSON, "team/web/a", "me", 4)))[0] == "E_CURSOR_INVALID"


@pytest.mark.tc("TC-750")
async def test_a_reader_hears_of_deleted_signals_and_of_a_place_that_is_still_to_come(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        signals = made(rig, "[signals]\ndays = 1")
        await signals.send(PERSON, "a", 1, "request-1")
        await signals.send(PERSON, "a", 2, "request-2")
        rig.clock.forward(2 * 86_400)
        await signals.send(PERSON, "a", 3, "request-3")
        await signals.send(PERSON, "b", 4, "request-4")
        assert await rig.store.run(lambda c: signals.purge(c, rig.clock())) == 2
        refused = await code(read(signals, "a", after=1))
        assert (refused[0], refused[1]["oldest_after"]) == ("E_CURSOR_EXPIRED", 2)
        assert [one["data"] for one in (await read(signals, "a", after=2))["items"]] == [3]
        assert [one["data"] for one in (await read(signals, "a"))["items"]] == [3]
        assert [one["data"] for one in (await read(signals, "b", after=1))["items"]] == [4], "nothing of b is missing"
        assert (await code(read(signals, "a", after=5)))[0] == "E_CURSOR_INVALID"
        (first, _) = await signals.topics(PERSON, None)
        assert TopicItem.model_validate(first).signals == 1


@pytest.mark.tc("TC-750")
async def test_a_clock_that_jumped_ahead_deletes_nothing(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        signals = made(rig)
        await signals.send(PERSON, "a", 1, "request-1")
        now = rig.clock()
        await rig.store.run(lambda c: c.execute("UPDATE upkeep SET forget_at = ?", (now,)))
        rig.clock.forward(365 * 86_400)
        assert await rig.store.run(lambda c: signals.purge(c, rig.clock())) == 0


@pytest.mark.tc("TC-751")
async def test_the_condition_waits_for_what_is_new_or_comes_after_a_sequence(tmp_path: Path) -> None:
    clock = Clock()
    async with Rig(tmp_path / "a.db", clock) as rig:
        signals = made(rig)
        await signals.send(PERSON, "a", 1, "request-1")
        new, after = await signals.prepare("a", PERSON), await signals.prepare("a>0", PERSON)
        assert (new, after) == ("a>1", "a>0")
        assert await signals.check(new, None) is None
        met = await signals.check(after, None)
        assert met is not None
        assert (met["seq"], "data" in met) == (1, False)
        await signals.send(PERSON, "b", 1, "request-2")
        assert await signals.check(new, None) is None
        await signals.send(PERSON, "a", 1, "request-3")
    async with Rig(tmp_path / "a.db", clock) as rig:
        met = await made(rig).check(new, None)
        assert met is not None
        assert met["seq"] == 3, "what came while the daemon was away counts"
