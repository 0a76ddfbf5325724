"""What a receipt, a cancellation or another try makes of a delivery, in every state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages import receipts
from agtmuxd.features.messages.model import WAITING, Delivery, DeliveryRoute, DeliveryState

S = DeliveryState
QUEUED = Delivery("d1", "m1", "a1", S.QUEUED, DeliveryRoute.PANE, 1.0, 5)


@pytest.mark.tc("TC-678")
@pytest.mark.parametrize("state", list(S))
def test_what_was_read_was_delivered_and_a_receipt_is_never_taken_back(state: DeliveryState) -> None:
    once = receipts.read(replace(QUEUED, state=state), 10)
    assert (once.read_at, once.delivered_at, once.evidence) == (10, 10, "read")
    assert once.state is (state if state in (S.ACKED, S.EXPIRED, S.CANCELLED) else S.READ)
    assert receipts.read(once, 20) == once
    if state is not S.CANCELLED:
        acked = receipts.acked(once, 30)
        assert (acked.state, acked.read_at, acked.acked_at) == (S.ACKED, 10, 30)
        assert receipts.acked(acked, 40) == acked
        assert receipts.read(acked, 40) == acked


@pytest.mark.tc("TC-678")
def test_a_cancelled_message_cannot_be_acknowledged() -> None:
    with pytest.raises(AgtmuxError, match="was cancelled"):
        receipts.acked(replace(QUEUED, state=S.CANCELLED), 10)


@pytest.mark.tc("TC-679")
@pytest.mark.parametrize("state", list(S))
def test_only_what_was_not_typed_can_be_cancelled_or_expire(state: DeliveryState) -> None:
    one = replace(QUEUED, state=state, hold_reason="draft")
    cancelled, expired = receipts.cancelled(one, 10), receipts.expired(one, 10)
    assert (cancelled is not None) is (expired is not None) is (state in WAITING)
    if cancelled is not None and expired is not None:
        assert (cancelled.state, cancelled.hold_reason, expired.state) == (S.CANCELLED, None, S.EXPIRED)
    assert receipts.cancelled(replace(one, read_at=7), 10) is None


@pytest.mark.tc("TC-680")
@pytest.mark.parametrize("state", list(S))
def test_a_failed_delivery_gets_one_more_try_and_only_a_failed_one(state: DeliveryState) -> None:
    one = replace(QUEUED, state=state, attempts=5, error_code="E_TIMEOUT", action_ref="r", runtime_id="rt")
    if state not in (S.DEAD, S.EXPIRED, S.SUBMITTED_UNCONFIRMED):
        with pytest.raises(AgtmuxError):
            receipts.retried(one, 10)
        return
    again = receipts.retried(one, 10)
    assert (again.state, again.attempts, again.error_code, again.action_ref) == (S.QUEUED, 4, None, None)
    assert receipts.dropped(one, 10).state is S.CANCELLED


@pytest.mark.tc("TC-680")
def test_what_did_not_fail_is_cancelled_not_dropped() -> None:
    with pytest.raises(AgtmuxError, match="agtmux msg cancel"):
        receipts.dropped(QUEUED, 10)
