"""Decide what a receipt, a cancellation or another try makes of a delivery. Pure. Times are in ns."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.model import LOST, WAITING, Delivery, DeliveryState

MOST_ATTEMPTS: Final = 5
"""Tries to type a message before it is dead."""
S = DeliveryState


def read(delivery: Delivery, now: int) -> Delivery:
    """Return the delivery as read. What was read was delivered, whatever became of the typing."""
    if delivery.read_at is not None:
        return delivery
    state = delivery.state if delivery.state in (S.ACKED, S.EXPIRED, S.CANCELLED) else S.READ
    return replace(
        delivery, state=state, read_at=now, delivered_at=delivery.delivered_at or now,
        evidence=delivery.evidence or "read", hold_reason=None, next_try_at=None, updated_at=now,
    )  # fmt: skip


def acked(delivery: Delivery, now: int) -> Delivery:
    """Return the delivery as acknowledged. Raises E_PRECONDITION_FAILED if it was cancelled."""
    if delivery.state is S.CANCELLED:
        raise AgtmuxError("E_PRECONDITION_FAILED", "this message was cancelled: there is nothing to acknowledge")
    if delivery.acked_at is not None:
        return delivery
    return replace(read(delivery, now), state=S.ACKED, acked_at=now, updated_at=now)


def cancelled(delivery: Delivery, now: int) -> Delivery | None:
    """Return the delivery as cancelled. None if its recipient may have it already."""
    if delivery.state not in WAITING or delivery.read_at is not None:
        return None
    return replace(delivery, state=S.CANCELLED, hold_reason=None, next_try_at=None, updated_at=now)


def expired(delivery: Delivery, now: int) -> Delivery | None:
    """Return the delivery as expired. None if something was typed already, or it is being typed."""
    if delivery.state not in WAITING:
        return None
    return replace(delivery, state=S.EXPIRED, hold_reason=None, next_try_at=None, updated_at=now)


def retried(delivery: Delivery, now: int) -> Delivery:
    """Return a delivery that failed as queued, for one more try. Raises E_PRECONDITION_FAILED if it did not fail."""
    if delivery.state not in (S.DEAD, S.SUBMITTED_UNCONFIRMED, S.EXPIRED):
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"this delivery is {delivery.state}: only dead, expired and submitted_unconfirmed ones can be tried again",
            {"state": str(delivery.state)},
        )
    return replace(
        delivery, state=S.QUEUED, attempts=MOST_ATTEMPTS - 1, next_try_at=None, error_code=None, hold_reason=None,
        claimed_at=None, action_ref=None, submitted_at=None, runtime_id=None, updated_at=now,
    )  # fmt: skip


def dropped(delivery: Delivery, now: int) -> Delivery:
    """Return a delivery that failed as cancelled. Raises E_PRECONDITION_FAILED if it did not fail."""
    if delivery.state not in (*LOST, S.SUBMITTED_UNCONFIRMED):
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"this delivery is {delivery.state}: cancel the message instead (agtmux msg cancel)",
            {"state": str(delivery.state)},
        )
    return replace(delivery, state=S.CANCELLED, updated_at=now)
