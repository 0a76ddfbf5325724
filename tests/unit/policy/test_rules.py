"""Who may do what without a rule."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.policy.rules import VERBS, allow

pytestmark = pytest.mark.tc("TC-605")


def test_people_may_do_everything_and_agents_only_coordinate() -> None:
    agent = Actor(agent_id="1", name="claude-1")
    refused = []
    for verb in VERBS:
        allow(Actor(), verb, "x")
        try:
            allow(agent, verb, "x")
        except AgtmuxError as error:
            assert error.code == "E_POLICY_DENIED"
            refused.append(verb)
    assert refused == ["spawn", "act", "admin"]
