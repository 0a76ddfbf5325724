"""Build the items of agents from their directory and the rows of panes, and filter them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agtmuxd.agents.model import Agent, level

_OF_THE_PANE: Final = (
    "ref", "agent_type", "agent_session_id", "state", "accepts_input", "since", "attention", "last_seen_at", "cwd"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents to list. ``text``: part of the name, role, owner or a tag. ``everything``: agents without a runtime
    to which nobody gave a name, too.
    """

    text: str | None = None
    team: str | None = None
    states: Collection[str] = ()
    everything: bool = False

    def matches(self, item: Mapping[str, Any]) -> bool:
        """Return whether to list an item."""
        if self.text is not None:
            words = (item["name"], item["role"], item["owner"], item["agent_type"], *item["tags"])
            if not any(self.text.casefold() in str(word).casefold() for word in words if word):
                return False
        if self.team is not None and (item["team"] or "").casefold() != self.team.casefold():
            return False
        if self.states and item["state"] not in self.states:
            return False
        return self.everything or item["runtime_id"] is not None or not item["automatic"]


def agent_item(
    agent: Agent, row: Mapping[str, Any] | None, seconds: float | None, living: bool | None
) -> dict[str, Any]:
    """Build the item of an agent. ``row``: of its pane. ``seconds``: since its pane was seen."""
    pane = {name: None if row is None else row.get(name) for name in _OF_THE_PANE}
    if row is None and agent.session is not None:
        pane["agent_type"] = agent.session.agent_type
    target = None if row is None else row["identity"]["target"]
    return {**agent.item(), "target": target, **pane, "last_seen": level(seconds, living)}


def card(item: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an agent in the form of an A2A agent card. What only agtmux knows stands in ``agtmux``."""
    full = f"{item['team']}/{item['name']}" if item["team"] else item["name"]
    kind = item["agent_type"] or "unknown"
    return {
        "protocolVersion": "0.3.0",
        "name": full,
        "description": item["role"] or f"{kind} in a tmux pane",
        "url": f"agtmux:agent/{full}",
        "version": "1",
        "capabilities": {"streaming": False, "pushNotifications": False, "stateTransitionHistory": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [
            {
                "id": item["agent_id"],
                "name": item["role"] or kind,
                "description": f"Work as {item['role'] or kind}. Send it a message with agtmux msg send.",
                "tags": [kind, *item["tags"]],
            }
        ],
        "agtmux": {
            key: item[key]
            for key in ("agent_id", "owner", "scopes", "ref", "state", "accepts_input", "since", "last_seen")
        },
    }
