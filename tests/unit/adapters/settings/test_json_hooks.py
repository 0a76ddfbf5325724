"""Hooks go into an agent's settings and come out again, and every byte that is not ours stays."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.adapters.claude.adapter import EVENTS
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from tests.unit.adapters.settings.settings_files import ADAPTERS, COMMAND, FILES, OWN, apply, layouts, ours, write


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


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize(
    "line", ["{0} {1}", "AGTMUX_HOOK_CAP_MS=900 {0} {1} 2>&1", "/usr/bin/python3 -m agtmux hook {1}"]
)
@pytest.mark.parametrize("agent", ADAPTERS)
def test_ours_of_an_older_form_or_changed_by_hand_are_outdated_and_replaced(
    agent: str, line: str, tmp_path: Path
) -> None:
    apply(agent, tmp_path, command="/opt/agtmux hook")
    file = tmp_path / FILES[agent]
    older = line.format("/opt/agtmux hook", agent)
    file.write_text(file.read_text().replace(f"/opt/agtmux hook {agent} 2>/dev/null || true", older))
    assert older in file.read_text()
    assert ADAPTERS[agent].hook_status(tmp_path, "/opt/agtmux hook")[0].outdated
    apply(agent, tmp_path, command="/opt/agtmux hook")
    assert set(ours(agent, json.loads(file.read_text())).values()) == {1}
    assert older not in file.read_text().replace(f"{older} 2>/dev/null || true", "")
    apply(agent, tmp_path, remove=True)
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("agent", ADAPTERS)
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1,}',
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


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ["claude", "codex", "cursor"])
def test_a_comment_is_named_where_the_agent_would_not_read_the_file(agent: str, tmp_path: Path) -> None:
    (tmp_path / FILES[agent]).write_text('{\n  "url": "http://x", // mine\n  "a": 1\n}')
    with pytest.raises(ValueError, match=r"line 2.*comment.*run this again"):
        ADAPTERS[agent].plan_hooks(tmp_path, COMMAND, remove=False)
    with pytest.raises(ValueError, match=r"line 2.*comment.*run this again"):
        ADAPTERS[agent].hook_status(tmp_path, COMMAND)


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
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "notify",
    [
        'notify = ["notify-send", "codex is done"]\n',
        "notify=['notify-send','codex is done',]\n",
        '  "notify"   =   [ "notify-send" , "codex is done" ]   # mine\n',
        "'notify' = [\n  \"notify-send\",\n  # what it says\n  'codex is done',\n]\n",
        'notify = ["notify-send", """codex\\\n  is done"""]\n',
    ],
)
@pytest.mark.parametrize("around", ["{}", 'model = "x"\n{}\n[tui]\nnotify = true\n', "# notify = [1]\n\n{}# end"])
def test_a_notify_program_of_the_user_runs_on_beside_ours(notify: str, around: str, ends: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = around.format(notify).replace("\n", ends)
    theirs = tomllib.loads(text)["notify"]
    out = tmp_path / "out"
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >> {out}\n')
    program.chmod(0o755)
    file.write_bytes(text.encode())
    (plan,) = (plan for plan in apply("codex", tmp_path) if plan.path == file)
    assert "Your own notify program still runs" in " ".join(plan.notes)
    now = tomllib.loads(file.read_bytes().decode())
    assert {k: v for k, v in now.items() if k != "notify"} == {
        k: v for k, v in tomllib.loads(text).items() if k != "notify"
    }
    status = ADAPTERS["codex"].hook_status(tmp_path, COMMAND)[1]
    assert (status.installed, status.outdated) == (True, False)
    assert status.command == f"{COMMAND} codex", "a test runs ours alone"
    done = subprocess.run(
        [*now["notify"], '{"it\'s": "$1"}'], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=True
    )
    assert out.read_text() == f'{theirs[1]}|{{"it\'s": "$1"}}|', "as before, though ours is not there at all"
    assert done.stdout + done.stderr == b""
    apply("codex", tmp_path, command="/elsewhere/agtmux hook")
    assert b"my tools" not in file.read_bytes()
    apply("codex", tmp_path, remove=True)
    assert file.read_bytes() == text.encode()


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("notify", ["notify = 3\n", "notify = []\n", '"n\\u006ftify" = ["a"]\n'])
def test_a_notify_that_cannot_be_kept_is_left_alone_and_said(notify: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(notify)
    plans = apply("codex", tmp_path)
    assert file.read_text() == notify
    assert any("stays as it is" in note for note in plans[1].notes)
    assert any("stays as it is" in note for note in CodexAdapter().hook_status(tmp_path, COMMAND)[1].notes)
    apply("codex", tmp_path, remove=True)
    assert file.read_text() == notify


@pytest.mark.tc("TC-102")
def test_a_notify_changed_since_the_install_is_the_users(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('notify = ["old"]\n')
    apply("codex", tmp_path)
    changed = file.read_text().replace(file.read_text().splitlines()[0], 'notify = ["new"]')
    file.write_text(changed)
    apply("codex", tmp_path)
    apply("codex", tmp_path, remove=True)
    assert file.read_text() == changed
    assert tomllib.loads(changed)["notify"] == ["new"]


# ---------------------------------------------------------------- whose entry it is


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


# ---------------------------------------------------------------- any valid settings


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
    for adapter in discover(["generic", "cline"], points=()):  # one reports by itself, one is read by its screen alone
        assert any(plan.changes for plan in adapter.plan_hooks(tmp_path / adapter.name, COMMAND, remove=False))
