"""Hooks go into an agent's settings and come out again, and every byte that is not ours stays."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.adapters.base import HookPlan
from agtmuxd.adapters.claude import EVENTS, ClaudeAdapter
from agtmuxd.adapters.codex import CodexAdapter
from agtmuxd.adapters.copilot import CopilotAdapter
from agtmuxd.adapters.cursor import CursorAdapter
from agtmuxd.adapters.gemini import GeminiAdapter
from agtmuxd.adapters.hookfile import is_ours
from agtmuxd.adapters.opencode import OpenCodeAdapter
from agtmuxd.adapters.registry import discover

COMMAND = "/opt/my tools/agtmux hook"
ADAPTERS: dict[str, Any] = {
    "claude": ClaudeAdapter(), "codex": CodexAdapter(), "gemini": GeminiAdapter(), "cursor": CursorAdapter(),
}  # fmt: skip
FILES = {"claude": "settings.json", "codex": "hooks.json", "gemini": "settings.json", "cursor": "hooks.json"}
OWN: dict[str, tuple[Any, str]] = {
    "copilot": (CopilotAdapter(), "hooks/agtmux.json"),
    "opencode": (OpenCodeAdapter(), "plugin/agtmux.js"),
}
"""Agents that read every file of a folder: ours is a file of its own."""


def write(plan: HookPlan) -> None:
    if plan.after is None:
        plan.path.unlink(missing_ok=True)
    else:
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        plan.path.write_bytes(plan.after.encode())


def apply(agent: str, home: Path, *, remove: bool = False, command: str = COMMAND) -> list[HookPlan]:
    plans = list(ADAPTERS[agent].plan_hooks(home, command, remove=remove))
    for plan in plans:
        write(plan)
    return plans


def ours(agent: str, settings_: Any) -> dict[str, int]:
    """Event → how many hooks of ours it has."""
    out: dict[str, int] = {}
    for event, groups in settings_.get("hooks", {}).items():
        count = sum(is_ours(h, agent) for g in groups for h in g.get("hooks", [g]))
        if count:
            out[event] = count
    return out


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ADAPTERS)
def test_a_home_without_settings_is_as_before_after_install_and_uninstall(agent: str, tmp_path: Path) -> None:
    apply(agent, tmp_path)
    status = ADAPTERS[agent].hook_status(tmp_path, COMMAND)[0]
    assert (status.installed, status.outdated) == (True, False)
    assert set(ours(agent, json.loads((tmp_path / FILES[agent]).read_text())).values()) == {1}
    apply(agent, tmp_path, remove=True)
    assert list(tmp_path.iterdir()) == []
    assert not ADAPTERS[agent].hook_status(tmp_path, COMMAND)[0].installed


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ADAPTERS)
def test_installing_twice_changes_nothing_the_second_time(agent: str, tmp_path: Path) -> None:
    apply(agent, tmp_path)
    assert not any(plan.changes for plan in ADAPTERS[agent].plan_hooks(tmp_path, COMMAND, remove=False))


USER = """{
    "model": "opus",
    "permissions": {"allow": ["Bash(ls:*)"],   "deny": []},
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "~/bin/block-dangerous.sh"}]}
        ],
        "Stop": []
    },
    "unknown key": 1.50, "nested": {"a": [1,2 , 3]}
}"""


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ADAPTERS)
def test_a_users_own_hooks_and_layout_survive(agent: str, tmp_path: Path) -> None:
    file = tmp_path / FILES[agent]
    file.write_text(USER)
    apply(agent, tmp_path)
    text = file.read_text()
    now = json.loads(text)
    assert now["hooks"]["PreToolUse"][0]["hooks"][0]["command"] == "~/bin/block-dangerous.sh"
    assert '"deny": []}' in text
    assert '"unknown key": 1.50, "nested": {"a": [1,2 , 3]}' in text
    assert list(now) == ["model", "permissions", "hooks", "unknown key", "nested"]
    apply(agent, tmp_path, remove=True)
    assert file.read_text() == USER


@pytest.mark.tc("TC-102")
def test_uninstall_takes_only_ours_out_of_a_group_that_was_merged(tmp_path: Path) -> None:
    apply("claude", tmp_path)
    file = tmp_path / "settings.json"
    now = json.loads(file.read_text())
    now["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "notify-send done"})
    file.write_text(json.dumps(now))
    apply("claude", tmp_path, remove=True)
    left = json.loads(file.read_text())
    assert left == {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "notify-send done"}]}]}}


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ADAPTERS)
def test_another_place_of_agtmux_is_outdated_and_replaced(agent: str, tmp_path: Path) -> None:
    apply(agent, tmp_path, command="/old/agtmux hook")
    assert ADAPTERS[agent].hook_status(tmp_path, COMMAND)[0].outdated
    apply(agent, tmp_path)
    now = json.loads((tmp_path / FILES[agent]).read_text())
    assert set(ours(agent, now).values()) == {1}
    assert "/old/" not in json.dumps(now)
    assert not ADAPTERS[agent].hook_status(tmp_path, COMMAND)[0].outdated


@pytest.mark.parametrize("agent", ADAPTERS)
@pytest.mark.parametrize(
    "text",
    [
        '{\n  // a comment\n  "a": 1\n}',
        "{",
        "",
        "[]",
        '{"hooks": []}',
        '{"hooks": {"Stop": {}, "AfterAgent": 1, "stop": {}}}',
    ],
)
def test_a_file_that_cannot_be_merged_is_refused_by_name_and_left_alone(agent: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / FILES[agent]
    file.write_text(text)
    with pytest.raises(ValueError, match=r"(settings|hooks)\.json") as caught:
        ADAPTERS[agent].plan_hooks(tmp_path, COMMAND, remove=False)
    assert "run this again" in str(caught.value)
    assert file.read_text() == text


def test_a_comment_is_named_as_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{\n  // mine\n  "a": 1\n}')
    with pytest.raises(ValueError, match=r"line 2.*comment"):
        ClaudeAdapter().plan_hooks(tmp_path, COMMAND, remove=False)


def test_claude_is_given_only_event_names_that_an_older_version_knows() -> None:
    known_to_2_1_197 = {
        "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "Notification", "UserPromptSubmit",
        "UserPromptExpansion", "SessionStart", "SessionEnd", "Stop", "StopFailure", "SubagentStart", "SubagentStop",
        "PreCompact", "PostCompact", "PermissionRequest", "PermissionDenied", "Setup", "TeammateIdle", "TaskCreated",
        "TaskCompleted", "Elicitation", "ElicitationResult", "ConfigChange", "WorktreeCreate", "WorktreeRemove",
        "InstructionsLoaded", "CwdChanged", "FileChanged", "MessageDisplay",
    }  # fmt: skip
    assert set(EVENTS) <= known_to_2_1_197
    assert "MessageDisplay" not in EVENTS


def test_gemini_is_given_few_hooks_and_never_one_per_chunk() -> None:
    plan = GeminiAdapter().plan_hooks(Path("/nonexistent"), COMMAND, remove=False)[0]
    assert plan.after is not None
    hooks = json.loads(plan.after)["hooks"]
    assert not {"AfterModel", "BeforeModel", "PreCompress", "BeforeToolSelection"} & set(hooks)
    assert {h["name"] for groups in hooks.values() for g in groups for h in g["hooks"]} == {"agtmux"}


def test_codex_says_that_new_hooks_have_to_be_trusted(tmp_path: Path) -> None:
    notes = " ".join(n for plan in CodexAdapter().plan_hooks(tmp_path, COMMAND, remove=False) for n in plan.notes)
    assert "trust" in notes


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("text", ["", "model = 'x'\n", "# mine\n\n[tui]\nnotify = true", "a = 1\r\n[b]\r\n"])
def test_codex_notify_is_a_top_level_key_and_leaves_no_trace(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode())
    apply("codex", tmp_path, command="/opt/agtmux hook")
    assert tomllib.loads(file.read_text())["notify"] == ["/opt/agtmux", "hook", "codex"]
    assert ADAPTERS["codex"].hook_status(tmp_path, "/opt/agtmux hook")[1].installed
    apply("codex", tmp_path, remove=True)
    assert file.read_bytes() == text.encode()


@pytest.mark.tc("TC-102")
def test_a_notify_program_of_the_user_is_left_alone_and_said(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = 'notify = ["notify-send", "codex"]\n'
    file.write_text(text)
    plans = apply("codex", tmp_path)
    assert file.read_text() == text
    assert any("notify" in note for note in plans[1].notes)
    apply("codex", tmp_path, remove=True)
    assert file.read_text() == text


def test_a_config_that_is_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("a = ")
    with pytest.raises(ValueError, match=r"config\.toml"):
        CodexAdapter().plan_hooks(tmp_path, COMMAND, remove=False)


# ---------------------------------------------------------------- a file of our own


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", OWN)
def test_a_file_of_our_own_comes_and_goes_beside_the_users(agent: str, tmp_path: Path) -> None:
    adapter, name = OWN[agent]
    file = tmp_path / name
    file.parent.mkdir()
    (file.parent / "mine.json").write_text("{ // mine")
    for plan in adapter.plan_hooks(tmp_path, COMMAND, remove=False):
        write(plan)
    status = adapter.hook_status(tmp_path, COMMAND)[0]
    assert (status.path, status.installed, status.outdated) == (file, True, False)
    assert not any(plan.changes for plan in adapter.plan_hooks(tmp_path, COMMAND, remove=False))
    assert adapter.hook_status(tmp_path, "/elsewhere/agtmux hook")[0].outdated
    for plan in adapter.plan_hooks(tmp_path, COMMAND, remove=True):
        write(plan)
    assert [p.name for p in file.parent.iterdir()] == ["mine.json"]
    assert not adapter.hook_status(tmp_path, COMMAND)[0].installed
    assert not any(plan.changes for plan in adapter.plan_hooks(tmp_path, COMMAND, remove=True))


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", OWN)
def test_another_ones_file_under_our_name_is_refused_and_left_alone(agent: str, tmp_path: Path) -> None:
    adapter, name = OWN[agent]
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("not ours")
    with pytest.raises(ValueError, match="was not written by agtmux"):
        adapter.plan_hooks(tmp_path, COMMAND, remove=False)
    assert not any(plan.changes for plan in adapter.plan_hooks(tmp_path, COMMAND, remove=True))
    assert not adapter.hook_status(tmp_path, COMMAND)[0].installed


def test_copilots_hooks_name_their_event_and_call_the_program_by_its_path(tmp_path: Path) -> None:
    plan = CopilotAdapter().plan_hooks(tmp_path, COMMAND, remove=False)[0]
    assert plan.after is not None
    hooks = json.loads(plan.after)["hooks"]
    assert hooks["agentStop"][0]["bash"] == f"{COMMAND} copilot --event agentStop"
    assert "permissionRequest" not in hooks  # it comes for requests that nobody is asked about, too


def test_copilots_status_says_that_hooks_are_switched_off(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{\n  // mine\n  "disableAllHooks": true\n}')
    assert any("disableAllHooks" in note for note in CopilotAdapter().hook_status(tmp_path, COMMAND)[0].notes)


def test_opencodes_plugin_is_told_the_program_as_a_list_of_words(tmp_path: Path) -> None:
    plan = OpenCodeAdapter().plan_hooks(tmp_path, "'/opt/my tools/agtmux' hook", remove=False)[0]
    assert plan.after is not None
    assert 'const COMMAND = ["/opt/my tools/agtmux", "hook", "opencode"]' in plan.after
    assert '"event:permission.asked"' in plan.after
    assert "/* events */" not in plan.after


# ---------------------------------------------------------------- any valid settings

SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3), max_leaves=8
)
USER_HOOK = st.fixed_dictionaries(
    {"type": st.just("command"), "command": st.sampled_from(["a.sh", "my hook claude", "x hook gemini ", "echo '{}'"])},
    optional={"timeout": st.integers(1, 90), "async": st.booleans()},
)
GROUP = st.fixed_dictionaries(
    {"hooks": st.lists(USER_HOOK, max_size=2)}, optional={"matcher": st.sampled_from(["", "*", "Bash|Edit"])}
)
EVENT = st.sampled_from(["Stop", "PreToolUse", "AfterAgent", "Notification", "SessionStart", "Mine", "[odd], {name}"])
HOOKS = st.dictionaries(EVENT, st.lists(GROUP, max_size=3), max_size=4)


@st.composite
def layouts(draw: st.DrawFn) -> str:
    """Valid settings as text, in whatever layout somebody's editor left."""
    body: dict[str, Any] = draw(st.dictionaries(st.text(max_size=6).filter(lambda k: k != "hooks"), JSON, max_size=3))
    if draw(st.booleans()):
        items = list(body.items())
        items.insert(draw(st.integers(0, len(items))), ("hooks", draw(HOOKS)))
        body = dict(items)
    indent = draw(st.sampled_from([None, 0, 1, 2, 4, "\t"]))
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", " : ")]))
    text = json.dumps(body, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if not body and draw(st.booleans()):
        text = "{ \n }"
    return draw(st.sampled_from(["", "\n", "  "])) + text + draw(st.sampled_from(["", "\n", "\r\n", " \n\n"]))


@pytest.mark.tc("TC-102")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=layouts(), agent=st.sampled_from(sorted(ADAPTERS)))
def test_any_settings_are_byte_for_byte_the_same_after_install_and_uninstall(
    text: str, agent: str, tmp_path: Path
) -> None:
    file = tmp_path / FILES[agent]
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    file.write_bytes(raw)
    before = json.loads(text)
    apply(agent, tmp_path)
    installed = json.loads(file.read_bytes())
    added = ours(agent, installed)
    assert set(added.values()) == {1}
    for event, groups in before.get("hooks", {}).items():
        assert installed["hooks"][event][: len(groups)] == groups
    assert [k for k in installed if k != "hooks"] == [k for k in before if k != "hooks"]
    assert not any(plan.changes for plan in ADAPTERS[agent].plan_hooks(tmp_path, COMMAND, remove=False))
    apply(agent, tmp_path, remove=True)
    assert file.read_bytes() == raw


