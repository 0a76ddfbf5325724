"""Who may do what: by rules, and without one."""

from __future__ import annotations

import pytest

from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.policy.rules import ACTS, UNKNOWN_AGENT, VERBS, Rule, decide

AGENT = Actor(agent_id="1", name="builder", team="Web")
LONER = Actor(agent_id="2", name="claude-1")
PERSON = Actor(Caller(uid=1000))
PHONE = Actor(Caller(actor="device:phone"))
PANE = ("target:host", "agent:tester", "agent:Web/tester")


def rules(*lines: str) -> list[Rule]:
    return [Rule(f"rule {n}", *line.split()) for n, line in enumerate(lines, 1)]


@pytest.mark.tc("TC-605")
def test_people_may_do_everything_and_agents_only_coordinate() -> None:
    assert all(decide([], PERSON, verb, ("x",)).allowed for verb in (*VERBS, *ACTS))
    refused = [verb for verb in (*VERBS, *ACTS) if not decide([], LONER, verb, ("x",)).allowed]
    assert refused == ["spawn", "act", "admin", *ACTS]


@pytest.mark.tc("TC-744")
def test_an_agent_publishes_below_its_team_or_its_name() -> None:
    cases = {
        (AGENT, "team/Web/built"): None,
        (AGENT, "team/web/built"): "team/Web/",
        (AGENT, "agent/builder/x"): "team/Web/",
        (LONER, "agent/claude-1/x"): None,
        (LONER, "agent/claude-10/x"): "agent/claude-1/",
        (PERSON, "any"): None,
    }
    for (actor, topic), prefix in cases.items():
        decision = decide([], actor, "signal", (f"topic:{topic}",))
        assert (decision.allowed, decision.prefix) == (prefix is None, prefix), topic
    shared = rules("allow agent:builder signal topic:shared/*")
    assert decide(shared, AGENT, "signal", ("topic:shared/a/b",)).allowed
    assert not decide(shared, LONER, "signal", ("topic:shared/a/b",)).allowed


@pytest.mark.tc("TC-745")
@pytest.mark.parametrize(
    ("line", "actor", "verb", "allowed"),
    [
        ("allow agent:builder act.send target:host", AGENT, "act.send", True),
        ("allow agent:builder act.send target:host", AGENT, "act.approve", False),
        ("allow agent:builder act.send target:host", LONER, "act.send", False),
        ("allow agent:builder act.send target:gpu", AGENT, "act.send", False),
        ("allow agent:BUILD* act agent:tester", AGENT, "act.kill", True),
        ("allow agent:web/builder act agent:web/*", AGENT, "act.kill", True),
        ("allow team:web act *", AGENT, "act.kill", True),
        ("allow team:web act *", LONER, "act.kill", False),
        ("allow * act *", LONER, "act.kill", True),
        ("allow * act *", LONER, "admin", False),
        ("allow * * *", LONER, "admin", True),
        ("allow uid:1000 act *", Actor(Caller(uid=1000), agent_id="2", name="a"), "act.send", False),
        ("deny uid:1000 act *", PERSON, "act.send", False),
        ("deny device:phone act.kill *", PHONE, "act.kill", False),
        ("deny device:phone act.kill *", PHONE, "act.send", True),
        ("deny device:tablet act.kill *", PHONE, "act.kill", True),
        ("deny team:web read topic:*", AGENT, "read", True),
        ("deny team:web read target:*", AGENT, "read", False),
    ],
)
def test_a_rule_is_for_its_subject_verb_and_object(line: str, actor: Actor, verb: str, allowed: bool) -> None:
    assert decide(rules(line), actor, verb, PANE).allowed is allowed


@pytest.mark.tc("TC-745")
def test_a_rule_that_refuses_wins_wherever_it_stands_and_the_first_that_fits_is_named() -> None:
    both = rules("allow agent:builder act *", "deny agent:builder act.kill *", "allow * act *", "deny * act.kill *")
    assert decide(both, AGENT, "act.kill", PANE).rule_name == "rule 2"
    assert not decide(both, AGENT, "act.kill", PANE).allowed
    assert decide(both, AGENT, "act.send", PANE).rule_name == "rule 1"
    assert decide(both, LONER, "act.send", PANE).rule_name == "rule 3"
    assert decide(both, LONER, "spawn", PANE).rule_name == "default"


@pytest.mark.tc("TC-745")
def test_an_agent_without_a_name_is_refused_by_any_rule_and_allowed_by_none_for_a_name() -> None:
    assert not decide(rules("allow agent:* act *", "allow team:* act *"), UNKNOWN_AGENT, "act.send", PANE).allowed
    assert decide(rules("allow * act *"), UNKNOWN_AGENT, "act.send", PANE).allowed
    assert not decide(rules("allow * act *", "deny agent:other act *"), UNKNOWN_AGENT, "act.send", PANE).allowed
    assert not decide([], UNKNOWN_AGENT, "signal", ("topic:agent/None/x",)).allowed


@pytest.mark.tc("TC-950")
def test_no_rule_lets_an_agent_answer_the_dialog_of_its_own_pane() -> None:
    own = ("target:host", "agent:builder", "agent:Web/Builder")
    other = ("target:host", "agent:builder", "agent:Docs/builder")
    for line in ("allow * * *", "allow agent:builder act.approve *", "allow agent:builder act agent:builder"):
        for verb in ("act.approve", "act.deny", "act.answer", "act.send"):
            allowed = decide(rules(line), AGENT, verb, other).allowed
            decision = decide(rules(line), AGENT, verb, own, into_dialog=True)
            assert (decision.allowed, decision.own_dialog) == (False, allowed), (line, verb)
        assert decide(rules(line), AGENT, "act.approve", own).allowed is False, line
    everything = rules("allow * * *")
    assert decide(everything, AGENT, "act.send", own).allowed
    assert decide(everything, LONER, "act.approve", own).allowed, "another agent"
    assert decide(everything, PERSON, "act.approve", own).allowed
    assert decide(everything, UNKNOWN_AGENT, "act.approve", PANE).own_dialog, "it could be any agent"
    for names, itself in ((("agent:builder",), True), (("agent:web/builder",), True), (("target:host",), False)):
        assert decide(everything, AGENT, "act.approve", names).own_dialog is itself, names
    loner = Actor(agent_id="3", name="builder")
    assert not decide(everything, loner, "act.approve", own).own_dialog, "the other one is in a team"
    assert decide(everything, loner, "act.approve", own[:2]).own_dialog
    assert decide([], AGENT, "act.approve", own).rule_name == "default"
