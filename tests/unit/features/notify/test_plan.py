"""What is sent now, what waits and why, and what becomes one message."""

from __future__ import annotations

from datetime import UTC, time
from typing import Any

import pytest

from agtmuxd.features.notify.model import Delivery, Episode, Kind, Part, Sign, State
from agtmuxd.features.notify.plan import ChannelFacts, Do, Facts, judge, plan, unsent_at_end
from agtmuxd.features.notify.quiet import Quiet
from agtmuxd.features.notify.rules import Rule
from tests.unit.features.notify.makers import T0, episode, facts, rule, s, told

pytestmark = pytest.mark.tc("TC-403")


def sent(some: Facts) -> list[list[str]]:
    """The episodes of each message that is sent now."""
    return [[one.episode_id for one, _, _ in send.parts] for send in plan(some).sends]


def verdict(some: Facts, one: Episode, part: Part = Part.FIRST) -> tuple[str, str, float | None]:
    found = judge(some, one, "desk", part)
    assert found is not None
    return str(found.do), found.reason, None if found.until is None else (found.until - T0) / 1e9


def test_an_episode_is_sent_once_it_has_lasted_long_enough() -> None:
    one = episode()
    assert sent(facts(1.9, one)) == []
    assert plan(facts(1.9, one)).look_again == T0 + s(2)
    assert sent(facts(2, one)) == [["e1"]]


def test_what_was_decided_is_not_decided_again() -> None:
    one = episode()
    for state in State:
        assert sent(facts(500, one, sent=[told(one, 2, state=state)])) == []


def test_a_short_turn_and_one_of_unknown_length_are_left_out() -> None:
    short = episode(kind=Kind.COMPLETED, turn=s(29))
    assert verdict(facts(9, short), short) == ("skip", "the turn took only 29 s", None)
    unknown = episode(kind=Kind.COMPLETED, turn=None)
    assert verdict(facts(9, unknown), unknown)[:2] == ("skip", "the length of the turn is not known")
    assert sent(facts(9, unknown, rules=[rule(min_turn=0)])) == [["e1"]]


def test_the_same_agent_is_reported_for_the_same_reason_once_a_minute() -> None:
    one = episode(at=10)
    before = {(one.runtime_id, one.kind, "desk"): T0}
    assert verdict(facts(30, one, last_sent=before), one)[::2] == ("hold", 60.0)
    assert sent(facts(60, one, last_sent=before)) == [["e1"]]
    other = {(one.runtime_id, Kind.ERROR, "desk"): T0, (one.runtime_id, one.kind, "phone"): T0}
    assert sent(facts(30, one, last_sent=other)) == [["e1"]]


def test_a_mute_holds_back_and_what_is_still_open_then_is_sent() -> None:
    one, two = episode(1), episode(2)
    some = facts(10, one, two, muted={one.pane_key: T0 + s(100)})
    assert verdict(some, one) == ("hold", "it is muted", 100.0)
    assert sent(some) == [["e2"]]
    assert sent(facts(10, one, two, muted_all=T0 + s(50))) == []
    assert sent(facts(100, one, muted={one.pane_key: T0 + s(100)})) == [["e1"]]


def test_quiet_hours_hold_back_until_they_end() -> None:
    one = episode()
    quiet = rule(quiet=Quiet(time(0), time(0, 30), UTC))
    assert verdict(facts(10, one, rules=[quiet]), one) == ("hold", "these are quiet hours", 1800.0)
    assert sent(facts(1800, one, rules=[quiet])) == [["e1"]]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"looked_at": {"host/%1"}}, "you look at it now"),
        ({"unread": {"host"}}, "host was not read yet"),
        ({"channels": {"desk": ChannelFacts(disabled="410 Gone")}}, "the channel is disabled: 410 Gone"),
    ],
)
def test_other_things_hold_back_too(more: dict[str, Any], why: str) -> None:
    one = episode()
    assert verdict(facts(10, one, **more), one)[:2] == ("hold", why)
    assert sent(facts(10, one, **more)) == []


def test_a_state_that_cannot_be_seen_is_not_sent() -> None:
    one = episode(sign=Sign(T0, T0, 1, hidden=True))
    assert verdict(facts(10, one), one)[:2] == ("hold", "its state cannot be seen now")


def test_a_busy_channel_gets_its_next_message_later() -> None:
    one = episode()
    assert sent(facts(10, one, channels={"desk": ChannelFacts(busy=True)})) == []


def test_a_ladder_leaves_out_what_was_looked_at() -> None:
    """Desktop first; the phone only if nobody looked."""
    rules = [rule("desk"), rule("phone", number=2, after=s(120))]
    one = episode()
    assert [send.channel for send in plan(facts(10, one, rules=rules)).sends] == ["desk"]
    later = facts(120, one, rules=rules, sent=[told(one, 2)])
    assert [send.channel for send in plan(later).sends] == ["phone"]
    looked = episode(seen_at=T0 + s(50))
    skipped = plan(facts(120, looked, rules=rules, sent=[told(one, 2)])).skips
    assert [(one.channel, one.reason) for one in skipped] == [("phone", "you looked at it")]


