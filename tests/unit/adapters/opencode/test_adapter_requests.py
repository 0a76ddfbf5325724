"""OpenCode's requests where several are open at once: each is a word of its own."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.adapters.opencode.adapter import EVENTS, OpenCodeAdapter
from agtmuxd.core.model import Claim, RawEvent, Source, Write


def open_after(*events: tuple[str, dict[str, Any]]) -> dict[str, Claim]:
    """The waits that stand by these events alone, by subject."""
    held: dict[str, Write] = {}
    for name, payload in events:
        event = RawEvent("e", f"event:{name}", Source.HOOK, "opencode", 1, 1, "d", payload=payload)
        for write in OpenCodeAdapter().normalise(event, {}).writes:
            held[write.subject] = write
    waits = (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)
    return {subject: write.claim for subject, write in held.items() if write.claim is not None and write.claim in waits}


MAIN = {"sessionID": "ses_main"}
HELPER = {"sessionID": "ses_helper", "parentID": "ses_main"}
COMMAND = ("permission.asked", {**MAIN, "id": "per_1", "permission": "bash", "patterns": ["make"]})
OTHER = ("permission.asked", {**MAIN, "id": "per_2", "permission": "bash", "patterns": ["make clean"]})
QUESTION = ("question.asked", {**MAIN, "id": "que_1", "questions": [{"question": "Which?", "options": []}]})
HELPERS = ("permission.asked", {**HELPER, "id": "per_3", "permission": "edit", "patterns": ["a.txt"]})


def replied(request: str, session: dict[str, str], reply: str = "once") -> tuple[str, dict[str, Any]]:
    return "permission.replied", {**session, "requestID": request, "reply": reply}


@pytest.mark.tc("TC-036")
def test_the_answer_to_one_request_says_nothing_of_the_others() -> None:
    approval, question = Claim.WAITING_APPROVAL, Claim.WAITING_INPUT
    assert sorted(open_after(COMMAND, OTHER, QUESTION, HELPERS).values()) == [approval] * 3 + [question]
    assert list(open_after(COMMAND, QUESTION, replied("per_1", MAIN)).values()) == [question]
    assert list(open_after(QUESTION, COMMAND, ("question.replied", {**MAIN, "requestID": "que_1"})).values()) == [
        approval
    ]
    assert list(open_after(COMMAND, OTHER, replied("per_1", MAIN)).values()) == [approval]
    assert list(open_after(COMMAND, HELPERS, replied("per_3", HELPER)).values()) == [approval]
    assert list(open_after(COMMAND, HELPERS, ("session.idle", HELPER)).values()) == [approval] * 2
    assert open_after(COMMAND, OTHER, replied("per_2", MAIN), replied("per_1", MAIN)) == {}


@pytest.mark.tc("TC-036")
@pytest.mark.parametrize("name", [event for event in EVENTS if not event.endswith(".asked")])
def test_a_word_whose_payload_did_not_come_claims_nothing(name: str) -> None:
    """It may be a sub-agent's, and an interrupt looks like a failure; that something is asked stands all the same."""
    event = RawEvent("e", name, Source.HOOK, "opencode", 1, 1, "d", payload={})
    assert OpenCodeAdapter().normalise(event, {}).writes == ()
    assert list(open_after(("permission.asked", {}))) == ["approval:main"]


@pytest.mark.tc("TC-036")
def test_a_request_of_the_main_agent_ends_with_its_turn_and_a_helpers_by_its_own_answer() -> None:
    """By the subjects that the retirement table knows: tools of the turn, and approvals of a sub-agent."""
    assert list(open_after(COMMAND, HELPERS)) == ["tool:per_1", "approval:ses_helper:per_3"]
    nameless = ("permission.asked", {**MAIN, "permission": "bash"})
    assert list(open_after(nameless)) == ["approval:main"]
    assert open_after(nameless, ("permission.replied", {**MAIN, "reply": "once"})) == {}
