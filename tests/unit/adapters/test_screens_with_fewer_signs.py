"""Screens of agents that show fewer signs: another layout of the field, low panes, answers without a frame."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.model import Claim, Sample, Strength, Write
from agtmuxd.core.screen.controls import InputField
from agtmuxd.core.screen.rule_file import RuleFileError, load
from tests.unit.adapters.test_screens_by_structure import claude, codex, look

NUMBERS = ("Select with numbers [1-3]. Then Enter to submit or Escape to cancel:", "Esc to cancel")
TURN = ("you: go", "claude: The answer,", "in two rows.")


def reader(*above: str, mode: str = "manual mode on", tip: tuple[str, ...] = (), typed: str = "") -> tuple[str, ...]:
    """Claude's layout for screen readers: mode and hints above the field, nothing below it."""
    return (*above, mode, *tip, f"$\N{NO-BREAK SPACE} {typed}".rstrip())


def read(*rows: str, before: Claim | None = None) -> Write:
    write = look("claude", *rows, before=before, cursor=(2, len(rows) - 1))
    assert write is not None
    return write


TIP = ("effort: medium · /effort",)
LONG_TIP = ("a tip that is longer than the pane is wide and goes", "on in another row, and", "one more")


@pytest.mark.tc("TC-214")
@pytest.mark.parametrize("mode", ["manual mode on", "plan mode on", "accept edits on", "auto mode on (shift+tab)"])
@pytest.mark.parametrize("tip", [(), TIP, LONG_TIP])
def test_claude_for_screen_readers_works_as_long_as_its_mode_row_names_the_key(mode: str, tip: tuple[str, ...]) -> None:
    """A turn in the layout for screen readers is told by the row above the field, whatever key it names."""
    for key in ("esc", "ctrl+y", "f12"):
        rows = reader("you: go", "claude: ember stone", mode=f"{mode}  ·  {key} to interrupt", tip=tip)
        write = read(*rows)
        assert (write.claim, write.strength) == (Claim.RUNNING, Strength.DEFINITIVE)


OWN = ("~/proj | 3 tests failed | waiting for review", "branch main")
"""A status line of the user's stands above the row of the mode."""


@pytest.mark.tc("TC-214")
@pytest.mark.parametrize("own", [(), OWN])
@pytest.mark.parametrize("tip", [(), TIP, LONG_TIP])
@pytest.mark.parametrize(
    ("last", "claim"),
    [
        (("Worked for 3s · done 9:47 AM",), Claim.COMPLETED),
        (("Crunched for 1m 4s",), Claim.COMPLETED),
        (("Interrupted · What should Claude do instead?",), Claim.IDLE),
        (("tool error: Write (note.txt)", "Rejected write to  note.txt", " 1 one"), Claim.IDLE),
        (("Declined to answer Claude's questions:", "· Which colour?"), Claim.IDLE),
        (("error: API Error: 400 no such thing",), Claim.ERROR),
    ],
)
def test_claude_for_screen_readers_ends_a_turn_by_its_last_block(
    last: tuple[str, ...], claim: Claim, tip: tuple[str, ...], own: tuple[str, ...]
) -> None:
    """An end, an interrupt, a refusal and a failure are told apart there, and the field is free."""
    write = read(*reader(*TURN, *last, *own, tip=tip), before=Claim.RUNNING)
    assert (write.claim, write.strength, write.accepts_input) == (claim, Strength.DEFINITIVE, True)


@pytest.mark.tc("TC-214")
@pytest.mark.parametrize("next_block", ["you: and now", "claude: ember", "tool: Bash (ls)"])
def test_claude_for_screen_readers_an_end_further_up_ends_no_later_turn(next_block: str) -> None:
    """Only the last block counts: what ended before it is over."""
    write = read(*reader(*TURN, "Worked for 3s · done 9:47 AM", next_block), before=Claim.COMPLETED)
    assert write.rule != "done-reader"


