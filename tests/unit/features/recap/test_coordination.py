"""What a recap says of messages and leases, from their published changes."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.core.json_codec import stamp
from agtmuxd.features.recap.coordination import LISTED, CoordinationRecap

pytestmark = pytest.mark.tc("TC-918")
S = 1_000_000_000
START = 1_767_225_600 * S


def message(kind: str, at: float = 1, **more: Any) -> dict[str, Any]:
    values = {"kind": kind, "sender": "agent:builder", "created_at": stamp(START + int(at * S)), "overdue_at": None}
    return {**values, "cancelled_at": None, **more}


def told(*changes: tuple[str, str, dict[str, Any] | None]) -> dict[str, Any]:
    recap = CoordinationRecap(START)
    for number, (kind, name, item) in enumerate(changes):
        recap.change(kind, name, START + number * S, item)
    return recap.result()


def to(message_id: str, agent_id: str | None = None, state: str = "queued") -> dict[str, Any]:
    return {"message_id": message_id, "agent_id": agent_id, "state": state}


def test_messages_to_people_are_listed_newest_first_and_others_only_counted() -> None:
    found = told(
        ("message", "m-1", message("question", 1)), ("delivery", "d-1", to("m-1")),
        ("message", "m-2", message("blocker", 2)), ("delivery", "d-2", to("m-2")), ("delivery", "d-2", to("m-2")),
        ("message", "m-3", message("result", 3)), ("delivery", "d-3", to("m-3", "a-1")),
        ("message", "m-4", message("answer", 4)),
    )  # fmt: skip
    assert [(one["message_id"], one["kind"]) for one in found["messages"]] == [("m-2", "blocker"), ("m-1", "question")]
    assert (found["to_people"], found["results"], found["answers"]) == (2, 1, 1)


def test_what_was_sent_before_or_cancelled_does_not_count_but_an_answer_that_is_late_now_does() -> None:
    late = message("question", -60, overdue_at=stamp(START + S))
    again = message("question", 2)
    found = told(
        ("message", "m-1", late), ("delivery", "d-1", to("m-1")),
        ("message", "m-2", again), ("delivery", "d-2", to("m-2")),
        ("message", "m-2", {**again, "cancelled_at": stamp(START + 3 * S)}), ("message", "m-3", None),
    )  # fmt: skip
    assert (found["to_people"], found["overdue"], found["messages"]) == (0, 1, [])


def test_a_delivery_counts_as_failed_until_it_arrives() -> None:
    dead, unsure = to("m-1", "a-1", "dead"), to("m-2", "a-1", "submitted_unconfirmed")
    assert told(("delivery", "d-1", dead), ("delivery", "d-2", unsure))["undelivered"] == 2
    assert told(("delivery", "d-1", dead), ("delivery", "d-1", to("m-1", "a-1", "read")))["undelivered"] == 0


def test_a_lease_that_was_taken_over_is_listed_once_and_the_list_has_a_limit() -> None:
    lease = {"state": "taken", "pattern": "src/**", "name": None, "holder": "agent:x", "end_reason": "taken by person"}
    many = [("lease", f"l-{number}", lease) for number in range(LISTED + 2)]
    found = told(("lease", "l-0", {**lease, "state": "active"}), *many, *many)
    assert (found["leases_taken"], len(found["takeovers"])) == (LISTED + 2, LISTED)
    assert found["takeovers"][0] | {"at": 0} == {
        "at": 0, "lease_id": f"l-{LISTED + 1}", "what": "src/**", "holder": "agent:x", "reason": "taken by person",
    }  # fmt: skip
