"""Errors of a rules file name the file, the line, the rule and the key."""

from __future__ import annotations

import pytest

from agtmuxd.core.screen.rule_file import RuleFileError, load
from tests.unit.core.screen.test_rule_file import GOOD


def broken(old: str, new: str) -> str:
    assert old in GOOD
    with pytest.raises(RuleFileError) as caught:
        load(GOOD.replace(old, new), "x.toml", "x")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 1", "format = 2", ("x.toml", "format")),
        ("format = 1", "", ("x.toml", "format")),
        ('agent = "x"', 'agent = "y"', ("x.toml", "agent", "'x'")),
        ('agent = "x"', 'agent = "x"\ncolour = 1', ("x.toml, line 4", "colour", "no such key")),
        ("all = [", "all = {", ("x.toml", "TOML")),
        ('claim = "idle"', 'claim = "sleepy"', ("x.toml, line 6", "rule one", "claim", "sleepy", "running")),
        ('claim = "idle"', 'claim = "idel"', ("x.toml, line 6", "rule one", "claim", "did you mean idle?")),
        ('claim = "idle"', 'clam = "idle"', ("x.toml, line 6", "rule one", "did you mean claim?")),
        ('contains = "a"', 'contans = "a"', ("x.toml, line 7", "rule one", "key all", "did you mean contains?")),
        ('contains = "a"', 'regex = "a{99999999999}"', ("x.toml, line 7", "rule one", "too large")),
        ('contains = "a"', f'regex = "{"(" * 3000}{")" * 3000}"', ("x.toml, line 7", "rule one", "expression")),
        ('recording = "x/y"', 'recording = 5', ("x.toml, line 8", "rule one", "sample", "a string, but is a number")),
        ('[[rule]]', 'rule = 3\n[other]', ("x.toml", "other")),
        ('name = "one"', 'name = 7', ("x.toml, line 5", "rule 1", "key name", "a string")),
        ('claim = "idle"', 'claim = "idle"\ncolour = 1', ("x.toml", "rule one", "colour")),
        ('claim = "idle"', 'claim = "idle"\npriority = "high"', ("x.toml", "rule one", "priority", "number")),
        ('claim = "idle"', 'claim = "idle"\nafter = ["start"]', ("x.toml", "rule one", "after", "start")),
        ('claim = "idle"', 'claim = "idle"\nregion = "tail:x"', ("x.toml", "rule one", "region", "tail:x")),
        ('claim = "idle"', 'claim = "idle"\nregion = { max = 3 }', ("x.toml", "rule one", "region", "from")),
        ('claim = "idle"', 'claim = "idle"\ncomposer = "there"', ("x.toml", "rule one", "composer")),
        ('claim = "idle"', 'claim = "idle"\naccepts_input = 1', ("x.toml", "rule one", "accepts_input")),
        ('claim = "idle"', 'claim = "idle"\nwaiting = { kind = "dialog" }', ("x.toml", "rule one", "waiting", "idle")),
        ('claim = "idle"', 'claim = "waiting_input"\nwaiting = { kind = "approval" }', ("rule one", "kind")),
        ('claim = "idle"', 'claim = "waiting_input"', ("line 4", 'waiting = { kind = "dialog" } or')),
        ('claim = "idle"', 'claim = "idle"\nsettle_ms = 5001', ("x.toml", "rule one", "settle_ms", "5000")),
        ("format = 1", "format = 1\nlate_ms = 5001", ("x.toml", "late_ms", "5000")),
        ("format = 1", "format = 1\nafter_wait_ms = -1", ("x.toml", "after_wait_ms", "5000")),
        ('contains = "a"', 'regex = "("', ("x.toml", "rule one", "all", "regex", "expression")),
        ('contains = "a"', 'contains = "a", row = "b"', ("x.toml", "rule one", "all", "exactly one")),
        ('contains = "a"', 'contains = "   "', ("x.toml", "rule one", "all", "blanks")),
        ('name = "one"', "", ("x.toml", "rule 1", "name")),
        ("sample = { recording = \"x/y\", t_ms = 5 }", "", ("x.toml", "rule one", "sample", "hint")),
        ("sample = { recording = \"x/y\", t_ms = 5 }", "sample = { t_ms = 5 }", ("rule one", "sample", "recording")),
    ],
)  # fmt: skip
def test_a_broken_file_names_file_rule_and_key(old: str, new: str, says: tuple[str, ...]) -> None:
    message = broken(old, new)
    for word in says:
        assert word in message


def test_a_file_nested_without_end_is_refused_as_any_other() -> None:
    with pytest.raises(RuleFileError, match="nested too deeply"):
        load("a = " + "[" * 5000, "x.toml")


LONG = """format = 1
agent = "x"
# claim = "no"
[composer]
prompt = '^> (.*)'
hints = '''
[rule]
claim = "no rule, but words"
'''
[[rule]]
name = "one"
claim = "idle"
all = [
  { contains = "a" },
  { contains = "b" },
]
strength = "hint"
[[rule]]
name = "two"
claim = "waiting_input"
waiting = { kind = "question" }
strength = "hint"
all = [{ contains = "c" }]
[[background]]
regex = '(1)'
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('{ contains = "b" }', '{ contains = "b", x = 1 }', 13),
        ('"question"', '"approval"', 21),
        ('name = "two"', 'name = "one"', 19),
        ("regex = '(1)'", "regex = '1'", 25),
        ("regex = '(1)'", "", 24),
        ("prompt = '^> (.*)'", "prompt = '^>(a)(.*)'", 5),
        ("prompt = '^> (.*)'", "reach = 1.5\nprompt = '>'", 5),
        ('claim = "idle"', "", 10),
    ],
)
def test_the_line_is_named(old: str, new: str, line: int) -> None:
    load(LONG, "x.toml")
    assert old in LONG
    with pytest.raises(RuleFileError, match=f"^x.toml, line {line}: "):
        load(LONG.replace(old, new), "x.toml")
