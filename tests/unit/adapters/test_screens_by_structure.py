"""Screens of agents in words that no recording has: what is asked, what runs, what is over is told by structure."""

from __future__ import annotations

from functools import cache

import pytest

from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.model import Claim, Sample, Strength, Write
from agtmuxd.core.screen.rules import RuleSet


@cache
def rules(agent: str) -> RuleSet:
    return shipped_rules(agent)


def look(
    agent: str,
    *rows: str,
    title: str = "",
    before: Claim | None = None,
    cursor: tuple[int, int] | None = None,
    width: int = 100,
) -> Write | None:
    """What the shipped rules say. ``cursor``: where it shows; hidden without."""
    x, y = cursor or (0, 0)
    return rules(agent).look(Sample(tuple(rows), title, True, cursor is not None, x, y, width, 30), before)


def codex(*above: str, title: str = "", before: Claim | None = None, field: str = "Ask Codex to do anything") -> Write:
    """Codex's screen with its field and status row."""
    rows = (*above, "", f"› {field}", "", "  GPT-5.5 default · ~/proj", "  ? for shortcuts")
    write = look("codex", *rows, title=title, before=before, cursor=(2, len(above) + 1))
    assert write is not None
    return write


# ---------------------------------------------------------------- Codex


@pytest.mark.tc("TC-180")
@pytest.mark.parametrize(
    "last",
    [
        "─ Worked for 1m 50s ────────────────────────",
        "────────────────────────────────────────────",
        "  1:39 PM",
        "  13:39",
        "  Fertig nach 3s",
        "  └ Tip: Use /side to start a side conversation",
        "• An answer without any line behind it.",
    ],
)
def test_codex_a_turn_that_lost_its_spinner_is_over_whatever_its_last_row_says(last: str) -> None:
    write = codex("› go", "", "• The answer.", "", last, before=Claim.RUNNING)
    assert (write.claim, write.strength) == (Claim.COMPLETED, Strength.DEFINITIVE)


@pytest.mark.tc("TC-180")
def test_codex_a_spinner_before_anything_was_asked_ends_no_turn() -> None:
    banner = ("  >_ OpenAI Codex (v0.158.0)", "     ~/proj", "⚠ MCP client for `x` failed to start")
    assert codex(*banner, before=Claim.RUNNING).claim in (Claim.NOT_RUNNING, Claim.IDLE)


QUEUE = (
    "• Messages to be submitted after next tool call (press esc to interrupt and send immediately)",
    "  ↳ one", "  ↳ two, which is longer than", "    its row", "  ↳ three", "  ↳ four", "  ↳ five",
)  # fmt: skip


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize(
    "row",
    [
        "• Working (2s • f12 to interrupt)",
        "• Working (4s)",
        "Working (1m 04s)",
        "◦ Compacting context (12s • ctrl+x to interrupt)",
        "◦ Working (1s) · 1 background terminal running · /ps to view · /stop to close",
    ],
)
@pytest.mark.parametrize("between", [(), QUEUE, ("  └ stream disconnected", *QUEUE), ("• Queued", *QUEUE[1:], *QUEUE)])
def test_codex_works_whatever_key_interrupts_it_and_whatever_waits_below(row: str, between: tuple[str, ...]) -> None:
    write = codex("› go", "", row, "", *between)
    assert (write.claim, write.strength) == (Claim.RUNNING, Strength.DEFINITIVE)


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize(
    "below",
    [
        (),
        ("                     100% context left",),
        ("  ← for agents · ? for shortcuts      97% context left",),
        ("  tab to queue message            97% context left",),
    ],
)
def test_codex_without_its_status_row_is_read_all_the_same(below: tuple[str, ...]) -> None:
    rows = ("› go", "", "• Working (4s)", "", "› a draft", *(("", *below) if below else ()))
    write = look("codex", *rows, cursor=(9, 4))
    assert write is not None
    assert (write.claim, write.accepts_input) == (Claim.RUNNING, False)


