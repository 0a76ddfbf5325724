"""Screens that misled others, made out of recorded ones: what the shipped rules say of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.model import NS, Claim, Sample, Source, Strength, Write
from agtmuxd.core.state import debounce
from agtmuxd.core.state.debounce import DebounceState
from tests.corpus import recording

RULES = {agent: shipped_rules(agent) for agent in ("claude", "codex", "gemini", "copilot", "opencode")}
RULE = "─" * 80


def look(agent: str, sample: Sample, before: Claim | None = None) -> Write | None:
    return RULES[agent].look(sample, before)


def claim_of(agent: str, sample: Sample, before: Claim | None = None) -> str | None:
    write = look(agent, sample, before)
    return write.claim.value if write and write.claim else None


def claude(*above: str, typed: str = "", footer: str = "  ? for shortcuts", box: tuple[str, ...] = ()) -> Sample:
    """A Claude screen: rows above, then the input field with its footer, or a box that stands in its place."""
    field = box if box else (RULE, f"❯\xa0{typed}".rstrip(), RULE, footer)
    rows = (*above, "", *field)
    y = len(rows) - 3
    return Sample(rows, "✳ Claude Code", True, False, 2 + len(typed), y, 80, 40)


BOX = (
    RULE, " Bash command", "", "   rm -rf build", "   Remove the build folder", "", " Do you want to proceed?",
    " ❯ 1. Yes", "   2. Yes, and don't ask again", "   3. No", "", " Esc to cancel · Tab to amend",
)  # fmt: skip


@pytest.mark.tc("TC-101")
def test_claude_a_dialog_quoted_in_an_answer_is_no_dialog() -> None:
    assert claim_of("claude", claude("● It shows:", *("  " + r for r in BOX))) == "not_running"


def test_claude_a_dialog_quoted_in_a_draft_is_no_dialog() -> None:
    write = look("claude", claude(typed="Do you want to proceed? 1. Yes Esc to cancel · Tab to amend"))
    assert write is not None
    assert (write.claim, write.accepts_input) == (Claim.NOT_RUNNING, False)


def test_claude_a_draft_in_mid_turn_does_not_end_the_turn() -> None:
    """The footer loses its hint then: the turn goes on while words come, as a hint."""
    steady = DebounceState(current=look("claude", claude("● A", footer="  ⏸ manual mode on · esc to interrupt")))
    for second in range(1, 9):
        shown = claude(
            "● A long answer",
            *[f"  more words {n}" for n in range(second)],
            typed="and then",
            footer="  ⏸ manual mode on",
        )
        steady = debounce.sample(steady, Source.POLLER, look("claude", shown, Claim.RUNNING), second * NS).steady
        assert steady.current is not None
        assert (steady.current.claim, steady.current.strength) == (Claim.RUNNING, Strength.HINT)
        if second == 1:
            assert steady.current.accepts_input is False
    spinning = claude("● text", "✻ Wandering… (3s · ↓ 5 tokens)", typed="and then", footer="  ⏸ manual mode on")
    assert claim_of("claude", spinning) == "running"


@pytest.mark.parametrize(
    "row",
    [
        "✽ Wandering… (esc to interrupt)",
        "✻ Simplifying the plan… (2m 18s · ↓ 4.8k tokens)",
        "· Compacting conversation… (1s)",
        "✶ 500 Internal server error · retrying in 9s · attempt 5/10",
    ],
)
def test_claude_a_spinner_row_is_running_without_its_footer(row: str) -> None:
    assert claim_of("claude", claude("❯ go on", row, footer="  ⏵⏵ auto mode on")) == "running"


def test_claude_the_footer_of_a_very_narrow_pane_is_cut_and_still_running() -> None:
    assert claim_of("claude", claude("● text", footer="  ⏸ manual mode on · esc to…")) == "running"


@pytest.mark.parametrize(
    "line", ["✻ Sautéed for 19s · done 9:36 PM", "✻ Worked for 4s · done 9:36 PM · 1 shell still running"]
)
def test_claude_a_line_of_completion_with_a_spinners_glyph_is_not_running(line: str) -> None:
    sample = claude("● Done.", line)
    assert claim_of("claude", sample, Claim.RUNNING) == "completed"
    assert claim_of("claude", sample) == "not_running"


def test_claude_a_background_shell_is_counted_beside_the_completion() -> None:
    write = look(
        "claude",
        claude("● Up.", "✻ Worked for 4s · done 9:36 PM", footer="  ⏸ manual mode on · 1 shell · ? for shortcuts"),
        Claim.RUNNING,
    )
    assert write is not None
    assert (write.claim, write.background_tasks) == (Claim.COMPLETED, 1)


def test_claude_a_sub_agents_box_is_an_approval_also_over_its_list() -> None:
    box = (RULE, " Bash command · from the general-purpose agent", *BOX[2:])
    write = look("claude", claude("✻ Waiting for 1 background agent to finish", box=box))
    assert write is not None
    assert write.claim is Claim.WAITING_APPROVAL
    assert write.waiting_for is not None
    assert write.waiting_for.subject == "Bash command · from the general-purpose agent"


def test_claude_a_box_without_the_usual_footer_is_an_approval() -> None:
    box = (RULE, " Claude in Chrome wants to open example.com", " ❯ 1. Allow", "   2. Deny (esc)")
    assert claim_of("claude", claude(box=box)) == "waiting_approval"


@pytest.mark.parametrize("pointer", [0, 1, 2])
def test_claude_an_approval_is_one_wherever_its_pointer_stands(pointer: int) -> None:
    rows = [r.replace("❯", " ") for r in BOX]
    at = 7 + pointer
    rows[at] = " ❯" + rows[at][2:]
    write = look("claude", claude(box=tuple(rows)))
    first = look("claude", claude(box=BOX))
    assert write is not None
    assert first is not None
    assert write.claim is Claim.WAITING_APPROVAL
    assert write.waiting_for == first.waiting_for


def test_claude_an_approval_whose_top_is_cut_off_is_still_one() -> None:
    assert claim_of("claude", Sample(BOX[4:], "✳ Claude Code", True, False, 1, 3, 60, 8)) == "waiting_approval"


def test_claude_a_question_with_yes_and_no_is_a_question() -> None:
    box = (
        RULE, " ☐ Deploy", "", "Do you want to deploy now?", "", "❯ 1. Yes", "     at once", "  2. No", "     later",
        "  3. Type something.", RULE, "  4. Chat about this", "", "Enter to select · ↑/↓ to navigate · Esc to cancel",
    )  # fmt: skip
    write = look("claude", claude(box=box))
    assert write is not None
    assert write.claim is Claim.WAITING_INPUT
    assert write.waiting_for is not None
    assert (write.waiting_for.kind, write.waiting_for.options[:2]) == ("question", ("Yes", "No"))


def test_claude_a_question_in_forty_columns_is_a_question() -> None:
    box = (
        "─" * 40, " ☐ Colour", "", "Which colour should the shed be?", "", "❯ 1. Green", "  2. Brown",
        "  3. Type something.", "─" * 40, "  4. Chat about this", "", "Enter to select · ↑/↓ to navigate ·",
        "Esc to cancel",
    )  # fmt: skip
    assert claim_of("claude", replace(claude(box=box), cols=40)) == "waiting_input"


def test_claude_the_model_menu_is_a_dialog_and_no_approval() -> None:
    box = (RULE, " Select model", "", " ❯ 1. Default (recommended)", "   2. Opus", "", " Enter to save · Esc to cancel")
    write = look("claude", claude(box=box))
    assert write is not None
    assert write.waiting_for is not None
    assert (write.claim, write.waiting_for.kind) == (Claim.WAITING_INPUT, "dialog")


def test_claude_a_failed_turn_is_an_error_until_the_next_one() -> None:
    sample = claude("❯ go", "● API Error: 500 Internal server error", typed="Resend your message to try again")
    sample = replace(sample, cursor_x=2)
    write = look("claude", sample, Claim.RUNNING)
    assert write is not None
    assert (write.claim, write.accepts_input) == (Claim.ERROR, True)
    assert claim_of("claude", sample, Claim.ERROR) == "error"


def test_a_shell_prompt_is_no_agents_screen() -> None:
    for agent in RULES:
        assert claim_of(agent, Sample(("$ ls", "a b", "$"), "host", False, True, 2, 2, 80, 24)) is None


def test_codex_a_streaming_answer_is_running_by_its_title_alone() -> None:
    sample = recording.load("codex/s1-80x24").sample_at(23000)
    assert not any("esc to interrupt" in row for row in sample.lines)
    assert claim_of("codex", sample) == "running"


def test_codex_a_draft_before_the_start_up_dialog_is_not_ready() -> None:
    sample = recording.load("codex/a2-startup-dialogs").sample_at(800)
    assert claim_of("codex", sample) is None


@pytest.mark.parametrize(
    ("screen", "kind", "state"),
    [
        (("  Would you like to make the following edits?", "", "  Destination: src/a.py", "", "› 1. Yes, proceed (y)",
          "  2. No (esc)", "", "  Press enter to confirm or esc to cancel"), "approval", "waiting_approval"),
        (("  Implement this plan?", "", "› 1. Yes, implement this plan", "  2. No, stay in plan mode", "",
          "  enter select · esc back"), "approval", "waiting_approval"),
        (("  Update available", "", "› 1. Update now", "  2. Skip", "", "  Press enter to continue"),
         "dialog", "waiting_input"),
    ],
)  # fmt: skip
def test_codex_dialogs_that_no_recording_has_are_told_by_their_kind(
    screen: tuple[str, ...], kind: str, state: str
) -> None:
    lines = ("› hello", "", "• Working on it · ./src", "", *screen)
    write = look("codex", Sample(lines, "[ ! ] Action Required | proj", True, False, 3, 5, 80, 24))
    assert write is not None
    assert write.claim is not None
    assert write.waiting_for is not None
    assert (write.claim.value, write.waiting_for.kind, write.strength) == (state, kind, Strength.DEFINITIVE)


def test_codex_the_menu_over_a_running_turn_is_running() -> None:
    lines = (
        "› hello",
        "",
        "  Task is still running",
        "",
        "› 1. Cancel task",
        "  2. Run in background",
        "  3. Exit",
        "",
        "  enter select · esc back",
    )
    assert claim_of("codex", Sample(lines, "⠋ proj", True, False, 0, 4, 80, 24)) == "running"


def test_copilot_an_approval_in_forty_seven_columns_is_one() -> None:
    box = (
        "╭─────────────────────────────────────────────╮", "│ Create file                                 │",
        "│ ─────────────────────────────────────────── │", "│ note.txt +3 -0                              │",
        "│                                             │", "│ 1 +   line one                              │",
        "│ Do you want to create /tmp/some/where/      │", "│ home/proj/note.txt?                         │",
        "│                                             │", "│   1. Yes                                    │",
        "│ ❯ 2. Yes, and don't ask again for file      │", "│   operations when in this repo (~/proj)     │",
        "│   3. No, and tell Copilot what to do        │", "│   differently (Esc to stop)                 │",
        "│                                             │", "│ ↑/↓ to navigate · enter to select · esc to  │",
        "│ cancel                                      │", "╰─────────────────────────────────────────────╯",
    )  # fmt: skip
    for rows in ((" ❯ write the file", "", *box), box[6:]):
        write = look("copilot", Sample(rows, "x - GitHub Copilot", True, False, 46, len(rows) - 1, 47, 30))
        assert write is not None
        assert write.waiting_for is not None
        assert (write.claim, write.accepts_input) == (Claim.WAITING_APPROVAL, False)
        assert len(write.waiting_for.options) == 3


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (("   ⬝⬝⬝■■■■■  esc       1.0K (1%)ctrl+p", "             interrupt          commands"), "running"),
        (("   ~/proj              1.0K (1%)ctrl+p", "                                commands"), "completed"),
    ],
)
def test_opencode_in_forty_seven_columns_works_by_its_squares(last: tuple[str, ...], state: str) -> None:
    rows = (
        "  ┃", "  ┃  hello there", "  ┃", "     Have a nice day.", "     ▣  Build · Fake Model · 7.3s", "  ┃", "  ┃",
        "  ┃", "  ┃  Build · Fake Model Fake", "  ╹▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀", *last,
    )  # fmt: skip
    assert claim_of("opencode", Sample(rows, "OC | hello", True, True, 5, 6, 47, 30), Claim.RUNNING) == state


def test_gemini_a_silent_command_asks_for_nobody() -> None:
    sample = recording.load("gemini/e1-shell-approve").sample_at(15000)
    asked = replace(sample, title="✋  Action Required (proj)")
    assert claim_of("gemini", asked) == "running"


def test_gemini_an_old_dialog_above_the_composer_is_no_dialog() -> None:
    dialog = recording.load("gemini/e1-shell-approve").sample_at(10000)
    idle = recording.load("gemini/e1-shell-approve").sample_at(5000)
    tail = [row for row in idle.lines if row.strip()][-7:]
    sample = replace(idle, lines=(*dialog.lines, *tail))
    assert claim_of("gemini", sample) == "not_running"


def test_gemini_a_failed_turn_is_not_taken_for_a_completion() -> None:
    ready = recording.load("gemini/e1-shell-approve").sample_at(5000)
    rows = list(ready.lines)
    at = next(i for i, row in enumerate(rows) if row.startswith("─"))
    while "accept edits" not in rows[at + 1]:
        at += 1
    failed = (
        *rows[: at - 3],
        " > boom",
        "✕ [API Error: quota used up, and",
        "  more words]",
        "ℹ This request failed. Press F12 for diagnostics",
        *rows[at:],
    )
    assert claim_of("gemini", replace(ready, lines=failed), Claim.RUNNING) == "error"
    assert claim_of("gemini", ready, Claim.RUNNING) == "completed"


def test_gemini_the_quota_dialog_is_a_dialog_though_the_title_says_working() -> None:
    lines = (
        " > hi",
        "╭────────╮",
        "│ Usage limit reached for all Pro models.  │",
        "│ ● 1. Keep trying │",
        "│   2. Stop │",
        "╰────────╯",
    )
    write = look("gemini", Sample(lines, "✦  Working… (proj)", False, False, 0, 5, 80, 24))
    assert write is not None
    assert write.waiting_for is not None
    assert (write.claim, write.waiting_for.subject) == (Claim.WAITING_INPUT, "usage limit")


def moment(name: str, t_ms: int) -> Sample:
    return recording.load(name).sample_at(t_ms)


@pytest.mark.parametrize(
    ("name", "t_ms", "before", "claim", "strength"),
    [
        # the operator's own panel, opened over a turn: the status file knows better
        ("claude/w2-80x12-operator", 28000, Claim.RUNNING, Claim.RUNNING, Strength.HINT),
        ("claude/w7-110x35-tools", 84000, Claim.RUNNING, Claim.WAITING_INPUT, Strength.DEFINITIVE),  # the turn is over
        # vim's keys and no motion: neither a hint in the footer nor a spinner
        ("claude/w5-no-colour-vim", 14000, Claim.NOT_RUNNING, Claim.RUNNING, Strength.HINT),
        ("claude/w5-no-colour-vim", 15500, Claim.RUNNING, Claim.RUNNING, Strength.HINT),
        ("claude/w5-no-colour-vim", 17500, Claim.RUNNING, Claim.COMPLETED, Strength.DEFINITIVE),
        ("claude/w6-90x25-network", 28500, Claim.COMPLETED, Claim.IDLE, Strength.DEFINITIVE),  # cleared
        ("codex/w2-80x12-operator", 57000, Claim.COMPLETED, Claim.IDLE, Strength.DEFINITIVE),  # another chat
        # neither title nor animations
        ("codex/w5-no-colour-still", 7200, Claim.NOT_RUNNING, Claim.RUNNING, Strength.DEFINITIVE),
        (
            "codex/w5-no-colour-still",
            12000,
            Claim.RUNNING,
            Claim.COMPLETED,
            Strength.DEFINITIVE,
        ),  # once it stands still
        ("codex/w5-no-colour-still", 9000, Claim.RUNNING, Claim.COMPLETED, Strength.DEFINITIVE),
        ("gemini/w4-no-title", 17000, Claim.COMPLETED, Claim.RUNNING, Strength.DEFINITIVE),
        ("gemini/w4-no-title", 12500, Claim.RUNNING, Claim.COMPLETED, Strength.DEFINITIVE),
        ("gemini/w6-40x10-cleared", 10500, Claim.COMPLETED, Claim.IDLE, Strength.DEFINITIVE),
        ("claude/x1-65x20-sessions", 8500, Claim.COMPLETED, Claim.COMPLETED, Strength.DEFINITIVE),  # a status line lies
        # a dialog taller than its pane, no choice in sight
        ("claude/x1-65x20-sessions", 56500, Claim.RUNNING, Claim.WAITING_INPUT, Strength.DEFINITIVE),
        ("claude/x2-85x22-gone", 30000, Claim.RUNNING, Claim.NOT_RUNNING, Strength.DEFINITIVE),  # taken back unanswered
        # vim's keys, no title, no footer: what failed is further up than the pane shows
        ("gemini/x3-55x16-vim", 9000, Claim.RUNNING, Claim.COMPLETED, Strength.DEFINITIVE),
        ("gemini/x3-55x16-vim", 33000, Claim.RUNNING, Claim.ERROR, Strength.HINT),
        # the layout for screen readers: no lines, the footer above the field
        ("gemini/x2-70x24-reader", 12000, Claim.COMPLETED, Claim.RUNNING, Strength.DEFINITIVE),
        ("gemini/x2-70x24-reader", 32000, Claim.RUNNING, Claim.COMPLETED, Strength.DEFINITIVE),
        ("gemini/x2-70x24-reader", 43000, Claim.RUNNING, Claim.ERROR, Strength.HINT),
        ("gemini/x2-70x24-reader", 50000, Claim.RUNNING, Claim.IDLE, Strength.DEFINITIVE),
    ],
)
def test_settings_and_panels_that_no_rule_was_written_on_are_read_by_what_is_left(
    name: str, t_ms: int, before: Claim, claim: Claim, strength: Strength
) -> None:
    write = look(name.partition("/")[0], moment(name, t_ms), before)
    assert write is not None
    assert (write.claim, write.strength) == (claim, strength)


def test_codex_a_box_in_the_scrollback_of_the_session_before_is_no_box() -> None:
    """Resumed on the main screen: the answer that quotes one stands above the shell's line that starts Codex."""
    old = moment("codex/w3-main-screen-resumed", 26500)
    assert any("Press enter to confirm or esc to cancel" in row for row in old.lines)
    assert look("codex", old) is None
