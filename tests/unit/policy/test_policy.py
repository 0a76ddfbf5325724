"""The rules of the configuration, as a reload changes them."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import Settings, parse
from agtmuxd.core.actor import Actor
from agtmuxd.policy.policy import Policy

AGENT = Actor(agent_id="1", name="builder")
RULE = '[[policies]]\neffect = "{}"\nsubject = "agent:builder"\nverb = "act.send"\n'


def policy(text: str) -> Policy:
    settings = parse(text, "c.toml")
    return Policy(lambda: settings)


@pytest.mark.tc("TC-746")
def test_the_short_form_is_a_rule_that_lets_every_agent_act_and_change_the_daemon() -> None:
    short = policy("allow_agent_actions = true")
    assert short.is_open
    for verb in ("act.approve", "spawn", "admin"):
        short.allow(AGENT, verb, "target:host")
    both = policy("allow_agent_actions = true\n" + RULE.format("deny"))
    assert not both.is_open
    with pytest.raises(AgtmuxError, match=r"rule 1 refuses this \(deny agent:builder act.send \*\)") as caught:
        both.allow(AGENT, "act.send", "target:host")
    assert caught.value.details["rule"] == "rule 1"
    assert not policy(RULE.format("allow")).is_open
    assert not policy("").is_open


@pytest.mark.tc("TC-746")
def test_a_reload_counts_at_once() -> None:
    current = [Settings()]
    rules = Policy(lambda: current[0])
    with pytest.raises(AgtmuxError, match="only people may, unless a rule"):
        rules.allow(AGENT, "act.send", "target:host")
    current[0] = parse(RULE.format("allow"), "c.toml")
    rules.allow(AGENT, "act.send", "target:host")


@pytest.mark.tc("TC-744")
def test_a_refused_topic_names_what_is_allowed() -> None:
    with pytest.raises(AgtmuxError, match="only on topics below agent/builder/") as caught:
        policy("").allow(AGENT, "signal", "topic:team/web/x")
    assert caught.value.details["allowed"] == "agent/builder/"