CONFIRM = "  Press enter to confirm or esc to cancel"


@pytest.mark.tc("TC-182")
@pytest.mark.parametrize(
    "box",
    [
        ("  Codex asks to change its own sandbox.", "", "› 1. Yes, proceed (y)", "  2. No (esc)", "", CONFIRM),
        ("  Implement this plan?", "", "› 1. Yes, implement this plan", "  2. Yes, clear context and implement",
         "  3. No, stay in Plan mode", "", "  enter select · esc back"),
        ("  Implement this plan?", "", "› 1. Yes, implement this plan", "  2. No, stay in Plan mode", "",
         "  Press enter to confirm or esc to go back"),
        ('  Field 1/1 (1 required unanswered)', '  Allow the box MCP server to run tool "find"?', "", "  limit: 80", "",
         "  › 1. Allow                   Run the tool and continue.", "    2. Always allow",
         "    3. Cancel                  Cancel this tool call", "  enter to submit | esc to cancel"),
        ("  The network proxy was asked for example.org", "", "› 1. Allow this host", "  2. Deny", "", CONFIRM),
        ("  It was refused: rm -rf build", "", "  1. Approve once", "› 2. Decline", "", "  enter select · esc back"),
    ],
)  # fmt: skip
def test_codex_whatever_asks_for_leave_is_an_approval(box: tuple[str, ...]) -> None:
    write = look("codex", "› go", "", *box, title="[ ! ] Action Required | proj")
    assert write is not None
    assert (write.claim, write.strength) == (Claim.WAITING_APPROVAL, Strength.DEFINITIVE)
    assert write.waiting_for is not None
    assert (write.waiting_for.kind, len(write.waiting_for.options) >= 2) == ("approval", True)
    assert write.accepts_input is False


@pytest.mark.tc("TC-182")
@pytest.mark.parametrize(
    "box",
    [
        ("  Select Model and Effort", "", "› 1. GPT-6-Sol", "  2. GPT-6-Luna", "",
         "  Press enter to confirm or esc to go back"),
        ("  Approaching rate limits", "", "› 1. Switch to gpt-6-luna", "  2. Keep current model", "",
         "  Press enter to confirm or esc to go back"),
        ("  Lifecycle hooks", "", "› PreToolUse   0", "", "  enter details · esc close"),
        ("  Hooks", "› format.sh", "", "  Press t to trust; esc to go back"),
        ("  Themes", "› mocha (current)", "", "  Press enter to apply or esc to close"),
        ("  Experimental features", "› [ ] Network proxy", "", "  space toggle · enter save · esc save/close"),
        ("> You are in /home/a/proj", "", "  Do you trust the contents of this directory?", "", "› 1. Yes, continue",
         "  2. No, quit", "", "  Press enter to continue"),
    ],
)  # fmt: skip
def test_codex_lists_that_ask_for_no_leave_are_dialogs_whatever_keys_end_them(box: tuple[str, ...]) -> None:
    write = look("codex", "› go", "", *box)
    assert write is not None
    assert (write.claim, write.strength) == (Claim.WAITING_INPUT, Strength.DEFINITIVE)


@pytest.mark.tc("TC-182")
def test_codex_a_form_to_fill_in_waits_for_input() -> None:
    box = ("  Field 1/2 (2 required unanswered)", "  Your name", "", "  › ", "", "  enter to submit | esc to cancel")
    write = look("codex", "› go", "", *box, cursor=(4, 5))
    assert write is not None
    assert (write.claim, write.accepts_input) == (Claim.WAITING_INPUT, False)


# ---------------------------------------------------------------- Claude Code

LINE = "─" * 90
CHIP = " " * 70 + "◐ medium · /effort"
MODE = "  ⏸ manual mode on · ? for shortcuts · ← for agents"
BUSY = "  ⏸ manual mode on · esc to interrupt · ← for agents"