@pytest.mark.tc("TC-102")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=layouts(), agent=st.sampled_from(sorted(ADAPTERS)), indent=st.sampled_from([None, 2, 3]))
def test_settings_that_another_program_wrote_again_lose_ours_and_only_ours(
    text: str, agent: str, indent: int | None, tmp_path: Path
) -> None:
    file = tmp_path / FILES[agent]
    try:
        file.write_bytes(text.encode())
    except UnicodeEncodeError:
        return
    before = json.loads(text)
    apply(agent, tmp_path)
    rewritten = json.loads(file.read_bytes())
    rewritten["added later"] = True
    file.write_text(json.dumps(rewritten, indent=indent))
    apply(agent, tmp_path, remove=True)
    left = json.loads(file.read_text())
    assert ours(agent, left) == {}
    assert left.pop("added later") is True

    def full(x: dict[str, Any]) -> dict[str, Any]:
        return {event: groups for event, groups in x.get("hooks", {}).items() if groups}

    assert full(left) == full(before)
    assert {k: v for k, v in left.items() if k != "hooks"} == {k: v for k, v in before.items() if k != "hooks"}


def test_every_shipped_adapter_has_hooks_to_install(tmp_path: Path) -> None:
    for adapter in discover(["generic"], points=()):  # which reports by itself
        assert any(plan.changes for plan in adapter.plan_hooks(tmp_path / adapter.name, COMMAND, remove=False))
