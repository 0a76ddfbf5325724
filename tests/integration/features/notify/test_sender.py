"""One attempt: what is written before and after it, and what a channel that misbehaves does to the rest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.notify import sender as module
from agtmuxd.features.notify.channels.contract import Channel
from agtmuxd.features.notify.message import Message, Outcome
from tests.integration.features.notify.stand import FakeChannel, Stand, asks

pytestmark = pytest.mark.tc("TC-408")


async def due(stand: Stand) -> None:
    """A prompt whose message is due now."""
    await stand.start()
    await stand.show(asks())
    stand.clock.forward(2)


async def test_the_intent_is_written_before_the_message_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(tmp_path)
    seen: list[tuple[str, int]] = []

    async def send(_self: FakeChannel, message: Message) -> Outcome:
        rows = stand.connection.execute("SELECT state, attempts FROM notify_messages").fetchall()
        seen.extend(rows)
        return Outcome(ok=True)

    monkeypatch.setattr(FakeChannel, "send", send)
    await due(stand)
    await stand.settle()
    assert seen == [("sending", 1)]
    assert stand.connection.execute("SELECT state FROM notify_messages").fetchall() == [("sent",)]
    assert stand.failpoints == [
        "notify_before_intent", "notify_after_intent", "notify_after_send", "notify_after_outcome",
    ]  # fmt: skip


async def test_a_channel_that_raises_counts_as_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(_self: FakeChannel, _message: Message) -> Outcome:
        raise RuntimeError("a new fault")

    monkeypatch.setattr(FakeChannel, "send", send)
    stand = Stand(tmp_path)
    await due(stand)
    await stand.settle()
    (channel,) = (await stand.service.status())["channels"]
    assert (channel["last_error"], channel["undelivered"]) == ("RuntimeError: a new fault", 1)


async def test_a_channel_that_cannot_be_made_counts_as_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a broken installation, for example. The others are tried all the same."""
    channels = [{"name": name, "kind": "desktop"} for name in ("broken", "desk")]
    stand = Stand(tmp_path, {"channels": channels})
    real = stand.channels.get

    def get(name: str) -> Channel | None:
        if name == "broken":
            raise ModuleNotFoundError("no module named x")
        return real(name)

    await stand.start()
    monkeypatch.setattr(stand.channels, "get", get)
    tried = {result["channel"]: (result["ok"], result["detail"]) for result in await stand.service.test(None)}
    assert tried["broken"] == (False, "ModuleNotFoundError: no module named x")
    assert tried["desk"][0] is True


async def test_a_channel_that_never_answers_is_left_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(_self: FakeChannel, _message: Message) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    monkeypatch.setattr(FakeChannel, "send", send)
    monkeypatch.setattr(module, "SECONDS", 0.01)
    stand = Stand(tmp_path)
    await due(stand)
    await stand.settle()
    (channel,) = (await stand.service.status())["channels"]
    assert channel["last_error"] == "no answer within 0.01 s"


async def test_nothing_more_is_sent_while_an_outcome_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(tmp_path)
    await due(stand)
    failures = [AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")] * 2
    conclude = stand.notifier.book.conclude

    async def fails(*given: object) -> None:
        if failures:
            raise failures.pop()
        await conclude(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(type(stand.notifier.book), "conclude", lambda _self, *given: fails(*given))
    monkeypatch.setattr(module, "STORE_AGAIN", 0.0)
    await stand.notifier.tick()
    assert stand.notifier.sender.busy == {"desk"}
    await stand.notifier.settle()
    assert (stand.notifier.sender.busy, failures) == (set(), [])
    assert len(stand.wall.shown) == 1


async def test_a_message_that_cannot_be_taken_back_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def retract(_self: FakeChannel, _handle: str) -> None:
        raise OSError("no bus")

    monkeypatch.setattr(FakeChannel, "retract", retract)
    stand = Stand(tmp_path)
    await due(stand)
    await stand.settle()
    await stand.publish({"host/%1": None})
    await stand.settle()
    assert stand.notifier.book.retracts == {}


async def test_a_test_takes_the_same_way_and_counts_for_health(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.service.mute(None, 60, None)
    assert await stand.service.test(None) == [{"channel": "desk", "ok": True, "detail": ""}]
    stand.wall.answer["desk"] = Outcome(ok=False, detail="no\x1b bus")
    assert await stand.service.test("desk") == [{"channel": "desk", "ok": False, "detail": "no bus"}]
    assert (await stand.service.status())["channels"][0]["failures"] == 1
