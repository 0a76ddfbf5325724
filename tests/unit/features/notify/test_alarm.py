"""A channel that delivers nothing is reported on another one, once, until it works again."""

from __future__ import annotations

import pytest

from agtmuxd.features.notify.alarm import alarm_rule, alarm_steps, chosen_channel, fails
from agtmuxd.features.notify.message_store import ChannelHealth
from agtmuxd.features.notify.model import Delivery, Kind, Part, State
from tests.unit.features.notify.makers import T0

pytestmark = pytest.mark.tc("TC-408")
DEAD = ChannelHealth("phone", failures=3, last_error="no route")
NAMES = ["phone", "desk", "log"]


def test_three_failures_in_a_row_or_a_channel_that_is_gone_count() -> None:
    assert fails(DEAD)
    assert fails(ChannelHealth("phone", disabled="410 Gone"))
    assert not fails(ChannelHealth("phone", failures=2))


def test_the_alarm_is_one_episode_until_the_channel_works_again() -> None:
    opened, closed = alarm_steps(NAMES, {"phone": DEAD}, [], T0, "a-1")
    assert opened is not None and (opened.kind, opened.runtime_id, closed) == (Kind.CHANNEL, "phone", [])
    assert opened.subject.asks == "no route"
    assert alarm_steps(NAMES, {"phone": DEAD}, [opened], T0, "a-2") == (None, [])
    none, ended = alarm_steps(NAMES, {"phone": ChannelHealth("phone")}, [opened], T0, "a-2")
    assert none is None and [one.close_reason for one in ended] == ["the channel works again"]
    assert [one.close_reason for one in alarm_steps(["desk"], {"phone": DEAD}, [opened], T0, "x")[1]] == ["it is gone"]


def test_another_channel_that_works_is_chosen_and_stays_chosen() -> None:
    opened, _ = alarm_steps(NAMES, {"phone": DEAD}, [], T0, "a-1")
    assert opened is not None
    assert chosen_channel(opened, NAMES, {"phone": DEAD}, {}) == "desk"
    broken = {"phone": DEAD, "desk": ChannelHealth("desk", failures=9)}
    assert chosen_channel(opened, NAMES, broken, {}) == "log"
    sent = Delivery("a-1", "desk", Part.FIRST, State.SENT, T0)
    assert chosen_channel(opened, NAMES, broken, {("desk", Part.FIRST): sent}) == "desk"
    assert chosen_channel(opened, ["phone"], {"phone": DEAD}, {}) is None


def test_an_alarm_waits_for_nothing_but_quiet_hours() -> None:
    opened, _ = alarm_steps(NAMES, {"phone": DEAD}, [], T0, "a-1")
    assert opened is not None
    rule = alarm_rule(NAMES, None)
    assert (rule.number, rule.ready_at(opened), rule.cooldown) == (0, T0, 0)
