"""The engine types each message once, at the right moment, and says what became of it."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import NS, TmuxClient
from agtmuxd.features.messages.delivery.engine import DeliveryEngine
from agtmuxd.features.messages.model import DeliveryRoute, Kind
from agtmuxd.stream.subscription import Resync
from tests.integration.features.messages.delivery.stand import NO_SIGN, CrashError, Stand
from tests.rig import BUSY, DONE, QUIET, box

DRAFT = AgtmuxError("E_PRECONDITION_FAILED", "a draft", {"reason": "draft"})
DOWN = AgtmuxError("E_TARGET_UNREACHABLE", "no answer")


@pytest.mark.tc("TC-705")
async def test_an_idle_recipient_gets_its_message_at_once_and_a_turn_proves_it(stand: Stand) -> None:
    name = await stand.send("the tests pass")
    await stand.go()
    (one,) = stand.typed
    assert one.text.endswith("from person] note: the tests pass")
    assert one.request.guards.if_runtime == stand.rig.runtime_id()
    assert one.request.guards.if_state_version == stand.rig.the_state().state_version
    assert one.caller.actor == "message:person"
    assert stand.state(name) == ("submitted", None)
    assert stand.delivery(name).action_ref == one.ref
    await stand.show(BUSY)
    await stand.publish()
    await stand.go()
    assert stand.state(name) == ("delivered", None)
    assert stand.delivery(name).evidence == "state"
    assert [item["state"] for item in stand.published("delivery")] == ["claimed", "submitted", "delivered"]
    assert len(stand.typed) == 1


@pytest.mark.tc("TC-705")
async def test_one_message_is_typed_a_turn_in_the_order_of_the_queue(stand: Stand) -> None:
    names = [await stand.send(text) for text in ("first", "second", "third")]
    await stand.go()
    assert [stand.state(name)[0] for name in names] == ["submitted", "held", "queued"]
    await stand.show(BUSY)
    await stand.publish()
    await stand.go()
    assert [stand.state(name) for name in names] == [("delivered", None), ("held", "running"), ("queued", None)]
    for count in (2, 3):
        await stand.show(QUIET)
        await stand.publish()
        await stand.go()
        assert len(stand.typed) == count
        await stand.show(BUSY)
        await stand.publish()
        await stand.go()
    assert [one.text.rpartition(": ")[2] for one in stand.typed] == ["first", "second", "third"]
    assert {stand.state(name)[0] for name in names} == {"delivered"}


@pytest.mark.tc("TC-705")
async def test_a_turn_that_ended_before_anybody_looked_proves_a_message_too(stand: Stand) -> None:
    name = await stand.send()
    await stand.go()
    await stand.show(BUSY)
    await stand.show(DONE)
    await stand.publish()
    await stand.go()
    assert stand.state(name) == ("delivered", None)


@pytest.mark.tc("TC-705")
@pytest.mark.parametrize(
    ("screen", "reason"), [(BUSY, "running"), (box(), "waiting_approval")], ids=["running", "approval"]
)
async def test_it_waits_while_the_agent_works_or_asks_and_is_typed_after_that(
    stand: Stand, screen: object, reason: str
) -> None:
    await stand.show(screen)  # type: ignore[arg-type]
    name = await stand.send()
    await stand.go()
    assert stand.state(name) == ("held", reason)
    assert (stand.typed, stand.clients_seen) == ([], 0)
    await stand.show(QUIET)
    await stand.publish()
    await stand.go()
    assert stand.state(name)[0] == "submitted"


@pytest.mark.tc("TC-706")
async def test_the_sweep_delivers_what_no_event_reported(stand: Stand) -> None:
    await stand.go()
    name = await stand.send(wake=False)
    assert await stand.go() <= 30
    assert stand.state(name)[0] == "queued"
    await stand.rig.round(stand.agent)
    stand.rig.clock.forward(29)
    await stand.rig.round(stand.agent)
    stand.rig.clock.forward(2)
    await stand.go()
    assert stand.state(name)[0] == "submitted"


@pytest.mark.tc("TC-706")
async def test_changes_that_were_lost_cost_nothing_but_a_sweep(stand: Stand) -> None:
    await stand.go()
    name = await stand.send(wake=False)
    await stand.engine.on_resync(Resync.OVERFLOW)
    await stand.go()
    assert stand.state(name)[0] == "submitted"


@pytest.mark.tc("TC-706")
async def test_while_nothing_waits_changes_of_panes_start_nothing(stand: Stand) -> None:
    await stand.go()
    await stand.turn()
    await stand.publish()
    assert stand.engine._due == {}
    assert stand.engine._tasks == {}
    assert stand.clients_seen == 0


@pytest.mark.tc("TC-707")
async def test_a_text_without_a_sign_is_unconfirmed_and_is_never_typed_again(stand: Stand) -> None:
    stand.answers = [NO_SIGN, DRAFT]
    first, second = await stand.send("first"), await stand.send("second")
    await stand.go()
    assert stand.state(first) == ("submitted_unconfirmed", "no_sign")
    assert stand.state(second) == ("held", "draft")
    await stand.show(BUSY)
    await stand.show(QUIET)
    await stand.publish()
    await stand.go()
    assert [one.text.rpartition(": ")[2] for one in stand.typed] == ["first", "second", "second"]
    assert stand.state(first)[0] == "submitted_unconfirmed"


@pytest.mark.tc("TC-707")
async def test_a_submission_without_a_turn_within_ten_seconds_is_unconfirmed(stand: Stand) -> None:
    name = await stand.send()
    assert 9 < await stand.go() <= 10
    stand.rig.clock.forward(9.9)
    await stand.go()
    assert stand.state(name)[0] == "submitted"
    stand.rig.clock.forward(0.2)
    await stand.go()
    assert stand.state(name) == ("submitted_unconfirmed", "no_turn")
    assert len(stand.typed) == 1


@pytest.mark.tc("TC-707")
async def test_a_refusal_is_asked_for_again_at_another_state_or_after_a_pause(stand: Stand) -> None:
    stand.answers = [DRAFT, DRAFT, DRAFT]
    name = await stand.send()
    await stand.go()
    assert stand.state(name) == ("held", "draft")
    assert stand.delivery(name).attempts == 0
    stand.engine.wake(stand.agent_id)
    await stand.go()
    assert len(stand.typed) == 1
    stand.rig.clock.forward(15)
    await stand.rig.round(stand.agent)
    await stand.go()
    assert len(stand.typed) == 2
    await stand.turn()
    await stand.publish()
    await stand.go()
    assert len(stand.typed) == 3
    assert len({one.ref for one in stand.typed}) == 3
    assert stand.delivery(name).attempts == 0


@pytest.mark.tc("TC-708")
async def test_five_failures_make_a_message_dead_and_draw_attention(stand: Stand) -> None:
    stand.answers = [DOWN] * 5
    name = await stand.send()
    for count, pause in enumerate((15, 30, 60, 120, None), 1):
        await stand.rig.round(stand.agent)
        await stand.go()
        assert len(stand.typed) == count
        if pause is not None:
            assert stand.state(name) == ("held", "failed")
            stand.rig.clock.forward(pause - 1)
            await stand.rig.round(stand.agent)
            stand.engine.wake(stand.agent_id)
            await stand.go()
            assert len(stand.typed) == count
            stand.rig.clock.forward(1)
    assert stand.state(name)[0] == "dead"
    assert stand.delivery(name).error_code == "E_TARGET_UNREACHABLE"
    assert [item["delivery_id"] for item in stand.published("dead_letter")] == [name]
    assert (stand.mail["unread"], stand.mail["dead"], stand.mail["attention"]) == (0, 1, "review")


@pytest.mark.tc("TC-708")
async def test_a_text_that_can_never_be_typed_is_dead_at_once(stand: Stand) -> None:
    stand.answers = [AgtmuxError("E_INVALID_REQUEST", "no")]
    name = await stand.send()
    await stand.go()
    assert stand.state(name)[0] == "dead"
    assert len(stand.typed) == 1


@pytest.mark.tc("TC-708")
async def test_what_waited_too_long_expires_and_is_not_typed(stand: Stand) -> None:
    await stand.show(BUSY)
    name = await stand.send(expires_at=stand.rig.clock() + 60 * NS)
    await stand.go()
    assert stand.state(name)[0] == "held"
    stand.rig.clock.forward(60)
    await stand.show(QUIET)
    await stand.publish()
    await stand.go()
    assert stand.state(name)[0] == "expired"
    assert stand.typed == []


@pytest.mark.tc("TC-701")
async def test_while_somebody_types_in_the_pane_it_waits_and_tmux_is_asked_only_then(stand: Stand) -> None:
    await stand.go()
    at = stand.rig.clock() // NS
    stand.typing = [TmuxClient("c", "/dev/pts/1", "$1", "@1", "%1", frozenset(), "xterm", "", at)]
    name = await stand.send()
    assert 9 < await stand.go() <= 11
    assert stand.state(name) == ("held", "typing")
    assert stand.clients_seen == 1
    stand.rig.clock.forward(11)
    await stand.rig.round(stand.agent)
    await stand.go()
    assert stand.state(name)[0] == "submitted"


@pytest.mark.tc("TC-709")
async def test_a_pane_that_was_not_read_lately_holds_and_is_looked_at_again_soon(stand: Stand) -> None:
    stand.rig.clock.forward(11)
    name = await stand.send()
    await stand.go()
    assert stand.state(name) in (("held", "stale"), ("held", "unknown"))  # by then the state may be too old as well
    await stand.rig.round(stand.agent)
    await stand.publish()
    stand.rig.clock.forward(5)
    await stand.go()
    assert stand.state(name)[0] == "submitted"


@pytest.mark.tc("TC-709")
async def test_mail_of_an_ended_runtime_is_not_typed_into_the_next_one(stand: Stand) -> None:
    await stand.show(BUSY)
    name = await stand.send()
    await stand.go()
    agent_id = stand.agent_id
    stand.agent.pid, stand.agent.start = 5001, "200"
    stand.agent.steady = {}
    await stand.show(QUIET)
    await stand.publish()
    stand.engine.wake(agent_id)
    await stand.go()
    assert stand.agent_id != agent_id
    assert stand.state(name) == ("held", "no_runtime")
    assert stand.typed == []


@pytest.mark.tc("TC-710")
async def test_the_row_of_an_agent_says_what_it_has_not_read_and_changes_with_it(stand: Stand) -> None:
    await stand.go()
    await stand.send("one", route=DeliveryRoute.PULL, sender="a-2")
    await stand.go()
    first = stand.mail
    assert (first["unread"], first["dead"], first["attention"]) == (1, 0, "review")
    count = len(stand.rig.published)
    stand.engine.wake(stand.agent_id)
    await stand.go()
    assert len(stand.rig.published) == count
    await stand.send("two", route=DeliveryRoute.PULL, sender="a-2")
    await stand.go()
    assert (stand.mail["unread"], stand.mail["since"] > first["since"]) == (2, True)
    await stand.rig.store.run(lambda c: c.execute("UPDATE deliveries SET state = 'read', read_at = 1"))
    stand.engine.wake(stand.agent_id)
    await stand.go()
    assert stand.mail is None
    assert stand.typed == []


@pytest.mark.tc("TC-705")
async def test_a_queued_prompt_of_a_person_is_typed_without_an_envelope(stand: Stand) -> None:
    await stand.send("/compact", kind=Kind.PROMPT)
    await stand.go()
    assert [one.text for one in stand.typed] == ["/compact"]


POINTS = (
    "delivery_before_claim", "delivery_after_claim", "delivery_before_act", "delivery_after_act",
    "delivery_after_submitted", "delivery_before_delivered", "delivery_after_delivered", "delivery_sweep",
)  # fmt: skip


@pytest.mark.tc("TC-711")
async def test_every_failpoint_lies_on_the_way_of_one_message(stand: Stand) -> None:
    name = await stand.send()
    await stand.go()
    await stand.show(BUSY)
    await stand.publish()
    await stand.go()
    assert stand.state(name)[0] == "delivered"
    assert set(stand.points) == set(POINTS)


@pytest.mark.tc("TC-711")
async def test_an_unexpected_error_of_one_agent_does_not_end_the_engine(stand: Stand) -> None:
    async def broken() -> dict[str, object]:
        raise RuntimeError("the runner is broken")

    stand.answers = [broken]
    name = await stand.send()
    assert await stand.go() <= 30
    assert stand.state(name)[0] == "claimed"  # nobody knows what became of it
    stand.rig.clock.forward(121)
    await stand.rig.round(stand.agent)
    await stand.go()
    assert stand.state(name)[0] == "submitted"  # the ledger had no such action: it was typed with another name
    assert len({one.ref for one in stand.typed}) == 2


@pytest.mark.tc("TC-711")
async def test_a_claim_of_this_daemon_is_left_alone_for_two_minutes(stand: Stand) -> None:
    stand.crash_at = "delivery_after_claim"
    name = await stand.send()
    with pytest.raises(CrashError):
        await stand.engine._advance(stand.agent_id)
    stand.crash_at = None
    stand.engine.wake(stand.agent_id)
    await stand.go()
    assert stand.state(name)[0] == "claimed"
    stand.restart()
    assert isinstance(stand.engine, DeliveryEngine)
    stand.rig.clock.forward(1)
    stand.restart()
    await stand.go()
    assert stand.state(name)[0] == "submitted"
    assert len(stand.typed) == 1


@pytest.mark.tc("TC-916")
async def test_an_acknowledged_failure_stays_so_when_other_mail_comes(stand: Stand) -> None:
    stand.answers = [AgtmuxError("E_INVALID_REQUEST", "no")]
    await stand.send()
    await stand.go()
    assert (stand.mail["dead"], stand.mail["unconfirmed"], stand.mail["failed_at"]) == (1, 0, stand.mail["since"])
    await stand.rig.pipeline.annotate(stand.rig.runtime_id(), "mail", {**stand.mail, "seen": True})
    stand.engine.wake(stand.agent_id)
    await stand.go()
    assert stand.mail["seen"] is True
    await stand.send("two", route=DeliveryRoute.PULL, sender="a-2")
    await stand.go()
    assert ("seen" in stand.mail, stand.mail["failed_seen"]) == (False, True)


@pytest.mark.tc("TC-916")
async def test_what_was_not_delivered_shows_on_the_row_of_its_sender_until_it_is_dropped(stand: Stand) -> None:
    """The recipient has ended here: it has no row, and the sender is the agent that still runs."""
    name = await stand.send(sender=stand.agent_id)
    change = "UPDATE deliveries SET agent_id = 'a-2', state = ?, updated_at = ?"
    await stand.rig.store.run(lambda c: c.execute(change, ("dead", stand.rig.clock())))
    stand.engine.wake("a-2")
    await stand.go()
    assert stand.mail["dead"] == 1
    await stand.rig.store.run(lambda c: c.execute(change, ("cancelled", stand.rig.clock())))
    stand.engine.wake("a-2")
    await stand.go()
    assert (stand.mail, stand.state(name)[0]) == (None, "cancelled")


@pytest.mark.tc("TC-916")
async def test_a_text_without_a_sign_is_shown_but_a_command_that_began_no_turn_is_not(stand: Stand) -> None:
    await stand.send()
    command = await stand.send("/compact", kind=Kind.PROMPT)
    change = "UPDATE deliveries SET state = 'submitted_unconfirmed', hold_reason = 'no_turn', updated_at = ?"
    await stand.rig.store.run(lambda c: c.execute(change, (stand.rig.clock(),)))
    stand.engine.wake(stand.agent_id)
    await stand.go()
    assert (stand.mail["dead"], stand.mail["unconfirmed"]) == (0, 1)
    assert stand.state(command) == ("submitted_unconfirmed", "no_turn")