@pytest.mark.tc("TC-214")
@pytest.mark.parametrize(
    ("box", "claim"),
    [
        (("Permission Required: Bash command", "> make", "Do you want to proceed?", "1. Yes", "2. No"),
         Claim.WAITING_APPROVAL),
        (("Permission Required: Fetch", "https://x", "Claude wants to fetch", "1. Allow", "2. Decline"),
         Claim.WAITING_APPROVAL),
        (("> make", "1. Yes", "2. Yes, and always", "3. No"), Claim.WAITING_APPROVAL),
        (("Question: Colour", "> Which colour?", "1. Yes, green", "2. Brown", "3. Other"), Claim.WAITING_INPUT),
        (("Theme", "1. Dark", "2. Light"), Claim.WAITING_INPUT),
    ],
)  # fmt: skip
def test_claude_for_screen_readers_waits_where_it_asks_for_a_number(box: tuple[str, ...], claim: Claim) -> None:
    """A list that is answered by a number waits; only one that asks for leave is an approval."""
    write = read(*TURN, *box, *NUMBERS)
    assert (write.claim, write.strength, write.accepts_input) == (claim, Strength.DEFINITIVE, False)


@pytest.mark.tc("TC-214")
@pytest.mark.parametrize("rows", [("$ ls", "note.txt"), ("it printed", "$", "going on"), ("he goes on", "$")])
def test_a_shell_prompt_in_an_answer_is_no_field_of_the_other_layout(rows: tuple[str, ...]) -> None:
    """A dollar sign is the field only below the row that names the mode."""
    sample = Sample((*TURN, *rows), "", False, True, 0, 0, 80, 24)
    assert shipped_rules("claude").controls().look(sample) is InputField.ABSENT


@pytest.mark.tc("TC-214")
def test_a_draft_in_the_other_layout_is_read_without_its_sign() -> None:
    """What is typed there is known again, so that a prompt can be typed and sent."""
    rows = reader(*TURN, typed="make it so")
    sample = Sample(rows, "", False, True, 13, len(rows) - 1, 80, 24)
    controls = shipped_rules("claude").controls()
    assert (controls.look(sample), controls.holds(sample, "make it so")) == (InputField.DRAFT, True)
    assert not controls.holds(sample, "make it otherwise")


@pytest.mark.tc("TC-214")
def test_a_layout_with_an_unknown_key_is_told() -> None:
    """A mistake in the other layout is reported with its place."""
    head = "format = 1\nagent = 'toy'\nrecorded_on = ['1']\n[composer]\nprompt = '^>'\n[composer.other]\n"
    rule = "\n[[rule]]\nname = 'busy'\nclaim = 'running'\nstrength = 'hint'\nall = [{ contains = 'x' }]\n"
    load(f"{head}prompt = '^<'{rule}", "toy.toml", "toy")
    with pytest.raises(RuleFileError, match="prompts"):
        load(f"{head}prompts = '^<'{rule}", "toy.toml", "toy")


@pytest.mark.tc("TC-215")
@pytest.mark.parametrize(
    "rest",
    [
        ("  velvet thunder", "  field"),
        ("    the end of a list", "", "  and a word more."),
        ("  only one row",),
    ],
)
def test_claude_an_answer_whose_head_is_out_of_sight_ends_its_turn_all_the_same(rest: tuple[str, ...]) -> None:
    """In a low pane without a row that ends a turn, the rest of an answer is a completion."""
    assert claude(*rest, before=Claim.RUNNING).claim is Claim.COMPLETED


@pytest.mark.tc("TC-215")
@pytest.mark.parametrize("rest", [("  ⎿  Interrupted · What now?",), ("  velvet", "❯ another prompt")])
def test_claude_a_refusal_or_a_new_prompt_in_a_low_pane_is_no_completion(rest: tuple[str, ...]) -> None:
    """What is no rest of an answer completes nothing."""
    assert claude(*rest, before=Claim.RUNNING).claim is not Claim.COMPLETED


@pytest.mark.tc("TC-215")
@pytest.mark.parametrize("end", ["Worked for 3s • 09:51", "Worked for 1m 4s • 9:51 PM"])
def test_codex_ends_a_turn_of_answers_that_are_not_indented(end: str) -> None:
    """With raw answers the row that ends a turn is not indented; a prompt below it begins another turn."""
    assert codex("go", "", "The answer.", "", end, before=Claim.RUNNING).claim is Claim.COMPLETED
    assert codex(end, "", "and now", before=Claim.RUNNING).claim is not Claim.COMPLETED


