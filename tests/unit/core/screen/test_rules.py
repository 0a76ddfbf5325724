"""The screen-rule engine, on screens made for one sentence each."""

from __future__ import annotations

import pytest

from agtmuxd.core.model import Claim, Sample, Write
from agtmuxd.core.screen.rule_file import load
from agtmuxd.core.screen.rules import RuleSet

COMPOSER = """
[composer]
prompt = '^>(?: (.*))?$'
above = '^-{4,}'
below = '^-{4,}'
hints = '^Try '
"""
PROOF = 'sample = { recording = "x/y", t_ms = 1 }'


def rules(body: str, composer: str = COMPOSER) -> RuleSet:
    return load(f'format = 1\nagent = "x"\n{composer}\n{body}', "x.toml")


def screen(
    *lines: str, cursor: tuple[int, int] = (0, 0), visible: bool = True, title: str = "", cols: int = 80
) -> Sample:
    return Sample(lines, title, False, visible, cursor[0], cursor[1], cols, 24)


def look(body: str, sample: Sample, before: Claim | None = None) -> Write | None:
    return rules(body).look(sample, before)


APPROVAL = """
[[rule]]
name = "ask"
priority = 10
region = { from = '^Allow' }
composer = "absent"
all = [{ contains = "Do you want to proceed?" }]
claim = "waiting_approval"
[rule.waiting]
kind = "approval"
subject_regex = '\\AAllow (\\w+)'
text_regex = '\\A[^\\n]*\\n(.*)\\n.*1\\. '
ignore = '^Tip'
[rule.sample]
recording = "x/y"
"""
DIALOG = (
    "Allow Bash",
    "rm -r build",
    "Do you want to proceed?",
    "❯ 1. Yes",
    "  2. Yes, and never ask",
    "     again",
    "  3. No",
)


def test_no_rule_matched_is_none_and_never_idle() -> None:
    assert look(APPROVAL, screen("nothing", "of interest")) is None
    assert look(APPROVAL, screen()) is None


def test_a_dialog_becomes_a_claim_with_its_text_subject_and_options() -> None:
    write = look(APPROVAL, screen(*DIALOG))
    assert write is not None
    assert write.claim is Claim.WAITING_APPROVAL
    assert write.accepts_input is False
    wanted = write.waiting_for
    assert wanted is not None
    assert (wanted.kind, wanted.subject) == ("approval", "Bash")
    assert wanted.text == "rm -r build Do you want to proceed?"
    assert wanted.options == ("Yes", "Yes, and never ask again", "No")


@pytest.mark.tc("TC-101")
def test_a_wrapped_dialog_is_recognised_in_a_narrow_pane() -> None:
    narrow = ("Allow Bash", "rm -r build", "Do you want to pro", "ceed?", "❯ 1. Yes", "  2. No")
    assert look(APPROVAL, screen(*narrow, cols=18)) is not None


def fingerprint(*lines: str) -> str:
    write = look(APPROVAL, screen(*lines))
    assert write is not None
    assert write.waiting_for is not None
    assert write.waiting_for.fingerprint is not None
    return write.waiting_for.fingerprint


def test_moving_the_pointer_keeps_the_fingerprint() -> None:
    moved = [x.replace("❯", " ") for x in DIALOG]
    moved[6] = "❯ 3. No"
    assert fingerprint(*moved) == fingerprint(*DIALOG)


def test_spinner_wrap_padding_and_ignored_rows_keep_the_fingerprint() -> None:
    wrapped = (
        "⠋ Working",
        "Allow Bash",
        "Tip: another one",
        "rm -r",
        "build",
        *DIALOG[2:4],
        "  2. Yes, and never ask again",
        "  3. No  ",
    )
    assert fingerprint(*wrapped) == fingerprint(*DIALOG)


def test_another_prompt_has_another_fingerprint() -> None:
    other = list(DIALOG)
    other[1] = "rm -r /"
    assert fingerprint(*other) != fingerprint(*DIALOG)


def test_a_dialog_quoted_above_the_composer_is_no_dialog() -> None:
    assert look(APPROVAL, screen(*DIALOG, "----", "> ", "----", "footer")) is None


def test_a_numbered_text_above_the_list_is_not_among_the_options() -> None:
    plan = ("Allow plan", "1. Measure", "2. Build", *DIALOG[2:])
    write = look(APPROVAL, screen(*plan))
    assert write is not None
    assert write.waiting_for is not None
    assert write.waiting_for.options == ("Yes", "Yes, and never ask again", "No")


IDLE = f"""
[[rule]]
name = "composer"
priority = 1
region = "composer"
composer = "visible"
claim = "not_running"
{PROOF}
"""


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("typed", "column", "accepts"),
    [
        ("", 2, True),
        ("Try this", 2, True),  # a placeholder, the cursor before it
        ("Try this", 10, False),  # the same words typed
        ("a draft", 9, False),
        ("what is it", 2, None),  # unknown words behind the cursor: a placeholder of another version, or a draft
    ],
)
def test_input_is_accepted_only_by_a_visible_and_free_composer(typed: str, column: int, accepts: bool | None) -> None:
    write = look(IDLE, screen("answer", "----", f"> {typed}", "----", "footer", cursor=(column, 2)))
    assert write is not None
    assert write.accepts_input is accepts


def test_a_draft_of_several_rows_is_a_draft() -> None:
    write = look(IDLE, screen("----", "> ", "second row", "----", cursor=(0, 1)))
    assert write is not None
    assert write.accepts_input is False


