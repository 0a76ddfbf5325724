"""What time does: expiry, overdue answers, and what the row of a pane shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.features.messages.model import NS, Kind
from tests.integration.features.messages.stand import PERSON, Mail, opened, ref


@pytest.mark.tc("TC-691")
async def test_what_nobody_took_expires_at_its_time_and_stays_in_the_inbox(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        assert await mail.messages.upkeep.step() is None, "nothing waits: no timer"
        item = await mail.send(mail.actor(1))
        assert await mail.messages.upkeep.step() == 3600.0
        mail.rig.clock.forward(24 * 3600)
        mail.woken.clear()
        assert await mail.messages.upkeep.step() is None
        (one,) = (await mail.inbox(mail.actor(2), unread=True))["items"]
        assert (one["message_id"], one["deliveries"][0]["state"]) == (item["message_id"], "expired")
        assert mail.woken == [mail.id(2)]


async def question(mail: Mail, who: int, **more: object) -> str:
    item = await mail.send(
        mail.actor(who),
        "which port?",
        kind=Kind.QUESTION,
        reply_by=mail.rig.clock.now + 60 * NS,
        subject="port",
        **more,
    )
    return str(item["message_id"])


@pytest.mark.tc("TC-692")
async def test_an_answer_in_time_is_no_matter_and_a_late_one_is_noticed_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        await mail.team("web", 1, 2, escalate_to="claude-3")
        answered, late = await question(mail, 1), await question(mail, 1)
        await mail.send(mail.actor(2), "8080", parent=answered)
        assert 59 < (await mail.messages.upkeep.step() or 0) <= 60
        mail.rig.clock.forward(61)
        await mail.messages.upkeep.step()
        await mail.messages.upkeep.step()
        (notice,) = (await mail.inbox(mail.actor(3)))["items"]
        assert (notice["sender"], notice["subject"], notice["refs"]) == (
            "agtmux", "No answer in time: port", [{"message": late}]
        )  # fmt: skip
        asks = mail.asks(1)
        assert asks is not None and (asks["message_id"], asks["attention"], asks["overdue"]) == (
            late, "needs_action", True
        )  # fmt: skip
        await mail.send(mail.actor(2), "8081", parent=late)
        assert mail.asks(1) is None
    async with opened(tmp_path) as mail:
        await mail.messages.upkeep.step()
        assert len((await mail.inbox(PERSON, "claude-3"))["items"]) == 1, "once, also after a restart"


@pytest.mark.tc("TC-692")
async def test_without_a_team_the_row_shows_it_and_a_person_who_asked_gets_a_message(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        mine = await question(mail, 1)
        await mail.send(PERSON, "well?", kind=Kind.QUESTION, reply_by=mail.rig.clock.now + 60 * NS)
        mail.rig.clock.forward(61)
        await mail.messages.upkeep.step()
        asks = mail.asks(1)
        assert asks is not None and asks["message_id"] == mine
        (notice,) = (await mail.inbox(PERSON))["items"]
        assert notice["subject"] == "No answer in time: message 2"


@pytest.mark.tc("TC-693")
async def test_a_blocker_draws_attention_at_once_until_somebody_takes_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        blocker = await mail.send(mail.actor(1), "no access", kind=Kind.BLOCKER, to=("claude-2",))
        asks = mail.asks(1)
        assert asks is not None and (asks["kind"], asks["attention"], asks["count"]) == ("blocker", "needs_action", 1)
        assert "subject" not in asks and "body" not in asks
        await mail.messages.receipt(mail.actor(2), "ack", blocker["message_id"], ref())
        assert mail.asks(1) is None
        asked = await mail.send(mail.actor(1), "may I?", kind=Kind.QUESTION, to=("person",))
        await mail.messages.receipt(PERSON, "read", asked["message_id"], ref())
        assert mail.asks(1) is not None, "read is not answered"
        await mail.send(PERSON, "yes", parent=asked["message_id"])
        assert mail.asks(1) is None
        note = await mail.send(mail.actor(1), "done", to=("person",))
        asks = mail.asks(1)
        assert asks is not None and asks["attention"] == "review"
        await mail.messages.receipt(PERSON, "read", note["message_id"], ref())
        assert mail.asks(1) is None


@pytest.mark.tc("TC-693")
async def test_what_a_person_has_seen_draws_attention_again_only_for_something_newer(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        one = await mail.send(mail.actor(1), kind=Kind.BLOCKER, to=("person",))
        mail.rig.clock.forward(1)
        two = await mail.send(mail.actor(1), kind=Kind.BLOCKER, to=("person",))
        seen = {**(mail.asks(1) or {}), "seen": True}
        await mail.rig.pipeline.annotate(mail.rig.runtime_id("%1"), "asks", seen)
        await mail.messages.receipt(PERSON, "ack", two["message_id"], ref())
        asks = mail.asks(1)
        assert asks is not None and (asks["message_id"], asks["seen"]) == (one["message_id"], True)
        mail.rig.clock.forward(1)
        await mail.send(mail.actor(1), kind=Kind.BLOCKER, to=("person",))
        assert "seen" not in (mail.asks(1) or {"seen": 1})
