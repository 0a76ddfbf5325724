"""List the rules in effect, and tell what they decide. Changes nothing: rules stand in the configuration."""

from __future__ import annotations

from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.features.contract import Agents
from agtmuxd.policy.policy import Policy
from agtmuxd.policy.rules import Rule


class Policies:
    """Implements ``PoliciesService`` of ``routes``."""

    def __init__(self, *, envelope: Envelope, policy: Policy, agents: Agents) -> None:
        self.envelope = envelope
        self._policy = policy
        self._agents = agents

    def rules(self) -> list[dict[str, Any]]:
        """List the rules in order."""
        return [_item(rule) for rule in self._policy.rules]

    def tested(self, subject: str, verb: str, objects: tuple[str, ...]) -> dict[str, Any]:
        """Tell what the rules decide. Raises E_INVALID_REQUEST, E_AGENT_NOT_FOUND, E_AGENT_AMBIGUOUS."""
        actor = self._actor(subject)
        decision = self._policy.decide(actor, verb, objects)
        return {
            "allowed": decision.allowed,
            "rule": decision.rule_name,
            "text": None if decision.rule is None else decision.rule.text(),
            "topics_below": decision.prefix,
        }

    def _actor(self, subject: str) -> Actor:
        kind, _, name = subject.partition(":")
        if subject == "person":
            return Actor()
        if kind == "agent" and name:
            agent = self._agents.find(name)
            return Actor(Caller(), agent.runtime_id, agent.agent_id, agent.name, agent.team)
        if kind == "team" and name:
            return Actor(agent_id="-", name="-", team=name)
        if kind == "device" and name:
            return Actor(Caller(actor=subject))
        if kind == "uid" and name.isdecimal() and len(name) <= 10:
            return Actor(Caller(uid=int(name)))
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"subject: {subject[:80]!r}: write agent:NAME, team:NAME, uid:NUMBER, device:NAME or"
            " person",
        )  # fmt: skip


def _item(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.name, "effect": rule.effect, "subject": rule.subject, "verb": rule.verb, "object": rule.object
    }  # fmt: skip
