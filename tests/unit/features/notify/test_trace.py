"""What ``agtmux notify why`` gets: what was decided, what is still open, and which rules are not for an episode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.features.notify.message import trial_message
from agtmuxd.features.notify.message_store import Sending
from agtmuxd.features.notify.model import Kind, State
from agtmuxd.features.notify.trace import explain_episode
from tests.unit.features.notify.makers import T0, episode, facts, rule, s, told

pytestmark = pytest.mark.tc("TC-410")


def test_an_open_episode_shows_what_it_waits_for() -> None:
    one = episode()
    rules = [rule("desk"), rule("phone", number=2, after=s(60)), rule("log", number=3, kinds=frozenset({Kind.ERROR}))]
    sent = told(one, 2)
    found = explain_episode(facts(10, one, rules=rules, sent=[sent]), one, [sent], {})
    assert [(d["channel"], d["state"], d["rule"]) for d in found["deliveries"]] == [
        ("desk", "sent", 1), ("phone", "wait", 2),
    ]  # fmt: skip
    assert found["rules_not_for_it"] == [{"rule": 3, "reason": "it is not for waiting_approval"}]
    assert found["deliveries"][1]["at"] == "2026-01-01T00:01:00.000Z"


def test_a_closed_episode_shows_what_was_decided_only() -> None:
    one = replace(episode(kind=Kind.COMPLETED), closed_at=T0 + s(9), close_reason="you looked at it")
    found = explain_episode(facts(10), one, [told(one, 5)], {})
    assert [d["state"] for d in found["deliveries"]] == ["sent"]
    assert (found["close_reason"], found["turn_s"]) == ("you looked at it", 600.0)


def test_a_message_that_is_sent_again_says_when_and_what_was_wrong() -> None:
    one = episode()
    sending = told(one, 2, state=State.SENDING)
    retry = Sending(trial_message("m-1", "desk", T0), "retry", 2, next_at=T0 + s(300), last_error="no route")
    (found,) = explain_episode(facts(10, one, sent=[sending]), one, [sending], {"m-1": retry})["deliveries"]
    assert (found["state"], found["at"], found["reason"]) == ("retry", "2026-01-01T00:05:00.000Z", "no route")
