"""The gate is open only where everything is known and nothing else could take the keys."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from agtmuxd.core.model import NS, State, TmuxClient
from agtmuxd.features.messages.delivery.gate import (
    FRESH,
    SETTLED,
    WORDS,
    Hold,
    Recipient,
    settled_at,
    typed_until,
    why_held,
)

NOW = 1_000 * NS
READY = Recipient(
    "rt-1", target_ok=True, state=State.IDLE, state_version=7, confidence="medium", accepts_input=True, seen_at=NOW
)
SCREENS = {
    "composer": {"accepts_input": True, "waiting_kind": "question"},
    "dialog": {"accepts_input": False, "waiting_kind": "dialog"},
    "unknown": {"accepts_input": None, "waiting_kind": None},
}
ALLOWED = {(State.IDLE, "composer"), (State.COMPLETED, "composer"), (State.WAITING_INPUT, "composer")}


@pytest.mark.tc("TC-700")
@pytest.mark.parametrize(("state", "screen"), list(product(State, SCREENS)))
def test_it_is_open_in_three_of_all_states_and_screens(state: State, screen: str) -> None:
    reason = why_held(replace(READY, state=state, **SCREENS[screen]), NOW)  # type: ignore[arg-type]
    assert (reason is None) == ((state, screen) in ALLOWED)


@pytest.mark.tc("TC-700")
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.RUNNING, Hold.RUNNING), (State.WAITING_APPROVAL, Hold.WAITING_APPROVAL), (State.ERROR, Hold.ERROR),
        (State.UNKNOWN, Hold.UNKNOWN), (None, Hold.UNKNOWN),
    ],
)  # fmt: skip
def test_these_states_hold_whatever_the_input_field_looks_like(state: State | None, reason: Hold) -> None:
    for accepts, kind in product((True, False, None), (None, "question", "dialog", "approval")):
        assert why_held(replace(READY, state=state, accepts_input=accepts, waiting_kind=kind), NOW) is reason


@pytest.mark.tc("TC-700")
@pytest.mark.parametrize("kind", ["dialog", "approval"])
def test_a_dialog_holds_even_if_the_input_field_is_said_to_be_free(kind: str) -> None:
    assert why_held(replace(READY, state=State.WAITING_INPUT, waiting_kind=kind), NOW) is Hold.DIALOG


@pytest.mark.tc("TC-700")
@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"runtime_id": None}, Hold.NO_RUNTIME),
        ({"headless": True}, Hold.HEADLESS),
        ({"target_ok": False}, Hold.TARGET_DOWN),
        ({"seen_at": NOW - FRESH - 1}, Hold.STALE),
        ({"seen_at": 0}, Hold.STALE),
        ({"confidence": "low", "since": NOW - SETTLED + 1}, Hold.LOW_CONFIDENCE),
        ({"confidence": None, "since": NOW}, Hold.LOW_CONFIDENCE),
        ({"in_mode": True}, Hold.COPY_MODE),
        ({"accepts_input": False}, Hold.DRAFT),
        ({"accepts_input": None}, Hold.NO_COMPOSER),
        ({"proof_due": True}, Hold.NO_PROOF_YET),
    ],
)
def test_one_fact_that_is_wrong_or_unknown_holds(facts: dict[str, object], reason: Hold) -> None:
    assert why_held(READY, NOW) is None
    assert why_held(replace(READY, **facts), NOW) is reason  # type: ignore[arg-type]
    assert WORDS[reason]


@pytest.mark.tc("TC-700")
def test_a_guess_that_has_lasted_ten_seconds_is_enough_and_only_where_text_may_go() -> None:
    """An agent that has just begun shows an empty field, and no hook says more until its first turn."""
    guess = replace(READY, confidence="low", since=NOW - SETTLED)
    assert why_held(guess, NOW) is None
    assert settled_at(guess) == NOW
    assert why_held(replace(guess, state=State.RUNNING), NOW) is Hold.RUNNING
    assert why_held(replace(guess, accepts_input=None), NOW) is Hold.NO_COMPOSER


def test_a_pane_that_was_read_ten_seconds_ago_and_high_confidence_are_enough() -> None:
    assert why_held(replace(READY, seen_at=NOW - FRESH, confidence="high"), NOW) is None


@pytest.mark.tc("TC-700")
def test_an_agent_of_which_nothing_is_known_holds_and_every_reason_has_words() -> None:
    assert why_held(Recipient(), NOW) is Hold.NO_RUNTIME
    assert set(WORDS) == set(Hold)


def client(pane_id: str, activity: int) -> TmuxClient:
    return TmuxClient("c", "/dev/pts/1", "$1", "@1", pane_id, frozenset({"attached"}), "xterm", "", activity)


@pytest.mark.tc("TC-701")
def test_a_key_in_the_pane_holds_for_ten_seconds_and_one_in_another_pane_does_not() -> None:
    assert typed_until([], "%1", NOW) is None
    assert typed_until([client("%2", 1_000)], "%1", NOW) is None
    assert typed_until([client("%1", 1_000)], "%1", NOW) == 1_011 * NS
    assert typed_until([client("%1", 990)], "%1", NOW) == 1_001 * NS
    assert typed_until([client("%1", 989)], "%1", NOW) is None
    assert typed_until([client("%1", 900), client("%1", 995)], "%1", NOW) == 1_006 * NS
    assert typed_until([client("%1", 2_000)], "%1", NOW) == 2_011 * NS  # its clock is ahead