def claude(*above: str, typed: str = "", below: tuple[str, ...] = (MODE,), before: Claim | None = None) -> Write:
    """Claude Code's screen with its field and footer."""
    rows = (*above, CHIP, LINE, f"❯ {typed}".rstrip(), LINE, *below)
    write = look("claude", *rows, before=before, cursor=(2 + len(typed), len(above) + 2))
    assert write is not None
    return write


TASKS = ("  0/6 tasks done", *(f"  ◻ Step number {i}" for i in range(5)), "  … +1 task (open)")
WRAPPED = (
    "  2 tasks (1 done, 1 open)",
    "  ✔ Measure the plot, which is longer than",
    "    one row of this pane",
    "  ◻ Build",
)
BARE = ("  ◼ Doing it now", "  ◻ Next › blocked by #1", "  ☒ Gone", "  ◻ More", "  ◻ And more", "  ◻ The last")


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize("panel", [(), TASKS, WRAPPED, BARE, (*TASKS, *BARE)])
@pytest.mark.parametrize("typed", ["", "words that are typed ahead"])
def test_claude_a_list_of_tasks_above_the_field_hides_no_end(panel: tuple[str, ...], typed: str) -> None:
    write = claude("❯ go", "●\xa0Done.", "✻ Sautéed for 3s · done 6:29 AM", *panel, typed=typed, before=Claim.COMPLETED)
    assert write.claim is Claim.COMPLETED
    ended = claude("❯ go", "●\xa0Done.", "✻ Sautéed for 3s · done 6:29 AM", *panel, before=Claim.RUNNING)
    assert ended.claim is Claim.COMPLETED


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize(
    "panel", [(), ("  ⎿  ◻ One", *(f"     ◻ Step {i}" for i in range(9)), "     … +1 task (open)")]
)
def test_claude_a_list_of_tasks_below_the_spinner_hides_no_turn(panel: tuple[str, ...]) -> None:
    write = claude(
        "❯ go", "✽ Fiddle-faddling… (2s · ↓ 12 tokens)", *panel, typed="a draft", below=("  ⏸ manual mode on",)
    )
    assert write.claim is Claim.RUNNING


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize(
    ("row", "count"),
    [
        ("✻ Waiting for 1 dynamic workflow to finish", 1),
        ("✻ Waiting for 2 background agents and 1 dynamic workflow to finish", 3),
        ("✻ Waiting for 3 background agents to finish · 1 shell still running", 3),
        ("✻ Waiting for 1 cloud session, 2 teams and 4 routines to finish", 7),
    ],
)
@pytest.mark.parametrize("panel", [(), TASKS])
def test_claude_waits_for_whatever_works_in_the_background_and_counts_it(
    row: str, count: int, panel: tuple[str, ...]
) -> None:
    write = claude("❯ go", "●\xa0Started.", row, *panel)
    assert (write.claim, write.background_tasks) == (Claim.RUNNING, count)


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize("verb", ["Sautéed", "Did great things", "Arbeitete", "仕事した", "Was on it (all of it)"])
def test_claude_words_of_the_users_own_beside_the_spinner_change_nothing(verb: str) -> None:
    over = claude("❯ go", "●\xa0Done.", f"✻ {verb} for 1m 3s · done 6:29 AM", before=Claim.RUNNING)
    assert over.claim is Claim.COMPLETED
    busy = claude("❯ go", f"✶ {verb}… (3s · ↓ 5 tokens)", below=("  ⏸ manual mode on",))
    assert busy.claim is Claim.RUNNING
    refused = claude("❯ go", "  ⎿  Interrupted · What should Claude do instead?", f"✻ {verb} for 1s")
    assert refused.claim is Claim.IDLE


