"""What a listing of agents shows, and which agents a filter takes."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.agents.model import Agent, SessionKey
from agtmuxd.features.agents.model import AgentFilter, agent_item, card

pytestmark = pytest.mark.tc("TC-620")

ROW: dict[str, Any] = {
    "ref": "pane:host/work/@1/%1", "identity": {"target": "host"}, "agent_type": "claude", "agent_session_id": "s",
    "state": "idle", "accepts_input": True, "since": "2026-01-01T00:00:00.000Z", "attention": "none",
    "last_seen_at": "2026-01-01T00:00:00.000Z", "cwd": "/src", "title": "not for this listing",
}  # fmt: skip
BUILDER = Agent("1", "builder", 0, "web", role="writes the API", owner="Ada", tags=("python",), runtime_id="rt-1")


def test_an_item_has_the_pane_of_its_runtime_and_nothing_more_of_it() -> None:
    item = agent_item(BUILDER, ROW, 3.0, None)
    assert (item["ref"], item["target"], item["state"], item["last_seen"]) == (
        "pane:host/work/@1/%1", "host", "idle", "alive"
    )  # fmt: skip
    assert "title" not in item


def test_an_agent_that_ended_has_no_pane_and_is_gone() -> None:
    ended = Agent("1", "builder", 0, ended_at=5, session=SessionKey("t", "codex", "s"))
    item = agent_item(ended, None, None, None)
    assert (item["ref"], item["state"], item["last_seen"], item["agent_type"]) == (None, None, "gone", "codex")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AgentFilter(), ["builder", "named"]),
        (AgentFilter(everything=True), ["builder", "named", "claude-1"]),
        (AgentFilter("BUILD"), ["builder"]),
        (AgentFilter("ada"), ["builder"]),
        (AgentFilter("pyth"), ["builder"]),
        (AgentFilter(team="WEB"), ["builder"]),
        (AgentFilter(states=("idle",)), ["builder"]),
        (AgentFilter(states=("running",)), []),
    ],
)
def test_a_filter_takes_agents_by_words_team_and_state(wanted: AgentFilter, found: list[str]) -> None:
    items = [
        agent_item(BUILDER, ROW, 3.0, None),
        agent_item(Agent("2", "named", 0), None, None, None),
        agent_item(Agent("3", "claude-1", 0, automatic=True), None, None, None),
    ]
    assert [item["name"] for item in items if wanted.matches(item)] == found


def test_a_card_has_the_fields_of_an_agent_card() -> None:
    made = card(agent_item(BUILDER, ROW, 3.0, None))
    assert {"protocolVersion", "name", "description", "url", "version", "capabilities", "skills"} < set(made)
    assert (made["name"], made["description"]) == ("web/builder", "writes the API")
    assert made["skills"][0]["tags"] == ["claude", "python"]
    assert (made["agtmux"]["state"], made["agtmux"]["accepts_input"]) == ("idle", True)
