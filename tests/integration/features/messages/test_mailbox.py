"""Receipts, reactions and cancellations: by whom, once, and what others see of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.model import Kind, Reaction
from tests.integration.features.messages.stand import PERSON, opened, ref


@pytest.mark.tc("TC-681")
async def test_each_recipient_gives_its_own_receipts(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        item = await mail.send(mail.actor(1), to=("claude-2", "claude-3"))
        name = item["message_id"]
        await mail.messages.receipt(mail.actor(2), "read", name, ref())
        await mail.messages.receipt(mail.actor(3), "ack", str(item["seq"]), ref())
        seen = (await mail.messages.show(mail.actor(1), name))["deliveries"]
        assert [(d["agent"], d["state"]) for d in seen] == [("claude-2", "read"), ("claude-3", "acked")]
        own = (await mail.messages.show(mail.actor(2), name))["deliveries"]
        assert [d["agent"] for d in own] == ["claude-2"], "a recipient sees only its own delivery"
        for outsider in (PERSON, mail.actor(1)):
            with pytest.raises(AgtmuxError, match="not sent to you"):
                await mail.messages.receipt(outsider, "ack", name, ref())
        reader = await mail.messages.receipt(PERSON, "read", name, ref())
        assert [d["state"] for d in reader["deliveries"]] == ["read", "acked"], "a person who looks marks nothing"


@pytest.mark.tc("TC-681")
async def test_showing_a_message_is_no_receipt_but_reading_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        name = (await mail.send())["message_id"]
        assert (await mail.messages.show(mail.actor(2), name))["deliveries"][0]["read_at"] is None
        mail.woken.clear()
        await mail.messages.receipt(mail.actor(2), "read", name, ref())
        assert mail.woken == [mail.id(2)], "the engine must not type what was read"


@pytest.mark.tc("TC-672")
async def test_a_reaction_counts_once_and_wakes_no_pane(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        name = (await mail.send(mail.actor(1)))["message_id"]
        mail.woken.clear()
        for _ in range(2):
            await mail.messages.react(mail.actor(2), name, Reaction.DONE, ref())
        mail.rig.clock.forward(1)
        await mail.messages.react(PERSON, name, Reaction.DONE, ref())
        item = await mail.messages.show(PERSON, name)
        assert [(r["agent"], r["reaction"]) for r in item["reactions"]] == [("claude-2", "done"), (None, "done")]
        assert item["deliveries"][0]["state"] == "queued"
        assert mail.woken == []
        assert len(mail.coord("reaction")) == 2


@pytest.mark.tc("TC-679")
async def test_a_message_is_cancelled_by_its_sender_or_a_person_before_it_is_delivered(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        name = (await mail.send(mail.actor(1), to=("claude-2", "claude-3")))["message_id"]
        with pytest.raises(AgtmuxError) as caught:
            await mail.messages.cancel(mail.actor(2), name, ref())
        assert caught.value.code == "E_FORBIDDEN"
        await mail.messages.receipt(mail.actor(2), "read", name, ref())
        item = await mail.messages.cancel(mail.actor(1), name, ref())
        assert [d["state"] for d in item["deliveries"]] == ["read", "cancelled"]
        assert (await mail.inbox(mail.actor(3)))["items"] == []
        with pytest.raises(AgtmuxError) as caught:
            await mail.messages.cancel(PERSON, name, ref())
        assert caught.value.code == "E_PRECONDITION_FAILED"


@pytest.mark.tc("TC-668")
async def test_the_same_receipt_is_taken_once_and_its_name_is_for_it_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        one, two = (await mail.send())["message_id"], (await mail.send())["message_id"]
        name = ref()
        await mail.messages.receipt(mail.actor(2), "ack", one, name)
        at = (await mail.messages.show(PERSON, one))["deliveries"][0]["acked_at"]
        mail.rig.clock.forward(5)
        again = await mail.messages.receipt(mail.actor(2), "ack", one, name)
        assert again["deliveries"][0]["acked_at"] == at
        for what, message in (("ack", two), ("read", one)):
            with pytest.raises(AgtmuxError) as caught:
                await mail.messages.receipt(mail.actor(2), what, message, name)
            assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"


@pytest.mark.tc("TC-682")
async def test_a_task_is_ready_when_the_results_that_it_needs_are_acknowledged(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        first = await mail.send(mail.actor(1), "build", kind=Kind.TASK, to=("claude-2",))
        then = await mail.send(mail.actor(1), "test", kind=Kind.TASK, to=("claude-3",), depends_on=(str(first["seq"]),))
        assert (first["ready"], then["ready"], then["depends_on"]) == (True, False, [first["message_id"]])
        await mail.send(mail.actor(2), "busy", kind=Kind.NOTE, parent=first["message_id"])
        result = await mail.send(mail.actor(2), "built", parent=first["message_id"])
        assert (await mail.messages.show(PERSON, then["message_id"]))["ready"] is False, "nobody accepted the result"
        await mail.messages.receipt(mail.actor(1), "ack", result["message_id"], ref())
        assert (await mail.messages.show(PERSON, then["message_id"]))["ready"] is True
        last = mail.coord("message")[-1]
        assert last is not None and (last["message_id"], last["ready"]) == (then["message_id"], True)


@pytest.mark.tc("TC-680")
async def test_a_dead_delivery_is_tried_once_more_or_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        names = []
        for _ in range(2):
            (delivery,) = (await mail.send())["deliveries"]
            names.append(delivery["delivery_id"])
        await mail.rig.store.run(lambda c: c.execute("UPDATE deliveries SET state = 'dead', attempts = 5"))
        mail.woken.clear()
        again = await mail.messages.failed(PERSON, "retry", names[0], ref())
        assert (again["state"], again["attempts"], mail.woken) == ("queued", 4, [mail.id(2)])
        assert (await mail.messages.failed(PERSON, "drop", names[1], ref()))["state"] == "cancelled"
        assert len(mail.coord("dead_letter")) == 2
        with pytest.raises(AgtmuxError) as caught:
            await mail.messages.failed(PERSON, "retry", "d-nothing", ref())
        assert caught.value.code == "E_NOT_FOUND"
