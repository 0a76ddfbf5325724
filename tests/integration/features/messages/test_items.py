"""Items name agents as they are called now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.features.messages.stand import PERSON, opened


@pytest.mark.tc("TC-683")
async def test_an_item_names_sender_and_recipient_by_their_names_now(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        name = (await mail.send(mail.actor(1)))["message_id"]
        await mail.rig.store.run(lambda c: c.execute("UPDATE agents SET name = 'anna' WHERE name = 'claude-1'"))
    async with opened(tmp_path) as mail:
        item = await mail.messages.show(PERSON, name)
        assert (item["sender"], item["deliveries"][0]["agent"]) == ("agent:anna", "claude-2")
