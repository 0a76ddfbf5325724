"""A message is stored with one delivery for each recipient, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.model import BURST, NS, QUEUE_DEPTH, Kind, Priority
from tests.integration.features.messages.stand import PERSON, new, opened, ref
from tests.rig import Clock


@pytest.mark.tc("TC-673")
async def test_a_message_of_a_person_is_queued_for_the_pane_and_wakes_the_engine(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        item = await mail.send(PERSON, "look at hunter2", to=("claude-2", "person"), subject="hi")
        assert (item["sender"], item["kind"], item["body"]) == ("person", "note", "look at [redacted]")
        routes = [(d["agent"], d["route"], d["state"]) for d in item["deliveries"]]
        assert routes == [("claude-2", "pane", "queued"), (None, "pull", "queued")]
        assert mail.woken == [mail.id(2)]
        (published,) = mail.coord("message")
        assert published is not None and "subject" not in published and "body" not in published
        assert [d["agent"] for d in mail.coord("delivery") if d] == ["claude-2", None]
        kept = mail.rig.rows("SELECT body FROM messages UNION ALL SELECT body FROM messages_fts")
        assert "hunter2" not in str(kept)


@pytest.mark.tc("TC-673")
async def test_a_message_of_an_agent_waits_in_the_inbox_until_the_team_lets_it_be_typed(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        await mail.team("web", 3, deliver="pane")
        item = await mail.send(mail.actor(1), to=("claude-2", "claude-3"))
        assert {d["agent_id"]: d["route"] for d in item["deliveries"]} == {mail.id(2): "pull", mail.id(3): "pane"}
        assert item["sender"] == "agent:claude-1"


@pytest.mark.tc("TC-668")
async def test_the_same_request_sends_once_and_another_one_of_that_name_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        name = ref()
        first = await mail.send(request_ref=name)
        assert (await mail.send(request_ref=name))["message_id"] == first["message_id"]
        assert mail.rig.rows("SELECT count(*) FROM messages") == [(1,)]
        with pytest.raises(AgtmuxError) as caught:
            await mail.send(request_ref=name, body="another")
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
    async with opened(tmp_path) as mail:
        assert (await mail.send(request_ref=name))["message_id"] == first["message_id"], "after a restart"


@pytest.mark.tc("TC-674")
async def test_a_wrong_name_stores_nothing_and_lists_candidates(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        for to in (("claude-2", "claud"), ("runtime:rt-0000000000000000",)):
            with pytest.raises(AgtmuxError) as caught:
                await mail.send(to=to)
            assert caught.value.code in ("E_AGENT_NOT_FOUND", "E_REF_NOT_FOUND")
        assert mail.rig.rows("SELECT count(*) FROM messages") == [(0,)]
        item = await mail.send(to=(f"runtime:{mail.rig.runtime_id('%2')}", "CLAUDE-2"))
        assert [d["agent"] for d in item["deliveries"]] == ["claude-2"], "two names of one agent"


@pytest.mark.tc("TC-675")
async def test_a_full_queue_refuses_the_message_for_all_recipients(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        for _ in range(QUEUE_DEPTH):
            await mail.send()
        with pytest.raises(AgtmuxError) as caught:
            await mail.send(to=("claude-1", "claude-2"))
        assert (caught.value.code, caught.value.details) == (
            "E_QUEUE_FULL", {"recipients": ["claude-2"], "cap": QUEUE_DEPTH}
        )  # fmt: skip
        assert (await mail.inbox(PERSON, "claude-1"))["items"] == []


@pytest.mark.tc("TC-676")
async def test_an_agent_that_sends_too_much_is_asked_to_wait_and_people_are_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        for _ in range(BURST):
            await mail.send(mail.actor(1))
        with pytest.raises(AgtmuxError) as caught:
            await mail.send(mail.actor(1))
        assert caught.value.code == "E_RATE_LIMITED" and caught.value.details["retry_after_s"] == 2
        await mail.send(mail.actor(1), to=("claude-3",))
        await mail.send(PERSON)
        mail.rig.clock.forward(2)
        await mail.send(mail.actor(1))


@pytest.mark.tc("TC-677")
async def test_a_reply_goes_to_the_sender_stays_in_the_thread_and_acknowledges(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        asked = await mail.send(mail.actor(1), "which port?", kind=Kind.QUESTION)
        mail.woken.clear()
        answer = await mail.send(mail.actor(2), "8080", parent=str(asked["seq"]))
        assert (answer["kind"], answer["parent_id"], answer["thread_id"], answer["hop"]) == (
            "answer", asked["message_id"], asked["message_id"], 1
        )  # fmt: skip
        assert [d["agent"] for d in answer["deliveries"]] == ["claude-1"]
        (delivery,) = (await mail.messages.show(mail.actor(1), asked["message_id"]))["deliveries"]
        assert delivery["state"] == "acked"
        assert set(mail.woken) == {mail.id(1), mail.id(2)}
        again = await mail.send(mail.actor(1), "thanks", parent=asked["message_id"])
        assert [d["agent"] for d in again["deliveries"]] == ["claude-2"], "a reply to one's own message"


@pytest.mark.tc("TC-677")
async def test_an_agents_reply_to_a_person_goes_to_people(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        task = await mail.send(PERSON, "fix it", kind=Kind.TASK)
        result = await mail.send(mail.actor(2), "fixed", parent=task["message_id"])
        assert (result["kind"], [d["agent_id"] for d in result["deliveries"]]) == ("result", [None])
        assert [one["preview"] for one in (await mail.inbox(PERSON))["items"]] == ["fixed"]


@pytest.mark.tc("TC-661")
async def test_two_agents_that_only_reply_to_each_other_are_stopped(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        last = await mail.send(mail.actor(1))
        for turn in range(8):
            mail.rig.clock.forward(5)
            last = await mail.send(mail.actor(2 - turn % 2), parent=last["message_id"])
        with pytest.raises(AgtmuxError) as caught:
            await mail.send(mail.actor(2), parent=last["message_id"])
        assert caught.value.details["rule"] == "hop"
        last = await mail.send(PERSON, parent=last["message_id"])
        assert last["hop"] == 0


@pytest.mark.tc("TC-674")
async def test_nobody_replies_to_a_message_that_it_may_not_see(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        secret = await mail.send(mail.actor(1))
        with pytest.raises(AgtmuxError) as caught:
            await mail.send(mail.actor(3), parent=secret["message_id"])
        assert caught.value.code == "E_NOT_FOUND"
        with pytest.raises(AgtmuxError):
            await mail.send(mail.actor(3), kind=Kind.TASK, depends_on=(secret["message_id"],))


@pytest.mark.tc("TC-665")
async def test_urgent_messages_come_first_and_expire_sooner(tmp_path: Path) -> None:
    async with opened(tmp_path, Clock()) as mail:
        normal = await mail.send()
        urgent = await mail.send(priority=Priority.URGENT)
        one, two = normal["deliveries"][0], urgent["deliveries"][0]
        assert two["position"] < one["position"]
        assert urgent["expires_at"] < normal["expires_at"]


@pytest.mark.tc("TC-660")
async def test_fields_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        now = mail.rig.clock.now
        for wrong in (
            {"reply_by": now + NS}, {"reply_by": now - NS, "kind": Kind.QUESTION}, {"depends_on": ("1",)},
        ):  # fmt: skip
            with pytest.raises(AgtmuxError):
                await mail.messages.send(PERSON, new(**wrong))
        assert mail.rig.rows("SELECT count(*) FROM messages") == [(0,)]
