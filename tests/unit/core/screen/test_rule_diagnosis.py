"""Why a rule does not hold: the words say which condition fails, and nothing but what the rule itself decides."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.model import Claim, Sample
from agtmuxd.core.screen.rule_diagnosis import why_not
from agtmuxd.core.screen.rule_file import load
from agtmuxd.core.screen.rules import RuleSet
from agtmuxd.tmux.sgr import parse
from tests.corpus import recording

HEAD = """
format = 1
agent = "x"
[composer]
prompt = '^> ?(.*)'
[[rule]]
name = "one"
claim = "running"
strength = "hint"
"""


def diagnosis(rule: str, *rows: str, before: Claim | None = None) -> str | None:
    rules: RuleSet = load(HEAD + rule, "x.toml")
    styles = parse("\n".join(("\x1b[1mdark", *rows)))[1] if "dark" in rule else None
    sample = Sample(("dark", *rows) if styles else rows, "the title", True, True, 0, 0, 80, 24, styles)
    return why_not(rules.rules[0], rules.view(sample), before)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ('all = [{ contains = "not there" }]', "all: contains 'not there' in tail:40 finds nothing"),
        (
            'region = "tail:1"\nall = [{ contains = "first row" }]',
            "all: contains 'first row' in tail:1 finds nothing; it is in another region of the screen",
        ),
        (
            'all = [{ contains = "First Row" }]',
            "finds nothing; it is there with other capital letters, or in another region",
        ),
        ("all = [{ row = '^row' }]", "all: row '^row' in tail:40 finds nothing"),
        (
            "any = [{ regex = 'a1' }, { regex = 'b2' }]\ncomposer = 'visible'",
            "composer: must be visible, but is absent",
        ),
        (
            "any = [{ regex = 'a1' }, { regex = 'b2' }]",
            "any: regex 'a1' in tail:40, regex 'b2' in tail:40 find nothing",
        ),
        ('all = [{ contains = "row" }]\nnone = [{ row = "first" }]', "none: row 'first' in tail:40 matches"),
        ("region = { from = '^x' }\nall = [{ contains = 'row' }]", "the screen has no region { from = '^x' }"),
        ("region = 'footer'\nall = [{ contains = 'row' }]", "the screen has no region footer"),
        ("after = ['idle']\nall = [{ contains = 'row' }]", "after: the last claim was first, but must be idle"),
        ("alternate_on = false\nall = [{ contains = 'row' }]", "alternate_on: it is true"),
        ("all = [{ row = 'row', style = 'dim' }]", "capture the screen with tmux capture-pane -e -p"),
        ("all = [{ row = 'dark', style = 'dim' }]", "finds nothing; the text is there, in another style"),
        ("all = [{ region = 'title', regex = 'other' }]", "all: regex 'other' in title finds nothing"),
    ],
)
def test_the_condition_that_fails_is_named(rule: str, why: str) -> None:
    assert why in str(diagnosis(rule, "the first row", "the last"))


def test_a_rule_that_holds_has_no_reason() -> None:
    assert diagnosis('all = [{ contains = "first row" }]', "the first row") is None


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "copilot", "opencode", "cursor"])
def test_it_says_something_exactly_where_the_rule_does_not_hold(agent: str) -> None:
    rules = shipped_rules(agent)
    tried = 0
    for name in recording.names()[::5]:
        for _, sample in list(recording.load(name).samples())[::9]:
            view = rules.view(sample)
            for rule in rules.rules:
                for before in (None, Claim.RUNNING):
                    tried += 1
                    assert (why_not(rule, view, before) is None) == (rule.matches(view, before) is not None), rule.name
    assert tried > 500