def test_a_reminder_comes_once_also_to_somebody_who_only_looked() -> None:
    reminds = rule(remind=s(600))
    one = episode()
    assert judge(facts(300, one, rules=[reminds]), one, "desk", Part.REMIND) is None, "nothing was sent yet"
    first = told(one, 2)
    assert verdict(facts(601, one, rules=[reminds], sent=[first]), one, Part.REMIND)[::2] == ("wait", 602.0)
    assert sent(facts(602, one, rules=[reminds], sent=[first])) == [["e1"]]
    again = told(one, 602, part=Part.REMIND)
    assert sent(facts(9999, one, rules=[reminds], sent=[first, again])) == []
    looked = Delivery("e1", "desk", Part.FIRST, State.SKIPPED, T0 + s(2), 1, "you looked at it")
    assert sent(facts(602, one, rules=[reminds], sent=[looked])) == [["e1"]]
    short = Delivery("e1", "desk", Part.FIRST, State.SKIPPED, T0 + s(2), 1, "the turn took only 3 s")
    assert sent(facts(602, one, rules=[reminds], sent=[short])) == []
    assert sent(facts(602, one, rules=[rule()], sent=[first])) == []


def test_of_several_rules_the_one_that_sends_soonest_counts() -> None:
    slow, fast = rule(after=s(300)), rule(number=2)
    one = episode()
    (send,) = plan(facts(2, one, rules=[slow, fast])).sends
    assert send.parts[0][2].rule == 2
    assert verdict(facts(1, one, rules=[slow, fast]), one)[2] == 2.0
    strict = rule(min_turn=s(900))
    done = episode(kind=Kind.COMPLETED)
    assert sent(facts(5, done, rules=[strict, fast])) == [["e1"]]


def test_four_that_began_within_ten_seconds_are_one_message() -> None:
    some = [episode(n, at=n) for n in range(1, 5)]
    assert sent(facts(3, *some[:1])) == [["e1"]]
    assert sent(facts(4.5, *some)) == [], "the others are about to be ready"
    assert sent(facts(6, *some)) == [["e1", "e2", "e3", "e4"]]


def test_a_message_about_many_waits_at_most_ten_seconds() -> None:
    some = [episode(n, at=n) for n in range(1, 6)]
    slow = [episode(n, Kind.COMPLETED, at=10.5) for n in range(6, 8)]
    assert sent(facts(11.2, *some, *slow)) == [["e1", "e2", "e3", "e4", "e5"]]


def test_the_last_of_many_are_one_message_though_the_first_went_out_alone() -> None:
    first = episode(1)
    rest = [episode(n, at=5) for n in range(2, 5)]
    assert sent(facts(7, first, *rest, sent=[told(first, 2)])) == [["e2", "e3", "e4"]]


def test_three_are_three_messages_one_after_the_other() -> None:
    some = [episode(n) for n in range(1, 4)]
    assert sent(facts(2, *some)) == [["e1"]]
    assert sent(facts(2, *some, sent=[told(some[0], 2)])) == [["e2"]]


def test_all_that_quiet_hours_or_a_mute_held_back_is_one_message() -> None:
    some = [episode(n, at=n * 60) for n in range(1, 6)]
    assert sent(facts(9000, *some)) == [["e1", "e2", "e3", "e4", "e5"]]


def test_an_end_says_for_each_channel_why_it_heard_nothing() -> None:
    rules: list[Rule] = [rule("desk"), rule("phone", number=2, after=s(120))]
    one = episode()
    found = unsent_at_end(facts(50, one, rules=rules, sent=[told(one, 2)]), one)
    assert [(d.channel, d.state, d.reason) for d in found] == [
        ("phone", State.SKIPPED, "it ended first: it has not lasted long enough yet")
    ]


def test_the_failure_of_a_channel_goes_to_the_chosen_channel_only() -> None:
    alarm = episode(9, Kind.CHANNEL)
    rules = [Rule(0, frozenset({Kind.CHANNEL}), ("desk", "phone"), dwell=0)]
    some = facts(0, alarm, rules=rules, alarms={"e9": "phone"})
    assert [send.channel for send in plan(some).sends] == ["phone"]
    assert plan(facts(0, alarm, rules=rules)).sends == ()


def test_a_plan_is_the_same_for_the_same_facts() -> None:
    some = [episode(n, at=n % 3) for n in range(1, 9)]
    assert plan(facts(4, *some)) == plan(facts(4, *some))
    assert {str(word) for word in Do} == {"send", "wait", "hold", "skip"}


def test_many_that_began_together_are_one_message_on_a_later_channel_too() -> None:
    rules = [rule("phone", after=s(120))]
    some = [episode(n, at=n / 2) for n in range(1, 6)]
    assert sent(facts(121, *some, rules=rules)) == []
    assert sent(facts(122.5, *some, rules=rules)) == [["e1", "e2", "e3", "e4", "e5"]]