@pytest.mark.tc("TC-215")
@pytest.mark.parametrize(
    "thought", ["Weighing the options. Weighing …", "Reading the request (2 of 3)", "Überlegt noch"]
)
def test_codex_works_while_its_thoughts_stand_in_place_of_the_working_row(thought: str) -> None:
    """Without bullet and title a row that begins no block is a sign of the turn."""
    assert codex("› go", "", thought, before=Claim.RUNNING).claim is Claim.RUNNING
    assert codex("› go", "", "• Done.", "", thought, before=Claim.RUNNING).claim is Claim.COMPLETED
    assert codex("› go", "", "• Done.", "", "  Worked for 3s • 09:51", before=Claim.RUNNING).claim is Claim.COMPLETED


@pytest.mark.tc("TC-215")
@pytest.mark.parametrize("answer", [("• All done.",), ("✔ You approved codex to run make", "", "• All done.")])
def test_codex_ends_a_folded_turn_by_the_row_above_its_answer(answer: tuple[str, ...]) -> None:
    """Where turns are folded, how long one took stands above its answer; a prompt or a failure below is another end."""
    turn = ("› go", "", "▸ Worked for 7s • 10:09", "", *answer)
    assert codex(*turn, before=Claim.RUNNING).rule == "done-folded"
    assert codex(*turn, "", "■ stream disconnected", before=Claim.RUNNING).claim is Claim.ERROR
    assert codex(*turn, "", "› and now", before=Claim.RUNNING).rule != "done-folded"


FRESH = (" ● Started a fresh session. Execution mode carried forward: Interactive.", " ● MCP Servers reloaded: 0", "")
PROMPT = " ❯ hello                                                 10:51"
FRAME = "─" * 60


@pytest.mark.tc("TC-237")
@pytest.mark.parametrize("own", [(), ("main* 10:52",), (" main ● 3 files 10:52", " ❯ next", " ✗ tests")])
def test_copilot_with_a_cleared_session_is_idle_whatever_a_status_line_of_the_users_says(own: tuple[str, ...]) -> None:
    """Only above its field a clock, a prompt or a mark tells of a turn since the session was cleared."""
    field = (" ~/proj [⎇ master%]", FRAME, "❯", FRAME, " Interactive · Manual Approval · / commands", *own)
    fresh = look("copilot", *FRESH, *field, before=Claim.COMPLETED, cursor=(2, 5))
    assert fresh is not None
    assert (fresh.claim, fresh.rule) == (Claim.IDLE, "fresh")
    over = look("copilot", *FRESH, PROMPT, " ● Hello.", *field, before=Claim.COMPLETED, cursor=(2, 7))
    assert over is not None
    assert over.claim is not Claim.IDLE


@pytest.mark.tc("TC-585")
@pytest.mark.parametrize("mode", ["manual mode on", "plan mode on", "accept edits on"])
@pytest.mark.parametrize(("vim", "named"), [("INSERT", "vim's INSERT mode"), ("VISUAL LINE", "vim's VISUAL mode")])
def test_claude_for_screen_readers_with_vims_keys_has_a_field_and_shows_its_mode(
    vim: str, named: str, mode: str
) -> None:
    """The mode of vim's keys stands before the mode of the agent there, above the field."""
    rows = reader(*TURN, "Worked for 3s", mode=f"-- {vim} -- {mode}", tip=TIP)
    assert read(*rows, before=Claim.RUNNING).claim is Claim.COMPLETED
    sample = Sample(rows, "", False, True, 2, len(rows) - 1, 80, 24)
    assert [one.name for one in shipped_rules("claude").controls().in_modes(sample)] == [named]
    works = reader("you: go", "Beboppin'…", mode=f"-- {vim} -- {mode}  ·  esc to interrupt")
    assert read(*works).claim is Claim.RUNNING
    assert read(*reader("you: go", "Beboppin'…", mode=f"-- {vim} -- {mode}")).claim is Claim.RUNNING


@pytest.mark.tc("TC-585")
def test_claude_a_quoted_mode_of_vim_is_none() -> None:
    """In the usual layout it stands below the field; the same words in an answer are text."""
    rows = ("● It printed:", "  -- INSERT -- manual mode on", "─" * 40, "❯", "─" * 40, "  ? for shortcuts")
    sample = Sample(rows, "", False, True, 2, 3, 80, 24)
    assert shipped_rules("claude").controls().in_modes(sample) == ()


