"""Screens of agents in words that no recording has: what is asked, what runs, what is over is told by structure."""

from __future__ import annotations

from functools import cache

import pytest

from agtmuxd.adapters.common import shipped_rules
from agtmuxd.core.model import Claim, Sample, Strength, Write
from agtmuxd.core.rules import RuleSet


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
