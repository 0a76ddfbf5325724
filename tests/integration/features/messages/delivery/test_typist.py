"""After a crash the ledger says what became of a text, and nothing is typed to find out."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.core.action.request import Kind, Snapshot
from agtmuxd.features.messages.delivery.engine import CLAIM
from agtmuxd.store import actions
from agtmuxd.store.actions import ActionRow
from tests.integration.features.messages.delivery.stand import CrashError, Stand
from tests.rig import BUSY

DRAFT = {"message": "a draft", "details": {"reason": "draft"}}
SUBMITTED = {"delivery": "submitted", "bytes": 9, "entered": True}
NO_SIGN = {"delivery": "unconfirmed", "bytes": 9, "entered": True}


async def crash(stand: Stand, point: str) -> str:
    """A message whose daemon ended at this point. Return its delivery's id."""
    name = await stand.send()
    stand.crash_at = point
    with pytest.raises(CrashError):
        await stand.engine._advance(stand.agent_id)
    stand.rig.clock.forward(1)
    await stand.rig.round(stand.agent)
    return name


async def note_action(stand: Stand, name: str, code: str | None, error: str | None, metadata: Any) -> None:
    """What the ledger has of the action that typed it."""
    now, key = stand.rig.clock(), stand.agent_key
    row = ActionRow(
        f"a-{name}", Kind.SEND, stand.delivery(name).action_ref or "", "digest", *key, stand.rig.runtime_id(), now,
        now, None, None, None, {},
    )  # fmt: skip
    snapshot = Snapshot(*key, stand.rig.runtime_id(), 1, now)
    await stand.rig.store.run(lambda c: actions.begin(c, row, snapshot, f"s-{name}", "nonce"))
    if code is not None:
        done = ActionRow(**{**{slot: getattr(row, slot) for slot in ActionRow.__slots__}, "completed_at": now,
                            "result_code": code, "error_code": error, "metadata": metadata})  # fmt: skip
        await stand.rig.store.run(lambda c: actions.finish(c, done))


@pytest.mark.tc("TC-712")
@pytest.mark.parametrize(
    ("code", "error", "metadata", "state", "typed"),
    [
        ("done", None, {"result": SUBMITTED}, ("submitted", None), 0),
        ("done", None, {"result": NO_SIGN}, ("submitted_unconfirmed", "no_sign"), 0),
        ("indeterminate", "E_ACTION_INDETERMINATE", {}, ("submitted_unconfirmed", "indeterminate"), 0),
        (None, None, {}, ("submitted_unconfirmed", "indeterminate"), 0),
        ("refused", "E_PRECONDITION_FAILED", {"error": DRAFT}, ("submitted", None), 1),
    ],
    ids=["submitted", "no sign", "indeterminate", "in flight", "refused"],
)
async def test_a_new_daemon_asks_the_ledger_before_anything_is_typed(
    stand: Stand, code: str | None, error: str | None, metadata: Any, state: tuple[str, str | None], typed: int
) -> None:
    name = await crash(stand, "delivery_before_act")
    await note_action(stand, name, code, error, metadata)
    stand.restart()
    await stand.go()
    assert stand.state(name) == state
    assert len(stand.typed) == typed


@pytest.mark.tc("TC-712")
async def test_an_action_that_the_ledger_does_not_know_was_never_asked_for(stand: Stand) -> None:
    name = await crash(stand, "delivery_after_claim")
    before = stand.delivery(name).action_ref
    stand.restart()
    await stand.go()
    (one,) = stand.typed
    assert one.ref != before
    assert stand.state(name) == ("submitted", None)


@pytest.mark.tc("TC-712")
async def test_a_recovered_submission_gets_ten_seconds_to_be_proved(stand: Stand) -> None:
    name = await crash(stand, "delivery_after_act")
    await note_action(stand, name, "done", None, {"result": SUBMITTED})
    stand.rig.clock.forward(60)
    await stand.show(BUSY)
    stand.restart()
    await stand.go()
    assert stand.state(name) == ("delivered", None)
    assert len(stand.typed) == 1


@pytest.mark.tc("TC-712")
async def test_a_message_that_was_read_or_cancelled_meanwhile_is_not_typed(stand: Stand) -> None:
    name = await stand.send()
    delivery = stand.delivery(name)
    await stand.rig.store.run(lambda c: c.execute("UPDATE deliveries SET state = 'read', read_at = 1"))
    to = stand.engine._recipient(stand.agent_id, proof_due=False)
    assert await stand.engine._typist.type(delivery, to) is None
    assert stand.typed == []
    assert stand.delivery(name).state == "read"


@pytest.mark.tc("TC-712")
async def test_reading_a_message_wins_over_what_typing_it_came_to(stand: Stand) -> None:
    async def read_while_typed() -> dict[str, Any]:
        await stand.rig.store.run(lambda c: c.execute("UPDATE deliveries SET state = 'read', read_at = 1"))
        return NO_SIGN

    stand.answers = [read_while_typed]
    name = await stand.send()
    await stand.go()
    assert stand.delivery(name).state == "read"
    stand.rig.clock.forward(CLAIM / 1e9)
    await stand.go()
    assert stand.delivery(name).state == "read"
    assert len(stand.typed) == 1