STATUS_LINES = [
    ("  main · 5 tasks",),
    ("  open · 2 tasks · 1 shell",),
    ("  main · 5 tasks", "  open · 2 tasks · 1 shell", "  ● esc to interrupt · 3 agents"),
    ("  3 monitors · 1 background agent", "  esc to interrupt"),
]


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize("lines", STATUS_LINES)
def test_claude_a_status_line_of_the_users_own_counts_nothing_and_shows_no_turn(lines: tuple[str, ...]) -> None:
    own = "  ⏸ manual mode on · ← for agents"
    write = claude("❯ go", "●\xa0Done.", "✻ Baked for 3s", below=(*lines, own), before=Claim.COMPLETED)
    assert (write.claim, write.background_tasks) == (Claim.COMPLETED, None)
    one = claude("❯ go", "✻ Baked for 3s", below=(*lines, "  ⏸ manual mode on · 1 shell · ↓ to manage"))
    assert one.background_tasks == 1
    vim = claude("❯ go", "✻ Baked for 3s", below=(*lines, "  -- INSERT -- ⏵⏵ auto mode on · 2 monitors · 1 MCP task"))
    assert (vim.claim, vim.background_tasks) == (Claim.NOT_RUNNING, 3)
    busy = claude("❯ go", "●\xa0So far", below=(*lines, BUSY))
    assert busy.claim is Claim.RUNNING


@pytest.mark.tc("TC-183")
@pytest.mark.parametrize("key", ["esc", "ctrl+x", "ctrl+x ctrl+c", "f12"])
def test_claude_works_whatever_key_interrupts_it(key: str) -> None:
    write = claude("❯ go", "●\xa0So far", below=(f"  ⏸ manual mode on · {key} to interrupt · ← for agents",))
    assert (write.claim, write.strength) == (Claim.RUNNING, Strength.DEFINITIVE)


@pytest.mark.tc("TC-180")
def test_claude_a_turn_that_no_line_ends_is_over_when_its_hint_goes() -> None:
    notice = "                      Failed to install a marketplace · Will retry"
    busy = claude("❯ go", "✶ Baking…", below=(f"  esc to interrupt{notice}",))
    assert (busy.claim, busy.rule, busy.lasting) == (Claim.RUNNING, "footer-interrupt", True)
    over = claude(
        "❯ go", "●\xa0The answer,", "  in two rows", below=(f"  ? for shortcuts{notice}",), before=Claim.RUNNING
    )
    assert (over.claim, over.strength) == (Claim.COMPLETED, Strength.DEFINITIVE)
    asked = claude("●\xa0An older answer", "❯ /status", "  ⎿  fine", before=Claim.RUNNING)
    assert asked.claim is Claim.NOT_RUNNING


def boxed(*rows: str) -> Write:
    """What Claude Code puts in the place of its field."""
    write = look("claude", "❯ go", "●\xa0I will.", LINE, *rows)
    assert write is not None
    return write


@pytest.mark.tc("TC-182")
@pytest.mark.parametrize(
    "box",
    [
        (" Run a dynamic workflow?", "", " It will spin up several agents.", "", " ❯ 1. Yes, run it",
         "   2. View raw script", "   3. No"),
        (" Network request", "", " Claude would reach example.org", "", " ❯ 1. Allow this host",
         "   2. Deny, and tell Claude"),
        (" Sandbox", "", " ❯ Yes", "   Yes, for this session", "   No, and tell Claude what to do differently", "",
         " Esc to cancel"),
        (" A teammate asks to push", "", "   1. Approve", " ❯ 2. Reject"),
    ],
)  # fmt: skip
def test_claude_whatever_asks_for_leave_is_an_approval(box: tuple[str, ...]) -> None:
    write = boxed(*box)
    assert (write.claim, write.strength, write.accepts_input) == (Claim.WAITING_APPROVAL, Strength.DEFINITIVE, False)
    assert write.waiting_for is not None
    assert write.waiting_for.kind == "approval"
    assert len(write.waiting_for.options) >= 2


