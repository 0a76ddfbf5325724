"""The rules-file reader: what is wrong is named by file, rule and key."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.screen.rule_file import RuleFileError, load

GOOD = """
format = 1
agent = "x"
[[rule]]
name = "one"
claim = "idle"
all = [{ contains = "a" }]
sample = { recording = "x/y", t_ms = 5 }
"""


def test_a_good_file_is_read() -> None:
    rules = load(GOOD, "x.toml", "x")
    assert [r.name for r in rules.rules] == ["one"]


REFINING = """
[[rule]]
name = "two"
claim = "idle"
refines = "one"
all = [{ contains = "b" }]
"""


def test_a_rule_that_refines_a_proven_one_needs_no_sample_of_its_own() -> None:
    rules = load(GOOD + REFINING, "x.toml")
    assert [r.refines.name for r in rules.rules if r.refines] == ["one"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('refines = "one"', 'refines = "ghost"', "ghost"),
        ('refines = "one"', 'refines = "two"', "two"),
        ('claim = "idle"', 'claim = "running"', "claims idle"),
    ],
)
def test_a_rule_refines_only_a_rule_that_claims_the_same(old: str, new: str, says: str) -> None:
    with pytest.raises(RuleFileError, match=says):
        load(GOOD + REFINING.replace(old, new), "x.toml")


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(RuleFileError, match="two rules have this name"):
        load(GOOD + GOOD.partition("[[rule]]")[1] + GOOD.partition("[[rule]]")[2], "x.toml")


def test_a_file_without_rules_is_refused() -> None:
    with pytest.raises(RuleFileError, match="the file has no rule"):
        load('format = 1\nagent = "x"\n', "x.toml")


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "copilot", "opencode"])
def test_the_shipped_files_say_what_they_were_recorded_on(agent: str) -> None:
    assert shipped_rules(agent).recorded_on
