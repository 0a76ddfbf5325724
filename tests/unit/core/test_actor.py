"""Who sends a request of coordination has one word in lists."""

from __future__ import annotations

import pytest

from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor

pytestmark = pytest.mark.tc("TC-600")


def test_people_devices_and_agents_have_their_own_labels() -> None:
    agent = Actor(Caller(1000, 7), "rt-1", "id-1", "builder", "web")
    assert [Actor().label, Actor(Caller(actor="device:phone")).label, agent.label] == [
        "person", "device:phone", "agent:builder"
    ]  # fmt: skip
    assert [Actor().is_agent, agent.is_agent] == [False, True]
