"""``agtmux wait`` for a message: met by receipts and answers, and an error once it never will be."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.conditions import MessageCondition
from agtmuxd.features.messages.model import Kind
from tests.integration.features.messages.stand import PERSON, opened, ref

pytestmark = pytest.mark.tc("TC-690")


async def test_receipts_and_the_answer_meet_their_conditions(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        condition = MessageCondition(mail.context)
        asked = await mail.send(mail.actor(1), kind=Kind.QUESTION, to=("claude-2", "claude-3"))
        kept = {
            what: await condition.prepare(f"{asked['seq']}={what}", mail.actor(1))
            for what in ("delivered", "read", "acked", "answered")
        }
        assert kept["read"] == f"{asked['message_id']}=read"

        async def met() -> list[str]:
            return [what for what, operand in kept.items() if await condition.check(operand, mail.id(1)) is not None]

        await mail.messages.receipt(mail.actor(2), "read", asked["message_id"], ref())
        assert await met() == [], "one of two"
        await mail.messages.receipt(mail.actor(3), "ack", asked["message_id"], ref())
        assert await met() == ["delivered", "read"]
        answer = await mail.send(mail.actor(2), "yes", parent=asked["message_id"])
        assert await met() == ["delivered", "read", "acked", "answered"]
        assert await condition.check(kept["answered"], None) == {
            "message_id": asked["message_id"], "answer_id": answer["message_id"]
        }  # fmt: skip
        assert condition.wakes_on == {"message", "delivery"}


async def test_what_never_will_be_is_an_error_and_so_is_a_message_of_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        condition = MessageCondition(mail.context)
        asked = await mail.send(mail.actor(1), kind=Kind.QUESTION)
        for wrong in ("", "=read", f"{asked['seq']}", f"{asked['seq']}=seen"):
            with pytest.raises(AgtmuxError) as caught:
                await condition.prepare(wrong, PERSON)
            assert caught.value.code == "E_INVALID_REQUEST"
        with pytest.raises(AgtmuxError):
            await condition.prepare(f"{asked['seq']}=read", mail.actor(3))
        await mail.messages.cancel(mail.actor(1), asked["message_id"], ref())
        for what in ("acked", "answered"):
            with pytest.raises(AgtmuxError) as caught:
                await condition.check(f"{asked['message_id']}={what}", mail.id(1))
            assert caught.value.code == "E_NOT_FOUND"
