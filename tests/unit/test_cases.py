"""Cases that hurt users of other tools and that no other test has; docs/cases.md lists them all with their tests."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.adapters.claude.adapter import EVENTS as CLAUDE
from agtmuxd.adapters.codex.adapter import EVENTS as CODEX
from agtmuxd.adapters.copilot.adapter import EVENTS as COPILOT
from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.gemini.adapter import EVENTS as GEMINI
from agtmuxd.adapters.opencode.adapter import EVENTS as OPENCODE
from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from agtmuxd.core.model import Claim, Phase, RawEvent, Sample, Source
from tests.corpus import recording
from tests.unit.adapters.test_screens import claim_of, claude

REPO = Path(__file__).parents[2]
SPINNER = "✻ Wandering… (3s · ↓ 5 tokens)"


def codex(*rows: str, title: str = "proj") -> Sample:
    """A Codex screen at its prompt, with these rows above the field and a title without its spinner."""
    idle = recording.load("codex/c-hello").sample_at(6000)
    field = [row for row in idle.lines[36:] if row.strip()]
    lines = (*rows, "", field[0], "", *field[1:])
    return replace(idle, lines=lines, title=title, cursor_x=2, cursor_y=len(rows) + 1)


@pytest.mark.parametrize(
    "rows",
    [
        ("• Working (3s • esc to interrupt)",),
        ("• Fixing bug in the parser (3m 22s • esc to interrupt)",),
        ("• Fixing bug (1h 02m 11s • esc to interrupt)", "", "• Queued follow-up inputs", "  ↳ and then the docs"),
    ],
)
def test_case_1_codex_without_animations_and_with_queued_follow_ups_runs(rows: tuple[str, ...]) -> None:
    assert claim_of("codex", codex("› go on", "", *rows)) == "running"


def test_case_4_claude_with_a_title_without_a_glyph_runs_by_its_spinner_row() -> None:
    assert claim_of("claude", replace(claude("❯ go", SPINNER), title="proj · fixing · main")) == "running"


def test_case_5_a_bullet_is_no_spinner_though_one_looks_like_it() -> None:
    assert claim_of("claude", claude("● Working on it…")) == "not_running"
    assert claim_of("claude", claude("● Working on it…", footer="  ⏸ manual mode on · esc to interrupt")) == "running"


def test_case_10_a_long_stream_pushes_nothing_out_of_sight() -> None:
    """What is looked at lies around the input field, not in a number of last rows."""
    assert claim_of("claude", claude(*[f"  line {i}" for i in range(60)], SPINNER)) == "running"


def test_case_14_an_input_field_that_is_always_there_is_no_idle() -> None:
    for agent in ("claude", "codex", "gemini", "copilot", "opencode"):
        seen = 0
        for name in recording.names(agent):
            one = recording.load(name)
            for t, sample in one.samples():
                label = one.label_at(t)
                if label is not None and label.accepted == {"running"} and not one.headless:
                    seen += claim_of(agent, sample, Claim.RUNNING) == "running"
        assert seen > 20, agent


def test_case_16_queued_messages_above_the_field_do_not_end_the_turn() -> None:
    sample = claude(SPINNER, "  ❯ the next thing", "  Press up to edit queued messages")
    assert claim_of("claude", sample, Claim.RUNNING) == "running"


@pytest.mark.parametrize("events", [CLAUDE, CODEX, GEMINI, COPILOT, OPENCODE])
def test_case_18_beginnings_are_registered_as_well_as_ends(events: tuple[str, ...]) -> None:
    begins = {"UserPromptSubmit", "BeforeAgent", "userPromptSubmitted", "hook:chat.message"}
    ends = {"Stop", "AfterAgent", "agentStop", "event:session.idle"}
    assert begins & set(events)
    assert ends & set(events)


def test_case_22_a_title_that_is_never_put_back_does_not_outrank_an_idle_field() -> None:
    for above in (
        (),
        ("● Done.", "✻ Worked for 4s · done 9:36 PM"),
        ("  ⎿  Interrupted · What should Claude do instead?",),
    ):
        sample = replace(claude("❯ go", *above), title="⠐ Fix the bug")
        assert claim_of("claude", sample, Claim.RUNNING) in ("not_running", "completed", "idle")


def test_case_23_another_session_of_the_same_opencode_is_heard_as_well() -> None:
    def event(session: str) -> RawEvent:
        payload = {"input": {"sessionID": session}, "output": {"parts": [{"type": "text", "text": "go"}]}}
        return RawEvent("e", "hook:chat.message", Source.HOOK, "opencode", 1, 1, "d", payload=payload)

    signal = OpenCodeAdapter().normalise(event("ses_new"), {"agent_session_id": "ses_old"})
    assert (signal.session_id, signal.task) == ("ses_new", "go")
    assert (signal.writes[0].claim, signal.writes[0].phase) == (Claim.RUNNING, Phase.START)


def test_case_38_a_start_up_dialog_is_seen_before_any_session_exists() -> None:
    """No hook, status or session file is there yet: the screen alone says that a person is needed."""
    for name, t_ms in (("claude/a2-trust-dialog", 5000), ("copilot/a2-byok-trust-dialog", 5000)):
        one = recording.load(name)
        assert not [x for x in one.lines if x["kind"] == "hook" and x["t_ms"] <= t_ms]
        assert claim_of(one.agent, one.sample_at(t_ms)) == "waiting_input"


@pytest.mark.parametrize("size", ["80x24", "40x12"])
def test_case_38_an_update_screen_is_a_dialog_at_once(size: str) -> None:
    one = recording.load(f"codex/r11-update-{size}")
    [asked] = [x for x in one.labels if x.state == "waiting_input"]
    for t_ms in range(asked.start + 400, asked.end, 250):
        assert claim_of("codex", one.sample_at(t_ms)) == "waiting_input"


def test_the_case_list_names_only_tests_that_are_there() -> None:
    text = (REPO / "docs/cases.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    there = {
        name
        for path in (REPO / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named - there == set()
    assert {int(n) for n in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == set(range(1, 41))
    mine = {name for name in there if name.startswith("test_case_")}
    assert mine <= named
    assert discover(points=()).adapters
