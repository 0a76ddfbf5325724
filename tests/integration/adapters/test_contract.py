"""The shared suite: what every shipped adapter owes, whatever its agent, and that the core knows none of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import agtmuxd.core
from agtmuxd.adapters.contract import Adapter, Ending
from agtmuxd.adapters.discovery import BUILT_IN
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.core.model import Claim, Proc, RawEvent, Sample, Signal, Source, Strength
from agtmuxd.core.screen.rules import RuleSet
from tests.corpus import recording

GATE = {
    "claude": pytest.mark.tc("TC-015"),
    "codex": pytest.mark.tc("TC-016"),
    "gemini": pytest.mark.tc("TC-033"),
    "copilot": pytest.mark.tc("TC-036"),
    "cursor": pytest.mark.tc("TC-037"),
}
EACH = [pytest.param(a, id=a.name, marks=GATE.get(a.name, ())) for a in (make() for make in BUILT_IN)]
SHELL = Sample(("$ ls", "a b", "$"), "host", False, True, 2, 2, 80, 24)
WAITING = (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)


def event(agent: str, name: str, payload: Any) -> RawEvent:
    return RawEvent("e", name, Source.HOOK, agent, 1, 1, "d", payload=payload)


@pytest.mark.parametrize("adapter", EACH)
def test_it_has_every_part_of_the_contract(adapter: Adapter) -> None:
    assert isinstance(adapter, Adapter)
    assert adapter.name == adapter.agent_type
    assert re.fullmatch(r"\d+\.\d+\.\d+", adapter.version)


@pytest.mark.parametrize("adapter", EACH)
def test_it_refuses_the_event_of_another_agent(adapter: Adapter) -> None:
    with pytest.raises(ValueError, match="another"):
        adapter.normalise(event("another", "Stop", {}), {})


ODD: list[Any] = [
    {}, {"hook_event_name": 7}, {"prompt": ["x"]}, {"tool_input": "x", "tool_name": {}}, {"error": "x", "status": []},
    {"info": [], "input": 3, "output": {"parts": [1, {"type": "text"}]}, "questions": [None], "patterns": "x"},
    {"details": 1, "background_tasks": {}, "exit_code": "0", "command": {}, "sessionID": 1, "metadata": []},
]  # fmt: skip
NAMES = (
    "Stop", "SessionStart", "Notification", "notification", "preToolUse", "PermissionRequest", "PreToolUse",
    "AfterAgent", "errorOccurred", "event:session.status", "event:session.error", "event:permission.asked",
    "event:question.asked", "hook:chat.message", "stop", "beforeSubmitPrompt", "start", "exit", "no such event",
)  # fmt: skip


@pytest.mark.parametrize("adapter", EACH)
def test_odd_payloads_are_refused_or_say_little_and_never_break_it(adapter: Adapter) -> None:
    fenced = IsolatedAdapter(adapter)
    for name in NAMES:
        for payload in ODD:
            for prior in ({}, {"headless": True, "agent_session_id": "s"}):
                try:
                    signal = fenced.normalise(event(adapter.agent_type, name, payload), prior)
                except ValueError:
                    continue
                assert isinstance(signal, Signal)
                if prior:
                    assert not any(w.claim in WAITING for w in signal.writes), "a headless run cannot ask"
    assert fenced.errors == 0, fenced.last_error


@pytest.mark.parametrize("adapter", EACH)
def test_a_shell_is_neither_its_process_nor_its_screen(adapter: Adapter) -> None:
    assert adapter.identify(Proc(1, 0, 1, 1, 1, "S", "1", "bash", ("bash", "-c", f"{adapter.name} run"))) is None
    assert adapter.identify(Proc(1, 0, 1, 1, 1, "S", "1", "", ())) is None
    if adapter.name != "generic":  # which never looks
        assert adapter.look(SHELL, None) is None


@pytest.mark.parametrize("adapter", EACH)
def test_no_screen_of_any_agent_breaks_it(adapter: Adapter) -> None:
    fenced = IsolatedAdapter(adapter)
    for name in recording.names()[::4]:
        for _, sample in list(recording.load(name).samples())[::5]:
            fenced.look(sample, None)
            fenced.ended_in_order(Ending(sample, sample.title, False, None, None))
    assert fenced.errors == 0, fenced.last_error


@pytest.mark.parametrize("adapter", EACH)
def test_what_it_installs_it_takes_out_again(adapter: Adapter, tmp_path: Path) -> None:
    def apply(*, remove: bool) -> None:
        for plan in adapter.plan_hooks(tmp_path, "/opt/agtmux hook", remove=remove):
            if plan.after is None:
                plan.path.unlink(missing_ok=True)
            else:
                plan.path.parent.mkdir(parents=True, exist_ok=True)
                plan.path.write_text(plan.after)

    apply(remove=False)
    there = adapter.hook_status(tmp_path, "/opt/agtmux hook")
    assert all(status.installed and not status.outdated for status in there)
    apply(remove=True)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def rule_sets() -> list[RuleSet]:
    return [a.rules for a in (m() for m in BUILT_IN) if isinstance(a, RuleAdapter)]


@pytest.mark.tc("TC-037")
def test_what_was_never_seen_on_the_real_program_is_only_a_hint() -> None:
    unproven = [rules for rules in rule_sets() if not rules.recorded_on]
    assert [rules.agent for rules in unproven] == ["cursor"]
    for rules in unproven:
        assert {rule.strength for rule in rules.rules} == {Strength.HINT}
        assert not any(rule.accepts_input for rule in rules.rules)


CURSOR = [
    (("  Run this command?", "  Not in allowlist: rm", " → Run (once) (y)", "   Skip (esc or n)"), "waiting_approval"),
    (("  Workspace Trust Required", "  [a] Trust this workspace"), "waiting_input"),
    (("  ⬡ Grepping..", "", " → Add a follow-up", "  ctrl+c", "  to stop"), "running"),
    ((" → Plan, search, build anything", "  Auto"), "not_running"),
    (("  some program",), None),
]


@pytest.mark.tc("TC-037")
@pytest.mark.parametrize(("rows", "claim"), CURSOR)
def test_cursors_documented_screens_are_hints(rows: tuple[str, ...], claim: str | None) -> None:
    adapter = next(a for a in (m() for m in BUILT_IN) if a.name == "cursor")
    write = adapter.look(Sample(rows, "t", False, True, 0, 0, 40, 24), None)
    assert (write.claim.value if write and write.claim else None) == claim
    assert write is None or (write.strength, write.accepts_input) == (Strength.HINT, False)


@pytest.mark.tc("TC-037")
@pytest.mark.parametrize(
    ("name", "payload", "claim"),
    [
        ("beforeSubmitPrompt", {"prompt": "go", "conversation_id": "c"}, Claim.RUNNING),
        ("stop", {"status": "completed"}, Claim.COMPLETED),
        ("stop", {"status": "aborted"}, Claim.IDLE),
        ("stop", {"status": "error"}, Claim.ERROR),
        ("stop", {"status": "new word"}, Claim.NOT_RUNNING),
    ],
)
def test_cursors_documented_hooks_are_hints(name: str, payload: dict[str, Any], claim: Claim) -> None:
    adapter = next(a for a in (m() for m in BUILT_IN) if a.name == "cursor")
    writes = adapter.normalise(event("cursor", name, payload), {}).writes
    assert [(w.claim, w.strength) for w in writes] == [(claim, Strength.HINT)]


@pytest.mark.tc("TC-036")
@pytest.mark.tc("TC-037")
@pytest.mark.tc("TC-046")
def test_the_core_names_no_agent() -> None:
    names = "|".join(m().name for m in BUILT_IN if m().name != "generic")
    for path in Path(agtmuxd.core.__file__).parent.glob("*.py"):
        code = re.sub(r'"""(?:.|\n)*?"""|#.*', "", path.read_text(encoding="utf-8"))
        assert re.findall(rf"(?i)\b(?:{names})\b", code) == [], path.name
