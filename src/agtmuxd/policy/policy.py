"""Apply the rules of the configuration. The configuration is a file of the user: no request can write a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from agtmuxd.config import Settings
from agtmuxd.core.actor import Actor
from agtmuxd.policy.rules import Decision, Rule, allow, decide

SHORT_FORM: Final = "allow_agent_actions"
"""The setting that stands for rules which let every agent act, start agents, and change the daemon."""
_SHORT_FORM_VERBS: Final = ("act", "spawn", "admin")


class Policy:
    """The rules in effect. A reload of the configuration changes them at once."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._read: tuple[Settings | None, tuple[Rule, ...]] = None, ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules in order. Those of the short form come last."""
        settings = self._settings()
        if self._read[0] is not settings:
            self._read = settings, _rules_of(settings)
        return self._read[1]

    @property
    def is_open(self) -> bool:
        """Whether agents may do all that people may, so that it does not matter who asks."""
        rules = self.rules
        return any(rule.name == SHORT_FORM for rule in rules) and all(rule.effect == "allow" for rule in rules)

    def decide(self, actor: Actor, verb: str, objects: Iterable[str], *, into_dialog: bool = False) -> Decision:
        """Decide whether the actor may do this. ``into_dialog``: it could answer a dialog."""
        return decide(self.rules, actor, verb, objects, into_dialog=into_dialog)

    def allow(self, actor: Actor, verb: str, object_: str) -> None:
        """Raise E_POLICY_DENIED, naming the rule and what is allowed, if the actor may not do this."""
        allow(actor, verb, object_, self.rules)


def _rules_of(settings: Settings) -> tuple[Rule, ...]:
    listed = [
        Rule(f"rule {number}", one.effect, one.subject, one.verb, one.object)
        for number, one in enumerate(settings.policies, 1)
    ]
    if settings.allow_agent_actions:
        listed += [Rule(SHORT_FORM, "allow", "*", verb, "*") for verb in _SHORT_FORM_VERBS]
    return tuple(listed)
