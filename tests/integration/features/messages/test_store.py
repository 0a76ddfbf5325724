"""The rows of messages and deliveries."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.model import Delivery, DeliveryRoute, DeliveryState, Kind, Message, Priority
from agtmuxd.store.migrate import load, migrate


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("PRAGMA foreign_keys=ON")
    migrate(made, load())
    return made


def message(name: str, **more: object) -> Message:
    made = Message(name, "a1", "agent:a", Kind.TASK, Priority.NORMAL, "s", "b", name, f"ref-{name}", "d", 5)
    return replace(made, **more)  # type: ignore[arg-type]


def delivery(name: str, position: float, **more: object) -> Delivery:
    made = Delivery(f"d-{name}", name, "a2", DeliveryState.QUEUED, DeliveryRoute.PULL, position, 5)
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.tc("TC-670")
def test_a_message_and_its_delivery_come_back_as_they_were(connection: sqlite3.Connection) -> None:
    rows.add_message(connection, message("m0"))
    one = rows.add_message(
        connection,
        message("m1", parent_id="m0", thread_id="m0", refs=({"path": "a.py", "line": 3},), depends_on=("m0",), hop=2,
                reply_by=7, expires_at=9),
    )  # fmt: skip
    assert one.seq == 2
    assert rows.get_message(connection, "m1") == rows.get_message(connection, "2") == one
    whole = delivery(
        "m1", 1.0, state=DeliveryState.SUBMITTED, hold_reason="draft", attempts=2, next_try_at=8, runtime_id="rt",
        claimed_at=6, action_ref="r", submitted_at=7, evidence="e", error_code="E",
    )  # fmt: skip
    rows.add_delivery(connection, whole)
    assert rows.deliveries_of(connection, ["m0", "m1"]) == {"m0": [], "m1": [whole]}
    read = replace(whole, state=DeliveryState.READ, read_at=10, delivered_at=9, updated_at=10)
    rows.save_delivery(connection, read)
    assert rows.get_delivery(connection, "d-m1") == rows.delivery_to(connection, "m1", "a2") == read


@pytest.mark.tc("TC-670")
def test_what_is_not_there_is_an_error(connection: sqlite3.Connection) -> None:
    for find in (rows.get_message, rows.get_delivery):
        for name in ("nothing", "7", "9" * 40):
            with pytest.raises(AgtmuxError) as caught:
                find(connection, name)
            assert caught.value.code == "E_NOT_FOUND"


@pytest.mark.tc("TC-671")
def test_the_position_orders_a_queue_by_priority_and_then_by_age(connection: sqlite3.Connection) -> None:
    for number, priority in enumerate(["low", "normal", "urgent", "normal", "urgent", "low"]):
        name = f"m{number}"
        rows.add_message(connection, message(name, priority=Priority(priority)))
        place = rows.next_position(connection, "a2", Priority(priority))
        rows.add_delivery(connection, delivery(name, place))
    order = [row[0] for row in connection.execute("SELECT message_id FROM deliveries ORDER BY position")]
    assert order == ["m2", "m4", "m1", "m3", "m0", "m5"]
    assert rows.open_count(connection, "a2") == 6


@pytest.mark.tc("TC-668")
def test_a_request_is_done_once_and_its_name_is_for_one_request(connection: sqlite3.Connection) -> None:
    assert rows.earlier_result(connection, "a1", "ref-1", "d1") is None
    rows.note_request(connection, "a1", "ref-1", "d1", "m1", 5)
    assert rows.earlier_result(connection, "a1", "ref-1", "d1") == "m1"
    assert rows.earlier_result(connection, "a2", "ref-1", "d2") is None, "each sender has its own names"
    with pytest.raises(AgtmuxError) as caught:
        rows.earlier_result(connection, "a1", "ref-1", "d2")
    assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"


@pytest.mark.tc("TC-672")
def test_a_reaction_counts_once(connection: sqlite3.Connection) -> None:
    rows.add_message(connection, message("m1"))
    assert rows.add_reaction(connection, "m1", "a2", "+1", 5)
    assert not rows.add_reaction(connection, "m1", "a2", "+1", 6)
    assert rows.add_reaction(connection, "m1", "", "+1", 7)
    assert rows.reactions_of(connection, ["m1"]) == {"m1": [("a2", "+1", 5), ("", "+1", 7)]}


@pytest.mark.tc("TC-662")
def test_the_team_says_whether_agents_may_type(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO teams VALUES ('t1', 'web', 'pane', 'anna', 1)")
    for name, team, deliver in (("a1", "t1", None), ("a2", None, None), ("a3", "t1", "pull"), ("a4", None, "pane")):
        connection.execute(
            "INSERT INTO agents (agent_id, team_id, name, deliver, created_at) VALUES (?, ?, ?, ?, 1)",
            (name, team, name, deliver),
        )
    found = {name: rows.team_settings(connection, name) for name in ("a1", "a2", "a3", "a4", "gone")}
    assert found == {
        "a1": ("pane", "anna"), "a2": (None, None), "a3": ("pull", "anna"), "a4": ("pane", None), "gone": (None, None)
    }  # fmt: skip
