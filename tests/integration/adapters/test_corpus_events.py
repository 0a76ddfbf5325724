"""What the adapters make of every recorded hook, notify and status file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.cline.adapter import ClineAdapter
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.contract import Ending
from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from agtmuxd.adapters.pi.adapter import PiAdapter
from agtmuxd.adapters.qwen.adapter import QwenAdapter
from agtmuxd.core.model import Claim, Phase, Proc, Signal, Write
from tests.corpus import events, offline, recording

ADAPTERS: dict[str, Any] = {
    "claude": ClaudeAdapter(), "codex": CodexAdapter(), "gemini": GeminiAdapter(), "copilot": CopilotAdapter(),
    "opencode": OpenCodeAdapter(), "pi": PiAdapter(), "qwen": QwenAdapter(), "cline": ClineAdapter(),
}  # fmt: skip
RECORDED = ("claude", "codex", "gemini", "copilot", "opencode")
"""Agents whose hooks stand in their recordings."""
ENDS = {Claim.COMPLETED, Claim.ERROR, Claim.IDLE, Claim.NOT_RUNNING}
PROC = Proc(events.PID, 1, events.PID, events.PID, 1, "S", events.PROC_START, "claude", ("claude",))


def signals(one: recording.Recording) -> Iterator[tuple[int, Signal]]:
    """(t_ms, signal) of every hook and notify, with the session that the runtime is known by."""
    prior: dict[str, Any] = {"headless": one.headless}
    for line in one.lines:
        if line["kind"] in ("hook", "notify"):
            signal = ADAPTERS[one.agent].normalise(events.event(one, line), prior)
            if line["kind"] == "hook" and signal.session_id and line.get("event") != "SessionEnd":
                prior["agent_session_id"] = signal.session_id
            yield line["t_ms"], signal


def registers(one: recording.Recording) -> Iterator[tuple[int, dict[str, Write]]]:
    """(t_ms, newest word per subject) after every signal: what the hooks alone say."""
    held: dict[str, Write] = {}
    for t, signal in signals(one):
        for write in signal.writes:
            if write.phase is Phase.START and one.agent == "copilot":  # its screen has no box any more
                held = {
                    subject: one_answer for subject, one_answer in held.items() if not subject.startswith("approval:")
                }
            held[write.subject] = write
        yield t, dict(held)


@pytest.mark.parametrize("agent", RECORDED)
def test_every_recorded_payload_is_understood_without_an_error(agent: str) -> None:
    seen: Counter[str] = Counter()
    fenced = IsolatedAdapter(ADAPTERS[agent])
    for name in recording.names(agent):
        one = recording.load(name)
        for line in one.lines:
            if line["kind"] in ("hook", "notify"):
                signal = fenced.normalise(events.event(one, line), {})
                assert signal.task is None or (len(signal.task) <= 200 and "\n" not in signal.task)
                seen[signal.event_type] += 1
    assert fenced.errors == 0, fenced.last_error
    assert sum(seen.values()) > 100


def subject_states(held: dict[str, Write]) -> str:
    """The state a person would read out of the hooks alone."""
    claims = [w.claim for w in held.values() if w.claim is not None]
    for claim in (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT, Claim.RUNNING):
        if claim in claims:
            return claim.value
    turn = held.get("turn")
    return turn.claim.value if turn and turn.claim else "unknown"


CASES = [
    # (recording, after this event of that number, says)
    ("claude/c-prompt-done", "UserPromptSubmit", 1, "running"),
    ("claude/c-prompt-done", "Stop", 1, "completed"),
    ("claude/c-prompt-done", "Notification", 1, "completed"),
    ("claude/e1-bash-approval", "SessionStart", 1, "idle"),
    ("claude/e1-bash-approval", "PreToolUse", 1, "running"),
    ("claude/e1-bash-approval", "PermissionRequest", 1, "waiting_approval"),
    ("claude/e1-bash-approval", "Notification", 1, "waiting_approval"),
    ("claude/e1-bash-approval", "PostToolUse", 1, "running"),
    ("claude/e1-bash-approval", "Stop", 1, "completed"),
    ("claude/e2-write-approval", "PermissionRequest", 3, "waiting_approval"),
    ("claude/f-ask-user", "PermissionRequest", 1, "waiting_input"),
    ("claude/f-ask-user", "Notification", 1, "waiting_input"),
    ("claude/f-ask-user", "PostToolUse", 1, "running"),
    ("claude/h-plan-mode", "PermissionRequest", 1, "waiting_approval"),
    ("claude/a6-no-login", "StopFailure", 1, "error"),
    ("claude/i1-subagent", "SubagentStart", 1, "running"),
    ("claude/i1-subagent", "Stop", 1, "running"),
    ("claude/i1-subagent", "SubagentStop", 1, "running"),
    ("claude/i1-subagent", "Stop", 2, "completed"),
    ("claude/n2-compact", "PreCompact", 1, "running"),
    ("claude/n2-compact", "PostCompact", 1, "idle"),
    ("codex/e-exec-approval", "UserPromptSubmit", 1, "running"),
    ("codex/e-exec-approval", "PermissionRequest", 1, "waiting_approval"),
    ("codex/e-exec-approval", "PostToolUse", 1, "running"),
    ("codex/e-exec-approval", "Stop", 1, "completed"),
    ("codex/e-exec-approval", "Interrupt", 1, "idle"),
    ("codex/e-exec-approval", "Interrupt", 2, "idle"),
    ("codex/g-question", "PreToolUse", 1, "waiting_input"),
    ("codex/g-question", "PostToolUse", 1, "running"),
    ("codex/g-question", "Interrupt", 1, "idle"),
    ("codex/u-resume-picker", "PreCompact", 1, "running"),
    ("codex/u-resume-picker", "PostCompact", 1, "completed"),
    ("gemini/e1-shell-approve", "SessionStart", 1, "idle"),
    ("gemini/e1-shell-approve", "BeforeAgent", 1, "running"),
    ("gemini/e1-shell-approve", "Notification", 1, "waiting_approval"),
    ("gemini/e1-shell-approve", "AfterTool", 1, "running"),
    ("gemini/e1-shell-approve", "AfterAgent", 1, "completed"),
    ("gemini/f-file-write", "Notification", 1, "waiting_approval"),
    ("gemini/g-ask-user", "Notification", 1, "waiting_input"),
    ("gemini/g-ask-user", "AfterTool", 1, "running"),
    ("gemini/h2-error-500-endless", "AfterAgent", 1, "not_running"),
    ("copilot/c-prompt-done", "userPromptSubmitted", 1, "running"),
    ("copilot/c-prompt-done", "agentStop", 1, "completed"),
    ("copilot/e1-shell-approve", "preToolUse", 1, "running"),
    ("copilot/e1-shell-approve", "notification", 1, "waiting_approval"),
    ("copilot/e1-shell-approve", "postToolUse", 1, "running"),
    ("copilot/e1-shell-approve", "agentStop", 1, "completed"),
    ("copilot/e2-shell-deny", "userPromptSubmitted", 2, "running"),
    ("copilot/g-ask-user", "notification", 1, "waiting_input"),
    ("copilot/g-ask-user", "postToolUse", 2, "running"),
    ("copilot/h1-error-500", "errorOccurred", 6, "running"),
    ("opencode/c-prompt-done", "hook:chat.message", 1, "running"),
    ("opencode/c-prompt-done", "event:session.idle", 1, "completed"),
    ("opencode/e1-shell-approve", "event:permission.asked", 1, "waiting_approval"),
    ("opencode/e1-shell-approve", "event:permission.replied", 1, "running"),
    ("opencode/h1-error-500-retry", "event:session.status", 3, "running"),
    ("opencode/m-80x24", "event:permission.asked", 1, "waiting_approval"),
    ("opencode/m-80x24", "event:question.asked", 1, "waiting_input"),
    ("opencode/m-80x24", "event:question.rejected", 1, "running"),
]


def said_after(name: str, event: str, number: int) -> str:
    one = recording.load(name)
    times = [x["t_ms"] for x in one.lines if x["kind"] == "hook" and x["event"] == event]
    wanted = times[number - 1]
    last: dict[str, Write] = {}
    for t, held in registers(one):
        if t > wanted:
            break
        last = held
    return subject_states(last)


def _cases(agent: str) -> list[tuple[str, str, int, str]]:
    return [c for c in CASES if c[0].startswith(agent)]


@pytest.mark.tc("TC-015")
@pytest.mark.parametrize(("name", "event", "number", "state"), _cases("claude"))
def test_a_claude_hook_means_what_the_recording_shows(name: str, event: str, number: int, state: str) -> None:
    assert said_after(name, event, number) == state


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(("name", "event", "number", "state"), _cases("codex"))
def test_a_codex_hook_means_what_the_recording_shows(name: str, event: str, number: int, state: str) -> None:
    assert said_after(name, event, number) == state


@pytest.mark.tc("TC-033")
@pytest.mark.parametrize(("name", "event", "number", "state"), _cases("gemini"))
def test_a_gemini_hook_means_what_the_recording_shows(name: str, event: str, number: int, state: str) -> None:
    assert said_after(name, event, number) == state


@pytest.mark.tc("TC-036")
@pytest.mark.parametrize(("name", "event", "number", "state"), _cases("copilot") + _cases("opencode"))
def test_a_copilot_or_opencode_event_means_what_the_recording_shows(
    name: str, event: str, number: int, state: str
) -> None:
    assert said_after(name, event, number) == state


FOREIGN_HOOKS = ("copilot/c2-pascal-case-hooks",)
"""Recorded with another spelling of the events than that which agtmux installs."""


@pytest.mark.tc("TC-015")
@pytest.mark.tc("TC-016")
@pytest.mark.parametrize("agent", ["claude", "codex", "copilot", "opencode"])
def test_every_recorded_approval_and_question_is_told_by_a_hook(agent: str) -> None:
    missed = []
    for name in recording.names(agent):
        one = recording.load(name)
        if name in FOREIGN_HOOKS or not any(x["kind"] == "hook" for x in one.lines):
            continue
        for label in one.labels:
            if label.waiting_kind not in ("approval", "question"):
                continue
            if any(end == label.start for _, end in offline.stops(one)):
                continue  # it was asked before the agent was suspended
            if any(other.end == label.start and other.state == label.state for other in one.labels):
                continue  # asked together with the one before
            listed = [subject_states(h) for t, h in registers(one) if label.start - 400 <= t < label.end]
            if label.state not in listed:
                missed.append(f"{name} {label.start}: {label.state}, told {listed}")
    assert missed == []


@pytest.mark.parametrize("agent", RECORDED)
def test_a_headless_run_never_waits(agent: str) -> None:
    runs = 0
    for name in recording.names(agent):
        one = recording.load(name)
        if one.headless:
            runs += 1
            for _, signal in signals(one):
                assert not any(w.claim in (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT) for w in signal.writes), name
    assert runs > 0


@pytest.mark.tc("TC-016")
def test_the_notify_of_the_title_thread_says_nothing() -> None:
    ignored = result = 0
    for name in recording.names("codex"):
        one = recording.load(name)
        for line in one.lines:
            if line["kind"] != "notify":
                continue
            title = "".join(line["payload"]["input-messages"]).startswith("Generate a concise")
            for prior in ({}, {"agent_session_id": "another"}):
                signal = ADAPTERS["codex"].normalise(events.event(one, line), prior)
                if title:
                    ignored += 1
                    assert signal.writes == ()
            known = {"agent_session_id": line["payload"]["thread-id"]}
            if not title and line["payload"]["input-messages"]:
                result += 1
                signal = ADAPTERS["codex"].normalise(events.event(one, line), known)
                assert [(w.claim, w.phase) for w in signal.writes] == [(Claim.COMPLETED, Phase.END)]
    assert ignored > 10
    assert result > 10


@pytest.mark.tc("TC-016")
def test_codex_signals_never_prove_a_pane() -> None:
    for name in recording.names("codex"):
        for _, signal in signals(recording.load(name)):
            assert signal.ambient
            assert not signal.session_ended


@pytest.mark.tc("TC-015")
def test_claude_status_files_agree_with_the_labels() -> None:
    """Read at the moment they were seen; what they lag is in dont_care."""
    checked = 0
    for name in recording.names("claude"):
        one = recording.load(name)
        for line in one.lines:
            if line["kind"] != "status_file" or "data" not in line:
                continue
            label = one.label_at(line["t_ms"])
            writes = ADAPTERS["claude"].read_status(events.fill(line["data"]), PROC)
            if label is None or not writes:
                continue
            checked += 1
            claim = writes[0].claim
            assert claim is not None
            rest = {"idle", "completed", "error"}
            assert claim.value in label.accepted or (claim is Claim.NOT_RUNNING and rest & label.accepted), (
                f"{name} at {line['t_ms']}: {claim}, truly {label.state}"
            )
    waits = Counter(
        line["data"].get("waitingFor") for n in recording.names("claude") for line in recording.load(n).lines
        if line["kind"] == "status_file" and "data" in line
    )  # fmt: skip
    assert {"permission prompt", "input needed"} <= set(waits)
    assert checked > 0


ENDINGS = [
    (name, line["t_ms"], line["event"])
    for name in recording.names()
    if not recording.load(name).headless
    for line in recording.load(name).lines
    if line["kind"] == "proc" and line["event"] in ("exit", "kill9")
]


@pytest.mark.parametrize(("name", "t_ms", "how"), ENDINGS)
def test_an_orderly_end_and_a_kill_are_told_apart_by_screen_and_title(name: str, t_ms: int, how: str) -> None:
    one = recording.load(name)
    title = one.sample_at(t_ms - 300).title
    ending = Ending(one.sample_at(t_ms + 2000), title, False, None, None)
    verdict = ADAPTERS[one.agent].ended_in_order(ending)
    assert verdict is not (how != "exit")
    state = next((s for a, b, s, _ in offline.shown(one, ADAPTERS[one.agent].look) if a <= t_ms - 400 < b), "unknown")
    if state in ("running", "waiting_approval", "waiting_input"):
        assert verdict is (how == "exit"), "an agent that vanished in mid-turn is a crash, one that left is not"


def test_claude_tells_a_queued_prompt_under_the_id_of_the_turn_that_runs() -> None:
    """Which is why prompt ids cannot say that another turn follows an end."""
    hooks = [x["payload"] for x in recording.load("claude/r5-queued").lines if x["kind"] == "hook"]
    submits = [(x["prompt"], x["prompt_id"]) for x in hooks if x["hook_event_name"] == "UserPromptSubmit"]
    assert submits[0][0] == "slow 5"
    assert submits[1] == ("hello queued one", submits[0][1])
    ends = [x["prompt_id"] for x in hooks if x["hook_event_name"] == "Stop"]
    assert ends[0] == submits[0][1]
    assert ends[1] not in {submits[0][1], submits[1][1]}  # its own turn's, told by no prompt