@pytest.mark.tc("TC-182")
@pytest.mark.parametrize(
    "box",
    [
        (" Accessing workspace:", "", " /home/a/proj", "", " ❯ No, exit", "   Yes, I trust this folder", "",
         " Enter to confirm · Esc to cancel"),
        (" Make auto mode your default?", "", " ❯ Yes, set auto mode as my default", "   No, keep asking", "",
         " Enter to confirm · Esc to cancel"),
        (" ☐ Colour", "", "Which?", "", "❯ 1. Yes", "  2. No", "  3. Type something.", LINE, "  4. Chat about this", "",
         "Enter to select · ↑/↓ to navigate · Esc to cancel"),
    ],
)  # fmt: skip
def test_claude_what_asks_for_no_leave_waits_for_input(box: tuple[str, ...]) -> None:
    assert boxed(*box).claim is Claim.WAITING_INPUT


@pytest.mark.tc("TC-185")
@pytest.mark.parametrize(
    "refusal",
    [
        ("●\xa0I will run a command.", "  No result recorded for 1 call", "  ⎿ \xa0$ touch x",
         "  ⎿ \xa0Interrupted · What should Claude do instead?"),
        ("●\xa0User declined to answer questions", "  ⎿ \xa0· Which colour should the shed be?"),
        ("● Declined to answer Claude's questions:", "  ⎿  · Which?"),
        ("●\xa0User rejected Claude's plan:", "  ⎿  # Shed plan"),
    ],
)  # fmt: skip
def test_claude_a_turn_that_was_refused_is_idle_though_a_line_says_how_long_it_took(refusal: tuple[str, ...]) -> None:
    for before in (Claim.RUNNING, Claim.WAITING_APPROVAL, Claim.WAITING_INPUT, Claim.IDLE):
        write = claude("❯ go", *refusal, "✻ Cogitated for 1s · done 6:27 AM", before=before)
        assert (write.claim, write.strength) == (Claim.IDLE, Strength.DEFINITIVE)
    after = claude("❯ go", *refusal, "●\xa0Then this.", "✻ Cogitated for 1s", before=Claim.RUNNING)
    assert after.claim is Claim.COMPLETED


# ---------------------------------------------------------------- Gemini CLI, Copilot CLI, OpenCode, Cursor


def framed(*rows: str) -> tuple[str, ...]:
    """A box of 80 columns."""
    return (f"╭{'─' * 78}╮", *[f"│ {row:<77}│" for row in rows], f"╰{'─' * 78}╯")


@pytest.mark.tc("TC-182")
@pytest.mark.parametrize(
    "box",
    [
        ("Ready to start implementation?", "", "# Plan", "", "Approves the plan?", "", "● 1.  Yes, automatic edits",
         "  2.  Yes, manually accept edits", "  3.  Type your feedback..."),
        ("Action Required", "", "? Sandbox expansion", "", "Allow the command to leave its sandbox?", "",
         "● 1. Allow the command", "  2. No, keep the sandbox (esc)"),
        ("Another tool", "", "Proceed with it?", "", "  1. Proceed", "● 2. Cancel"),
    ],
)  # fmt: skip
def test_gemini_whatever_asks_for_leave_is_an_approval(box: tuple[str, ...]) -> None:
    write = look("gemini", " > go", "", *framed(*box), title="✋  Action Required (proj)", width=80)
    assert write is not None
    assert (write.claim, write.strength, write.accepts_input) == (Claim.WAITING_APPROVAL, Strength.DEFINITIVE, False)
    assert write.waiting_for is not None
    assert len(write.waiting_for.options) >= 2


@pytest.mark.tc("TC-182")
@pytest.mark.parametrize(
    "box",
    [
        ("Plan ready", "", "# Shed", "", "❯ 1. Accept plan and build on autopilot", "  2. Accept plan and build",
         "  3. Exit plan mode and prompt myself", "  4. Suggest changes (Esc to stay in plan mode)"),
        ("Elicitation", "", "The server wants to read a file. Allow it?", "", "❯ 1. Allow", "  2. Decline"),
        ("Path", "", "May it read /etc?", "", "  1. Yes", "❯ 2. No (Esc)"),
    ],
)  # fmt: skip
def test_copilot_whatever_asks_for_leave_is_an_approval(box: tuple[str, ...]) -> None:
    keys = ("", "↑/↓ to navigate · enter to select · esc to cancel")
    write = look("copilot", "  ❯ go", "", *framed(*box, *keys), width=80)
    assert write is not None
    assert (write.claim, write.strength, write.accepts_input) == (Claim.WAITING_APPROVAL, Strength.DEFINITIVE, False)
    picker = ("Select a model", "", "❯ 1. One", "  2. Another", *keys)
    other = look("copilot", "  ❯ go", "", *framed(*picker), width=80)
    assert other is not None
    assert other.claim is Claim.WAITING_INPUT