@pytest.mark.tc("TC-585")
@pytest.mark.parametrize("offer", ["Resend your message to try again", "Once fixed, resend", "Run /rewind to go back"])
def test_claude_a_field_that_says_what_to_do_after_a_failure_is_free_and_tells_the_failure(offer: str) -> None:
    """Whatever the words of the failure are, and however many rows they take."""
    failure = ("● Something else went wrong, and", *["  it takes many rows"] * 9)
    rows = (*failure, "─" * 40, f"❯ {offer}", "─" * 40, "  ? for shortcuts")
    write = look("claude", *rows, before=Claim.RUNNING, cursor=(2, len(failure) + 1))
    assert write is not None
    assert (write.claim, write.accepts_input) == (Claim.ERROR, True)


@pytest.mark.tc("TC-585")
@pytest.mark.parametrize(
    "words",
    ["API Error: 500", "Request too large (max 32MB). Run", "Prompt is too long", "Credit balance too low · Add"],
)
def test_claude_a_failure_in_words_of_its_own_is_one(words: str) -> None:
    """Failures that the agent finds itself do not begin as those of the service do."""
    assert claude(f"● {words}", "  /compact", before=Claim.RUNNING).claim is Claim.ERROR


@pytest.mark.tc("TC-585")
@pytest.mark.parametrize(
    "below", [(), ("  ⎿  Tip: Use /memory to view", "     and manage it"), ("  ⎿  Tip: Use", "     and", "     so on")]
)
def test_claude_without_motion_works_whatever_tip_stands_below_its_word(below: tuple[str, ...]) -> None:
    """With vim's keys nothing else tells of the turn; an answer of one word is none."""
    for word in ("Osmosing…", "Beboppin'… (3s)"):
        assert claude(f"● {word}", *below).claim is Claim.RUNNING
    assert claude("● Well…", "  that was it.").claim is not Claim.RUNNING


FIELD = ("  ┃", "  ┃", "  ┃  Build · Model Name", "  ╹▀▀▀▀▀▀▀▀", "   ~/proj      1.0K  ctrl+p commands")
TOAST = "┃  Incorrect API key.  ┃"
FAILED = ("  ┃", "  ┃  Incorrect API key.", "  ┃")


def opencode(*rows: str, before: Claim | None = Claim.RUNNING) -> Claim | None:
    write = look("opencode", *rows, *FIELD, before=before, cursor=(5, len(rows)), width=70)
    return None if write is None else write.claim


@pytest.mark.tc("TC-585")
@pytest.mark.parametrize(
    "rows",
    [
        (" " * 40 + TOAST, *FAILED, "     ▣  Build · Model"),
        (*FAILED[:2], f"{FAILED[2]}{' ' * 40}┃                      ┃", " " * 43 + TOAST, "     ▣  Build · Model"),
        (*FAILED, f"     ▣  Build · Model{' ' * 30}┃    ┃", " " * 43 + TOAST),
    ],
)
def test_opencode_a_failure_is_told_wherever_its_message_in_the_corner_stands(rows: tuple[str, ...]) -> None:
    """Above the block, beside it or below it; without the message it may be a prompt without an answer."""
    assert opencode(*rows) is Claim.ERROR
    assert opencode(*FAILED, "     ▣  Build · Model") is not Claim.ERROR


@pytest.mark.tc("TC-585")
@pytest.mark.parametrize("right", ["", " " * 30 + "┃  Copied  ┃", " " * 44 + "█"])
def test_opencode_a_turn_is_over_whatever_stands_at_the_right_of_its_row(right: str) -> None:
    """A message or a scrollbar there hides no end."""
    assert opencode(f"     ▣  Build · Model · 1.2s{right}"[:70]) is Claim.COMPLETED
    assert opencode(f"     ▣  Build · Model · interrupted{right}"[:70]) is Claim.IDLE


@pytest.mark.tc("TC-585")
def test_opencode_a_new_session_is_idle_whatever_was_before() -> None:
    """Its page has no row of a turn either, as the end of a turn in a low pane."""
    page = (
        "   ┃",
        '   ┃  Ask anything… "Fix broken tests"',
        "   ┃",
        "   ┃  Build · Model Name",
        "   ╹▀▀▀▀",
        "   commands",
    )
    for before in (Claim.COMPLETED, Claim.ERROR, None):
        write = look("opencode", *page, before=before, cursor=(6, 1))
        assert write is not None
        assert (write.claim, write.accepts_input) == (Claim.IDLE, True)
