"""What an answer or a state shows of a typed message, and what it does not show."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from agtmux.protocol.errors import CODES, AgtmuxError
from agtmuxd.core.model import NS, State
from agtmuxd.features.messages.delivery.evidence import (
    NEVER_ASKED,
    Attempt,
    Result,
    of_error,
    of_exception,
    of_receipt,
    of_record,
    proof,
)

TYPED: dict[str, Any] = {"delivery": "unconfirmed", "bytes": 12, "entered": True}


@pytest.mark.tc("TC-702")
def test_only_a_receipt_that_says_submitted_counts_as_submitted() -> None:
    assert of_receipt({"delivery": "submitted", "bytes": 12, "entered": True}).result is Result.SUBMITTED
    assert of_receipt(TYPED) == Attempt(Result.UNCONFIRMED, "no_sign")
    assert of_receipt({**TYPED, "entered": False}) == Attempt(Result.UNCONFIRMED, "not_seen")
    assert of_receipt({"delivery": "typed", "bytes": 12, "entered": False}).result is Result.UNCONFIRMED
    assert of_receipt({}).result is Result.REFUSED
    assert of_receipt({"delivery": "unconfirmed", "bytes": 0, "entered": False}) == Attempt(
        Result.REFUSED, "field_mode"
    )


@pytest.mark.tc("TC-702")
@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_but_one_says_that_nothing_was_typed(code: str) -> None:
    found = of_error(code, {})
    assert (found.result is Result.UNCONFIRMED) == (code == "E_ACTION_INDETERMINATE")
    assert found.result is not Result.SUBMITTED
    assert of_exception(AgtmuxError(code, "why")) == found


@pytest.mark.tc("TC-702")
def test_a_refusal_keeps_its_reason_and_what_is_broken_is_no_refusal() -> None:
    assert of_error("E_PRECONDITION_FAILED", {"reason": "draft"}) == Attempt(Result.REFUSED, "draft")
    assert of_error("E_RUNTIME_STALE", {}) == Attempt(Result.REFUSED, "E_RUNTIME_STALE")
    assert of_error("E_TARGET_UNREACHABLE", {}) == Attempt(Result.FAILED, "E_TARGET_UNREACHABLE")
    assert of_error("E_INVALID_REQUEST", {}) == Attempt(Result.REJECTED, "E_INVALID_REQUEST")


@pytest.mark.tc("TC-702")
def test_the_ledgers_record_of_an_earlier_daemon_reads_as_its_answer_would_have() -> None:
    assert of_record(None, None, {}) == Attempt(Result.UNCONFIRMED, "indeterminate")
    assert of_record("indeterminate", "E_ACTION_INDETERMINATE", {}) == Attempt(Result.UNCONFIRMED, "indeterminate")
    assert of_record("done", None, {"result": {"delivery": "submitted"}}).result is Result.SUBMITTED
    assert of_record("done", None, {"result": TYPED}) == of_receipt(TYPED)
    refused = {"error": {"message": "a draft", "details": {"reason": "draft"}}}
    assert of_record("refused", "E_PRECONDITION_FAILED", refused) == Attempt(Result.REFUSED, "draft")
    assert of_record("failed", "E_TARGET_UNREACHABLE", {}) == Attempt(Result.FAILED, "E_TARGET_UNREACHABLE")
    assert NEVER_ASKED.result is Result.REFUSED


BEFORE, AFTER = 5 * NS, 15 * NS
TYPED_AT = 10 * NS


@pytest.mark.tc("TC-702")
@pytest.mark.parametrize(("state", "since"), list(product(State, (BEFORE, TYPED_AT, AFTER))))
def test_a_state_that_began_before_the_text_proves_nothing(state: State, since: int) -> None:
    found = proof(since=TYPED_AT, state=state, state_since=since, turn_start=0)
    begins = state not in (State.IDLE, State.UNKNOWN)
    assert found == ("state" if begins and since == AFTER else None)


@pytest.mark.tc("TC-702")
@pytest.mark.parametrize("state", [None, *State])
def test_a_turn_that_the_agent_reports_after_the_text_proves_it_in_every_state(state: State | None) -> None:
    assert proof(since=TYPED_AT, state=state, state_since=0, turn_start=AFTER) == "turn"
    assert proof(since=TYPED_AT, state=state, state_since=0, turn_start=TYPED_AT) is None