@pytest.mark.tc("TC-181")
@pytest.mark.parametrize(
    "row",
    [
        "   ■■■⬝⬝⬝⬝⬝  esc interrupt                                    ctrl+p commands",
        "   ⋯  esc interrupt                                           ctrl+p commands",
        "   [⋯]  esc again to interrupt                                ctrl+p commands",
        "   ctrl+x interrupt                                           ctrl+p commands",
    ],
)
def test_opencode_works_without_animations_and_with_another_key(row: str) -> None:
    field = ("  ┃", "  ┃  ", "  ┃", "  ┃  Build · Fake Model Fake", "  ╹▀▀▀▀▀▀▀▀")
    write = look("opencode", "  ┃  go", "", "     words", "", *field, row, cursor=(5, 6), width=80)
    assert write is not None
    assert (write.claim, write.strength) == (Claim.RUNNING, Strength.DEFINITIVE)


# ---------------------------------------------------------------- signs that settings take away


def copilot(own: str, *users: str, before: Claim | None = None) -> Write:
    """Copilot's screen with its own row below the field, and the user's status line below that."""
    rows = (" ● All done.", "", " ~/proj [⎇ main]", "─" * 60, "❯", "─" * 60, own, *users)
    write = look("copilot", *rows, before=before, cursor=(2, 4))
    assert write is not None
    return write


@pytest.mark.tc("TC-217")
@pytest.mark.parametrize("users", [("● Working · esc esc interrupt",), ("3 shells", " ● Working", " Interactive · x")])
def test_words_of_the_users_own_status_line_are_no_sign_of_a_turn(users: tuple[str, ...]) -> None:
    """Only the row right below Copilot's field is its own, however many the user's status line has."""
    rest = " Interactive · Manual Approval · / commands"
    assert copilot(rest, *users, before=Claim.RUNNING).claim is Claim.COMPLETED
    assert copilot(" ● Working · 12 B esc esc interrupt", " Interactive · x").claim is Claim.RUNNING


@pytest.mark.tc("TC-217")
def test_a_turn_of_gemini_is_known_by_its_clock_where_there_is_neither_title_nor_spinner() -> None:
    """In the answer the same words are none: there the rule over the field does not follow."""
    field = ("─" * 60, " Shift+Tab to accept edits", "─" * 60, " >   Type your message or @path/to/file", "─" * 60)
    turn = look("gemini", "✦ Two words", "  Frobnicating (esc to cancel, 1m 4s)", *field, cursor=(3, 5))
    assert turn is not None
    assert turn.claim is Claim.RUNNING
    quoted = ("✦ It said:", "  Frobnicating (esc to cancel, 4s)", "  and stopped.")
    over = look("gemini", *quoted, *field, before=Claim.COMPLETED, cursor=(3, 6))
    assert over is not None
    assert over.claim is Claim.COMPLETED


@pytest.mark.tc("TC-217")
def test_the_mark_of_a_turn_counts_whatever_words_of_opencodes_footer_lie_behind_it() -> None:
    field = ("  ┃", "  ┃", "  ┃", "  ┃  Build · Some Model Maker", "  ╹" + "▀" * 40)
    for words in (
        "[⋯]  esc        tab agentsctrl+p",
        "[⋯] No words of this world",
        "[A failure. [retrying in 5s attempt",
    ):
        write = look("opencode", "     ▣  Build · Some Model", *field, f"   {words}", cursor=(5, 2))
        assert write is not None
        assert write.claim is Claim.RUNNING, words
