"""What the rules decide, as ``agtmux policy test`` tells it."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import Agent, named
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import parse
from agtmuxd.features.policies.routes import PolicyRule
from agtmuxd.features.policies.service import Policies
from agtmuxd.policy.policy import Policy
from tests.fake_services import target
from tests.rig import Clock

pytestmark = pytest.mark.tc("TC-746")
RULES = """
allow_agent_actions = true
[[policies]]
effect = "deny"
subject = "team:web"
verb = "act.kill"
[[policies]]
effect = "deny"
subject = "device:phone"
verb = "act"
object = "target:host"
"""


class Directory:
    """Two agents, one of them in a team."""

    agents = (Agent("a-1", "builder", 1, team="web"), Agent("a-2", "loner", 1))

    def find(self, text: str) -> Agent:
        found = named(self.agents, text)
        if not found:
            raise AgtmuxError("E_AGENT_NOT_FOUND", "there is none")
        return found[0]


def policies() -> Policies:
    settings, directory = parse(RULES, "c.toml"), Directory()
    agents: Any = directory
    return Policies(envelope=Envelope(Clock(), lambda: [target()]), policy=Policy(lambda: settings), agents=agents)


def test_rules_are_listed_in_order_with_the_short_form_last() -> None:
    items = policies().rules()
    assert [PolicyRule.model_validate(one).rule for one in items] == ["rule 1", "rule 2", *["allow_agent_actions"] * 3]


@pytest.mark.parametrize(
    ("subject", "verb", "object_", "allowed", "rule"),
    [
        ("agent:builder", "act.kill", "target:host", False, "rule 1"),
        ("agent:web/builder", "act.send", "target:host", True, "allow_agent_actions"),
        ("agent:loner", "act.kill", "target:host", True, "allow_agent_actions"),
        ("team:web", "act.kill", "*", False, "rule 1"),
        ("device:phone", "act.send", "target:host", False, "rule 2"),
        ("device:phone", "act.send", "target:gpu", True, "allow_agent_actions"),
        ("person", "act.kill", "target:host", True, "allow_agent_actions"),
        ("uid:1000", "read", "target:host", True, "default"),
        ("agent:loner", "act.approve", "target:host", True, "allow_agent_actions"),
        ("agent:loner", "act.approve", "agent:loner", False, "own dialog"),
        ("agent:loner", "signal", "topic:team/web/x", False, "default"),
    ],
)
def test_it_names_the_rule_that_decides(subject: str, verb: str, object_: str, allowed: bool, rule: str) -> None:
    decision = policies().tested(subject, verb, (object_,))
    assert (decision["allowed"], decision["rule"]) == (allowed, rule)


def test_a_wrong_subject_is_refused() -> None:
    for subject, code in (("builder", "E_INVALID_REQUEST"), ("agent:none", "E_AGENT_NOT_FOUND")):
        with pytest.raises(AgtmuxError) as caught:
            policies().tested(subject, "act", ("*",))
        assert caught.value.code == code
    assert policies().tested("agent:loner", "signal", ("topic:a",))["topics_below"] == "agent/loner/"