def test_an_old_prompt_in_the_transcript_is_no_composer() -> None:
    assert look(IDLE, screen("> hello", "answer", "----")) is None


def rule(name: str, priority: int, claim: str, extra: str) -> str:
    return f'[[rule]]\nname = "{name}"\npriority = {priority}\nclaim = "{claim}"\n{extra}\n{PROOF}\n'


def test_the_highest_priority_speaks() -> None:
    body = rule("low", 1, "idle", 'all = [{ contains = "a" }]') + rule("high", 2, "error", 'all = [{ contains = "a" }]')
    write = look(body, screen("a"))
    assert write is not None
    assert write.rule == "high"


def test_after_takes_the_previous_claim_and_first_takes_none() -> None:
    body = rule("done", 2, "completed", 'all = [{ contains = "done" }]\nafter = ["running", "completed"]')
    assert look(body, screen("done"), None) is None
    assert look(body, screen("done"), Claim.NOT_RUNNING) is None
    assert look(body, screen("done"), Claim.RUNNING) is not None
    body = rule("fresh", 2, "idle", 'all = [{ contains = "done" }]\nafter = ["first"]')
    assert look(body, screen("done"), None) is not None
    assert look(body, screen("done"), Claim.RUNNING) is None


def test_a_refining_rule_holds_only_where_the_proven_one_holds() -> None:
    body = rule("base", 1, "running", 'all = [{ contains = "a" }]')
    body += '[[rule]]\nname = "more"\npriority = 2\nclaim = "running"\nrefines = "base"\nall = [{ contains = "b" }]\n'
    write = look(body, screen("a b"))
    assert write is not None
    assert write.rule == "more"
    assert look(body, screen("b")) is None


def test_conditions_on_cursor_and_alternate_screen_hold_a_rule_back() -> None:
    body = rule("x", 1, "idle", 'all = [{ contains = "a" }]\ncursor_visible = false\nalternate_on = false')
    assert look(body, screen("a", visible=True)) is None
    assert look(body, screen("a", visible=False)) is not None
    body = rule("x", 1, "idle", 'all = [{ contains = "a" }]\nalternate_on = true')
    assert look(body, screen("a")) is None


def test_all_any_and_none_are_read_in_their_region() -> None:
    body = rule(
        "x", 1, "running",
        'region = "tail:2"\nall = [{ row = "^b" }]\nany = [{ contains = "c" }, { contains = "d" }]\n'
        'none = [{ regex = "^x", region = "title" }]',
    )  # fmt: skip
    assert look(body, screen("a", "b", "c")) is not None
    assert look(body, screen("b", "a", "c")) is None
    assert look(body, screen("a", "b", "e")) is None
    assert look(body, screen("a", "b", "c", title="x y")) is None


def test_rows_above_the_composer_are_read_without_the_noise() -> None:
    composer = COMPOSER + "noise = '^ {10}'\n"
    body = rule("x", 1, "completed", 'region = "above:1"\ncomposer = "visible"\nall = [{ row = "^done" }]')
    sample = screen("done", "", "           a tip", "----", "> ", "----")
    assert rules(body, composer).look(sample, None) is not None
    assert rules(body).look(sample, None) is None


def test_background_tasks_are_counted_and_never_counted_as_none() -> None:
    count = "[[background]]\nregion = \"footer\"\nregex = '(\\d+) shells?'\n"
    write = look(count + IDLE, screen("----", "> ", "----", "mode · 2 shells · 1 shell"))
    assert write is not None
    assert write.background_tasks == 3
    write = look(count + IDLE, screen("----", "> ", "----", "mode"))
    assert write is not None
    assert write.background_tasks is None


def test_a_field_may_be_the_last_thing_on_the_screen_where_its_agent_says_so() -> None:
    body = rule("x", 1, "not_running", 'composer = "visible"')
    bare = COMPOSER + "bare = true\n"
    last = screen("----", "> ", "")
    assert rules(body).look(last, None) is None
    assert rules(body, bare).look(last, None) is not None
    assert rules(body, bare).look(screen("----", "> old", "words"), None) is None  # an older prompt


@pytest.mark.tc("TC-584")
@pytest.mark.parametrize("last", ["done", "完了", "done at 12:30 PM", ""])
def test_a_scrollbar_at_the_right_edge_is_no_text(last: str) -> None:
    """Rows are read without it, also where characters are two cells wide."""
    composer = COMPOSER + 'scrollbar = "█"\n'
    body = rule(
        "x", 1, "completed", 'region = "above:1"\ncomposer = "visible"\nall = [{ row = \'^done$|^完了$|PM$\' }]'
    )
    wide = sum(2 if ord(c) > 0x2000 else 1 for c in last)
    above = last + " " * (78 - wide) + "█"
    sample = screen(*(["done"] if not last else []), above, "----", "> ", "----")
    assert rules(body, composer).look(sample, None) is not None
    if last:
        assert rules(body).look(sample, None) is None


@pytest.mark.tc("TC-584")
@pytest.mark.parametrize("row", ["██████ 40 % █", "█" * 79, " " * 60 + "█"])
def test_what_is_drawn_elsewhere_is_no_scrollbar(row: str) -> None:
    """A bar in the midst of a row and one without a blank before it stay as they are."""
    view = rules(IDLE, COMPOSER + 'scrollbar = "█"\n').view(screen(row, "----", "> ", "----"))
    assert view.rows[0] == row
