"""Two writers never undo each other: a change names the states from which it may come."""

from __future__ import annotations

import pytest

from agtmuxd.features.messages.delivery import store as rows
from agtmuxd.features.messages.model import DeliveryRoute, DeliveryState
from tests.integration.features.messages.delivery.stand import Stand

S = DeliveryState


@pytest.mark.tc("TC-712")
async def test_a_message_is_claimed_once_with_its_text_as_it_is_then(stand: Stand) -> None:
    name = await stand.send("before", wake=False)
    connection = stand.rig.connection
    connection.execute("UPDATE messages SET body = 'after'")
    first = rows.claim(connection, name, 5, runtime_id="rt-1", action_ref="ref-1")
    assert first is not None
    assert (first[0].state, first[0].action_ref, first[1].body) == (S.CLAIMED, "ref-1", "after")
    assert rows.claim(connection, name, 6, runtime_id="rt-2", action_ref="ref-2") is None
    assert stand.delivery(name).action_ref == "ref-1"


@pytest.mark.tc("TC-712")
async def test_a_change_from_another_state_changes_nothing(stand: Stand) -> None:
    name = await stand.send(wake=False)
    connection = stand.rig.connection
    assert rows.change(connection, name, (S.SUBMITTED,), 5, state=S.DELIVERED) is None
    assert stand.delivery(name).state is S.QUEUED
    changed = rows.change(connection, name, rows.WAITING, 5, state=S.HELD, hold_reason="draft")
    assert changed is not None
    assert (changed.state, changed.hold_reason, changed.updated_at) == (S.HELD, "draft", 5)


@pytest.mark.tc("TC-712")
async def test_only_open_deliveries_to_panes_are_in_the_queue_and_in_its_order(stand: Stand) -> None:
    names = [await stand.send(text, wake=False) for text in ("a", "b", "c", "d")]
    pulled = await stand.send("e", wake=False, route=DeliveryRoute.PULL, sender="a-2")
    connection = stand.rig.connection
    connection.execute("UPDATE deliveries SET position = -position WHERE delivery_id = ?", (names[1],))
    connection.execute("UPDATE deliveries SET state = 'delivered' WHERE delivery_id = ?", (names[2],))
    found = [one.delivery.delivery_id for one in rows.queue(connection, stand.agent_id)]
    assert found == [names[1], names[0], names[3]]
    assert rows.agents_waiting(connection) == {stand.agent_id}
    assert rows.agents_with_mail(connection) == {stand.agent_id}
    assert rows.mail(connection, stand.agent_id).unread == 1
    connection.execute("UPDATE deliveries SET state = 'read' WHERE delivery_id = ?", (pulled,))
    assert rows.agents_with_mail(connection) == set()


@pytest.mark.tc("TC-708")
async def test_only_what_waits_expires(stand: Stand) -> None:
    at = stand.rig.clock() + 10**9
    waits, typed, later = [await stand.send(wake=False, expires_at=at + n) for n in (0, 0, 10**12)]
    connection = stand.rig.connection
    connection.execute("UPDATE deliveries SET state = 'claimed' WHERE delivery_id = ?", (typed,))
    assert [one.delivery_id for one in rows.expire(connection, stand.agent_id, at)] == [waits]
    assert stand.delivery(later).state is S.QUEUED
    assert rows.expire(connection, stand.agent_id, at) == []
