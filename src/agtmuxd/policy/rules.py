"""Decide whether somebody may do something, by rules. Pure.

A rule that refuses wins over all others. Otherwise a rule that allows is enough. Without a rule the default counts:
people may do everything; agents may read, message, wait and hold in their own name, and may not act on panes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.action.request import Kind
from agtmuxd.core.actor import Actor

ACTS: Final = tuple(f"act.{kind}" for kind in Kind if kind is not Kind.VIEW)
"""The single actions. A view of a screen is a read."""
VERBS: Final = ("read", "message", "signal", "wait", "lease", "worktree", "spawn", "act", "admin")
"""What a rule can be about. ``act.KIND`` is one kind of action; ``*`` is everything."""
OPEN_TO_AGENTS: Final = frozenset({"read", "message", "signal", "wait", "lease", "worktree"})
"""Verbs that agents may use in their own name without a rule."""
DIALOG_ACTS: Final = frozenset({"act.approve", "act.deny", "act.answer"})
"""What answers a dialog. No rule lets an agent do this to its own pane."""
UNKNOWN_AGENT: Final = Actor(agent_id="")
"""An agent that agtmux cannot name: rules that refuse any agent refuse it, and only ``*`` allows it something."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``name``: where it stands in the configuration. ``effect``: ``allow`` or ``deny``."""

    name: str
    effect: str
    subject: str
    verb: str
    object: str

    def text(self) -> str:
        """Write the rule in one line."""
        return f"{self.effect} {self.subject} {self.verb} {self.object}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed. ``rule``: the rule that decided; None: the default did. ``prefix``: the topics that an
    agent may publish on by default, if it asked for another one. ``own_dialog``: an agent would answer itself.
    """

    allowed: bool
    rule: Rule | None = None
    prefix: str | None = None
    own_dialog: bool = False

    @property
    def rule_name(self) -> str:
        """Return the name of the rule, ``default``, or ``own dialog``."""
        if self.own_dialog:
            return "own dialog"
        return "default" if self.rule is None else self.rule.name


def decide(
    rules: Iterable[Rule], actor: Actor, verb: str, objects: Iterable[str], *, into_dialog: bool = False
) -> Decision:
    """Decide. ``objects``: the names of what it is about, such as ``target:host`` and ``agent:claude-1``.

    ``into_dialog``: the action could answer a dialog, although its verb does not say so.
    """
    names = tuple(objects)
    decision = _by_rules(rules, actor, verb, names)
    if decision.allowed and (into_dialog or verb in DIALOG_ACTS) and _is_itself(actor, names):
        return Decision(False, own_dialog=True)
    return decision


def _is_itself(actor: Actor, names: tuple[str, ...]) -> bool:
    """Return whether an agent asks about its own pane. One that cannot be named could be any agent."""
    if not actor.is_agent or actor.name is None:
        return actor.is_agent
    agents = {name.casefold() for name in names if name.startswith("agent:")}
    in_teams = {name for name in agents if "/" in name}
    own = f"{actor.team}/{actor.name}" if in_teams and actor.team else actor.name
    return f"agent:{own}".casefold() in (in_teams or agents)


def _by_rules(rules: Iterable[Rule], actor: Actor, verb: str, names: tuple[str, ...]) -> Decision:
    fits = [rule for rule in rules if _is_about(rule, verb, names) and _is_for(rule, actor)]
    for effect in ("deny", "allow"):
        first = next((rule for rule in fits if rule.effect == effect), None)
        if first is not None:
            return Decision(effect == "allow", first)
    return _default(actor, verb, names)


def allow(actor: Actor, verb: str, object_: str, rules: Iterable[Rule] = ()) -> None:
    """Raise E_POLICY_DENIED, naming the rule and what is allowed, if the actor may not do this."""
    decision = decide(rules, actor, verb, (object_,))
    if not decision.allowed:
        raise denied(decision, actor, verb, object_)


def denied(decision: Decision, actor: Actor, verb: str, object_: str) -> AgtmuxError:
    """Return the error of a refusal."""
    details: dict[str, object] = {"verb": verb, "object": object_, "rule": decision.rule_name}
    if decision.own_dialog:
        text = "an agent may not answer the dialog of its own pane, and no rule allows it: a person must answer"
    elif decision.rule is not None:
        text = f"{decision.rule.name} refuses this ({decision.rule.text()}): see agtmux policy list"
    elif decision.prefix is not None:
        details["allowed"] = decision.prefix
        text = f"you may publish only on topics below {decision.prefix}, unless a rule in [[policies]] allows more"
    else:
        text = f"{actor.label} may not {verb} ({object_}): only people may, unless a rule in [[policies]] allows it"
    return AgtmuxError("E_POLICY_DENIED", text, details)


def own_topics(actor: Actor) -> str:
    """Return how the topics begin on which this agent may publish without a rule."""
    return f"team/{actor.team}/" if actor.team else f"agent/{actor.name}/"


def _default(actor: Actor, verb: str, names: tuple[str, ...]) -> Decision:
    if not actor.is_agent:
        return Decision(True)
    topics = [name.removeprefix("topic:") for name in names if name.startswith("topic:")]
    if verb == "signal" and topics:
        prefix = own_topics(actor)
        inside = actor.name is not None and all(topic.startswith(prefix) for topic in topics)
        return Decision(inside, prefix=None if inside else prefix)
    return Decision(verb.partition(".")[0] in OPEN_TO_AGENTS)


def _is_about(rule: Rule, verb: str, names: tuple[str, ...]) -> bool:
    if rule.verb != "*" and verb != rule.verb and not verb.startswith(f"{rule.verb}."):
        return False
    if rule.object == "*":
        return True
    return any(fnmatchcase(name.casefold(), rule.object.casefold()) for name in names)


def _is_for(rule: Rule, actor: Actor) -> bool:
    kind, _, pattern = rule.subject.partition(":")
    if kind == "*":
        return True
    if kind in ("uid", "device"):  # processes of agents have your uid too, but a rule for you is not for them
        who = actor.caller.actor if kind == "device" else f"uid:{actor.caller.uid}"
        return not actor.is_agent and who == rule.subject
    if not actor.is_agent:
        return False
    if actor.name is None:
        return rule.effect == "deny"
    names = [actor.team] if kind == "team" else [actor.name, f"{actor.team}/{actor.name}"]
    return any(name is not None and fnmatchcase(name.casefold(), pattern.casefold()) for name in names)
