"""The queue of one agent holds the prompts of people, in the order in which they are typed."""

from __future__ import annotations

import pytest

from agtmuxd.features.messages import queue_store as prompts
from agtmuxd.features.messages.model import Kind
from tests.integration.features.messages.delivery.stand import Stand

pytestmark = pytest.mark.tc("TC-713")


def order(stand: Stand) -> list[str]:
    return [one.message.body for one in prompts.open_prompts(stand.rig.connection, stand.agent_id)]


async def test_only_open_prompts_are_listed_by_their_position(stand: Stand) -> None:
    a, _b, c = [await stand.send(text, wake=False, kind=Kind.PROMPT) for text in "abc"]
    await stand.send("a note", wake=False)
    connection = stand.rig.connection
    prompts.set_position(connection, a, 99.0, 5)
    assert order(stand) == ["b", "c", "a"]
    connection.execute("UPDATE deliveries SET state = 'submitted' WHERE delivery_id = ?", (c,))
    waiting = prompts.waiting_prompts(connection, stand.agent_id)
    assert [one.message.body for one in waiting] == ["b", "a"]
    connection.execute("UPDATE deliveries SET state = 'delivered' WHERE delivery_id = ?", (c,))
    assert order(stand) == ["b", "a"]
    assert prompts.open_prompts(connection, "another") == []
    assert len(prompts.open_prompts(connection, None)) == 2


async def test_a_new_text_replaces_the_old_one_and_its_digest(stand: Stand) -> None:
    await stand.send("before", wake=False, kind=Kind.PROMPT)
    connection = stand.rig.connection
    (one,) = prompts.open_prompts(connection, None)
    (digest,) = connection.execute("SELECT body_sha256 FROM messages").fetchone()
    prompts.set_text(connection, one.message.message_id, "after")
    found = prompts.get_prompt(connection, one.message.message_id)
    assert found is not None
    assert found.message.body == "after"
    assert connection.execute("SELECT body_sha256 FROM messages").fetchone() != (digest,)
    assert prompts.get_prompt(connection, "no-such-id") is None
