"""Why an agent needs somebody, as a row shows it, and when two rows show the same reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agtmuxd.features.notify.model import Kind, Sign, at, is_same, occurrences
from tests.rows import T0, key_of, pane

pytestmark = pytest.mark.tc("TC-402")
PROMPT = {"kind": "approval", "subject": "Bash", "text": "make", "options": ["Yes"], "fingerprint": "f-1"}
LATER = "2026-01-01T00:05:00.000Z"


def kinds(**row: Any) -> list[str]:
    item = pane(**row)
    return [str(found.kind) for found in occurrences(key_of(item), item)]


def test_each_state_that_needs_somebody_is_a_reason_of_its_own() -> None:
    assert kinds(state="waiting_approval") == ["waiting_approval"]
    assert kinds(state="waiting_input") == ["waiting_input"]
    assert kinds(state="error") == ["error"]
    assert kinds(state="completed", attention="review") == ["completed"]


def test_a_completion_that_turned_idle_still_waits_to_be_looked_at() -> None:
    assert kinds(state="idle", attention="review") == ["completed"]


def test_what_was_acknowledged_or_looked_at_is_no_reason() -> None:
    for state in ("waiting_approval", "error", "completed", "idle", "running"):
        assert kinds(state=state, attention="none") == []


def test_a_pane_without_an_agent_is_no_reason() -> None:
    assert kinds(agent=None) == []


def test_a_stuck_agent_is_a_reason_until_somebody_has_seen_it() -> None:
    """The row says so by a field of its own, and asks for a review."""
    stuck = {"since": T0, "reason": "the same tool failed 5 times", "attention": "review"}
    item = {**pane(state="running", attention="review"), "stuck": stuck}
    (found,) = occurrences("host/%1", item)
    assert (found.kind, found.subject.asks) == (Kind.STUCK, "the same tool failed 5 times")
    assert occurrences("host/%1", {**item, "attention": "none", "stuck": {**stuck, "seen": True}}) == ()


QUESTION = {
    "since": LATER, "attention": "needs_action", "message_id": "m-1", "kind": "question", "overdue": False, "count": 1,
}  # fmt: skip
FAILED = {"unread": 0, "dead": 1, "since": LATER, "attention": "review", "unconfirmed": 2, "failed_at": LATER}


@pytest.mark.tc("TC-915")
@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("asks", QUESTION, "it sent people a question: agtmux msg show m-1"),
        ("asks", {**QUESTION, "kind": "review_request", "overdue": True}, "no answer in time to its review request: a"),
        ("asks", {**QUESTION, "attention": "review"}, None),
        ("asks", {**QUESTION, "seen": True}, None),
        ("mail", FAILED, "messages: 1 not delivered, 2 not confirmed: agtmux dead list"),
        ("mail", {**FAILED, "seen": True}, None),
        ("mail", {**FAILED, "failed_seen": True}, None),
        ("mail", {"unread": 3, "dead": 0, "since": LATER, "attention": "review"}, None),
    ],
)
def test_a_message_is_a_reason_while_it_needs_people(field: str, value: dict[str, Any], text: str | None) -> None:
    """An unread message in an agent's inbox, or a note to people, is none: nor is the agent of an idle row done."""
    shown = {"attention": value["attention"], "attention_since": LATER} if not value.get("seen") else {}
    found = occurrences("host/%1", {**pane(state="idle"), **shown, field: value})
    assert [str(one.kind) for one in found] == (["message"] if text else [])
    assert all((one.subject.asks or "").startswith(text or "") for one in found)


@pytest.mark.tc("TC-915")
def test_only_a_newer_message_is_another_reason() -> None:
    """When the newer one was answered, the older one that is left is not sent again."""
    before = Sign(5_000_000_000, 5_000_000_000, None)
    assert not is_same(before, Sign(9_000_000_000, 9_000_000_000, None), Kind.MESSAGE)
    assert is_same(before, Sign(1_000_000_000, 1_000_000_000, None), Kind.MESSAGE)


def test_while_a_state_is_hidden_the_last_known_one_counts() -> None:
    hidden = {
        "state": "unknown", "attention": "needs_action", "reason_code": "target_unreachable",
        "last_known": {"state": "waiting_input", "since": T0, "at": LATER},
    }  # fmt: skip
    item = pane(**hidden)  # type: ignore[arg-type]
    (found,) = occurrences("host/%1", item)
    assert (found.kind, found.sign.hidden, found.sign.since) == (Kind.WAITING_INPUT, True, at(T0))


def test_the_subject_names_agent_place_and_request() -> None:
    item = pane("%3", state="waiting_approval", waiting_for=PROMPT, project="site")
    (found,) = occurrences(key_of(item), item)
    assert found.subject.asks == "Bash: make"
    assert (found.subject.place, found.subject.project) == ("work:1.3", "site")
    assert found.sign.fingerprint == "f-1"


ASKED = Sign(1000, 2000, 5, "f-1", accepts_input=False, reason=None)


@pytest.mark.parametrize(
    ("now", "same"),
    [
        (ASKED, True),
        (replace(ASKED, fingerprint="f-2", version=6), False),
        (replace(ASKED, version=6), False),  # answered, and asked again in the same words
        (replace(ASKED, version=6, accepts_input=True), True),
        (replace(ASKED, version=7), True),  # it was hidden in between
        (replace(ASKED, version=9, since=90_000_000_000), False),
        (replace(ASKED, version=6, fingerprint=None), True),
        (replace(ASKED, hidden=True, fingerprint=None, version=6), True),
    ],
)
def test_a_prompt_is_the_same_or_another_one(now: Sign, same: bool) -> None:
    assert is_same(ASKED, now, Kind.WAITING_APPROVAL) is same


def test_a_prompt_that_a_hook_reported_gets_its_fingerprint_from_the_screen() -> None:
    assert is_same(replace(ASKED, fingerprint=None), replace(ASKED, version=6), Kind.WAITING_APPROVAL)


@pytest.mark.parametrize("kind", [Kind.WAITING_APPROVAL, Kind.COMPLETED, Kind.ERROR])
def test_a_clock_that_was_set_back_between_two_daemons_makes_no_new_reason(kind: Kind) -> None:
    """All times of the rows moved back together; the versions stayed."""
    back = replace(ASKED, since=-9_000_000_000, attention_since=-9_000_000_000 + 1000)
    assert is_same(ASKED, back, kind)


def test_the_next_completion_is_another_one_though_its_version_is_the_same() -> None:
    done = Sign(1_000_000_000, 1_000_000_000, 5)
    assert not is_same(done, Sign(9_000_000_000, 9_500_000_000, 5), Kind.COMPLETED)
    assert is_same(done, Sign(60_000_000_000, 1_000_000_000, 6), Kind.COMPLETED), "it turned idle"
