"""An input field between two rules, without a prompt sign; and a block that begins some matches further up."""

from __future__ import annotations

import pytest

from agtmuxd.core.model import Sample
from agtmuxd.core.screen.controls import InputField
from agtmuxd.core.screen.rule_file import load

RULE = "─" * 40
RULES = load(
    r"""
format = 1
agent = "toy"
recorded_on = ["1"]
[composer]
prompt = '^─{3}(?:─| ↑ \d+ more )*()$'
below = '^─{3}(?:─| ↓ \d+ more )*$'
ruled = true
unless = '^ → '
column = 0
[[rule]]
name = "list"
priority = 2
region = { from = '^─{3}', back = 1 }
composer = "absent"
all = [{ row = '^ → ' }]
claim = "waiting_approval"
strength = "hint"
[rule.waiting]
kind = "approval"
text_regex = '\A[^\n]*\n((?: (?![→ ])[^\n]*\n)+)'
option_regex = '^ (?:→ |  )(\S.*)$'
ignore = '^~'
[[rule]]
name = "spinner"
priority = 1
region = "above:1"
all = [{ row = '^ ⠋ ' }]
claim = "running"
strength = "hint"
""",
    "toy.toml",
    "toy",
)


def screen(*between: str, above: str = " ⠋ Working...", cursor: tuple[int, int] = (0, 2)) -> Sample:
    lines = (above, RULE, *(between or ("",)), RULE, "~/proj")
    return Sample(lines, "t", False, False, *cursor, 40, 24)


@pytest.mark.tc("TC-211")
@pytest.mark.parametrize(
    ("sample", "holds"),
    [
        (screen(), InputField.FREE),
        (screen("half a thought", cursor=(14, 2)), InputField.DRAFT),
        (screen("half a thought"), InputField.DRAFT),
        (screen("", "second row", cursor=(10, 3)), InputField.DRAFT),
        (screen("─ a dash", cursor=(8, 2)), InputField.DRAFT),
        (screen(" → Yes", "   No"), InputField.ABSENT),
        (Sample((" ⠋ Working...", RULE), "t", False, False, 0, 1, 40, 24), InputField.ABSENT),
    ],
)
def test_a_field_between_two_rules_is_free_where_nothing_stands_there(sample: Sample, holds: InputField) -> None:
    assert RULES.controls().look(sample) is holds


def test_what_is_typed_between_the_rules_is_seen_whole() -> None:
    typed = screen("say hello", "and good bye", cursor=(12, 3))
    assert RULES.controls().holds(typed, "say hello\nand good bye")
    assert not RULES.controls().holds(typed, "say hello\nand good night")


def test_above_such_a_field_begins_above_its_upper_rule() -> None:
    write = RULES.look(screen(), None)
    assert write is not None
    assert write.rule == "spinner"


def test_a_list_in_its_place_is_no_field_and_is_read_from_the_upper_rule() -> None:
    one = RULES.look(screen(" Run it?", " → Yes", "   No", above=" ⠋ Working..."), None)
    assert one is not None
    assert one.waiting_for is not None
    assert (one.rule, one.accepts_input) == ("list", False)
    assert (one.waiting_for.text, one.waiting_for.options) == ("Run it?", ("Yes", "No"))
    later = RULES.look(screen(" Run it?", "   Yes", " → No", above=" ⠙ Working..."), None)
    assert later is not None
    assert later.waiting_for is not None
    assert later.waiting_for.fingerprint == one.waiting_for.fingerprint
    other = RULES.look(screen(" Run that?", " → Yes", "   No"), None)
    assert other is not None
    assert other.waiting_for is not None
    assert other.waiting_for.fingerprint != one.waiting_for.fingerprint
