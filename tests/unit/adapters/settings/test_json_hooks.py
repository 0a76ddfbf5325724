"""Hooks go into an agent's settings and come out again, and every byte that is not ours stays."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.adapters.claude.adapter import EVENTS, ClaudeAdapter
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.contract import HookPlan
from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.adapters.cursor.adapter import CursorAdapter
from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from agtmuxd.adapters.settings.hook_command import OwnEntries
from agtmuxd.adapters.settings.json_edit import plain

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
        count = sum(OwnEntries(agent, remote=False).holds(h) for g in groups for h in g.get("hooks", [g]))
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


@pytest.mark.tc("TC-102")
def test_a_byte_order_mark_stays_where_the_agent_reads_it_and_is_named_elsewhere(tmp_path: Path) -> None:
    text = '\ufeff{"a": 1}'
    for agent in ("gemini", "codex"):
        (tmp_path / FILES[agent]).write_text(text)
        with pytest.raises(ValueError, match="byte order mark"):
            ADAPTERS[agent].plan_hooks(tmp_path, COMMAND, remove=False)
    (tmp_path / "settings.json").write_text(text)
    apply("claude", tmp_path)
    there = (tmp_path / "settings.json").read_text()
    assert there.startswith('\ufeff{"a": 1')
    assert set(ours("claude", json.loads(there[1:])).values()) == {1}
    apply("claude", tmp_path, remove=True)
    assert (tmp_path / "settings.json").read_text() == text


COMMENTED = [
    '// top\n{\n  // theme\n  "theme": "x" // end, of {it\n}\n// bottom',
    "{ /* nothing, yet */ }",
    '{\n  "a": 1, // one\n  "hooks": { // mine\n    "AfterAgent": [ /* none */ ] // why\n  } /* x */\n}',
    '{"a": "// no comment /*", "b": 2 /* c */}',
    '{"a": 1 // c\n}',
    '{\r\n  "a": 1, // one\r\n  "b": [] // two\r\n}\r\n',
    '{\n  "hooks": {\n    "BeforeAgent": [\n      {"hooks": []} // g\n      // end\n    ]\n  }\n}',
]


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("text", COMMENTED)
def test_geminis_comments_stay_and_so_does_everything_else(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(text.encode())
    apply("gemini", tmp_path)
    there = file.read_bytes().decode()
    now = json.loads(plain(there))
    assert set(ours("gemini", now).values()) == {1}
    for comment in re.findall(r"// [^\"\r\n]*$", text, re.MULTILINE):
        assert comment in there
    assert not any(plan.changes for plan in ADAPTERS["gemini"].plan_hooks(tmp_path, COMMAND, remove=False))
    apply("gemini", tmp_path, remove=True)
    assert file.read_bytes() == text.encode()


@pytest.mark.tc("TC-102")
def test_comments_written_around_ours_outlive_them(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{\n  "a": 1, // one\n  "z": 2\n}')
    apply("gemini", tmp_path)
    text = file.read_text()
    key = text.index('  "hooks"')
    text = text[:key] + "  // agtmux\n" + text[key:-2] + ', // theirs\n  // last\n  "more": 3\n}'
    file.write_text(text)
    apply("gemini", tmp_path, remove=True)
    left = file.read_text()
    assert json.loads(plain(left)) == {"a": 1, "z": 2, "more": 3}
    assert all(comment in left for comment in ("// one", "// agtmux", "// theirs", "// last"))


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

FAR = "/usr/bin/python3 -IS /home/me/.local/share/agtmux/hook.py hook"


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        ("/opt/agtmux hook claude", True),
        ("'/opt/my tools/agtmux' hook claude 2>/dev/null || true", True),
        ("'/opt/caf\u00e9; rm \"x\"/agtmux' hook claude 2>/dev/null || true", True),
        ("AGTMUX_HOOK_CAP_MS=900 /opt/agtmux hook claude >/dev/null 2>&1 &", True),
        ("/usr/bin/python3 -m agtmux hook claude", True),
        ("/opt/agtmux hook claude; ~/bin/mine.sh", False),
        ("/opt/agtmux hook claude || ~/bin/mine.sh", False),
        ("cat | /opt/agtmux hook claude", False),
        ("/opt/agtmux hook claude-2", False),
        ("/opt/agtmux hook codex", False),
        ("echo agtmux; x hook claude", False),
        ("/home/agtmux/bin/notes hook claude", False),
        ("/usr/bin/python3 /home/me/src/agtmux/mine.py hook claude", False),
        ("/opt/agtmux-notes hook claude", False),
        ("agtmux hook claude", True),
        ("nice -n 5 /opt/agtmux hook claude", True),
        ("/opt/agtmux hook claude 'open", False),
        (f"{FAR} claude 2>/dev/null || true", False),
    ],
)
def test_an_entry_is_ours_only_if_it_runs_our_program_and_nothing_else(line: str, is_ours: bool) -> None:
    assert OwnEntries("claude", remote=False).holds({"command": line}) is is_ours
    assert OwnEntries("claude", remote=True).holds({"command": line}) is line.startswith(FAR)


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", [*ADAPTERS, *OWN])
@pytest.mark.parametrize("order", [(COMMAND, FAR), (FAR, COMMAND)])
def test_hooks_of_this_machine_and_of_one_that_watches_it_stand_side_by_side(
    agent: str, order: tuple[str, str], tmp_path: Path
) -> None:
    adapter = ADAPTERS[agent] if agent in ADAPTERS else OWN[agent][0]

    def do(command: str, *, remove: bool) -> None:
        for plan in adapter.plan_hooks(tmp_path, command, remove=remove):
            write(plan)

    def is_there(command: str) -> bool:
        return bool(adapter.hook_status(tmp_path, command)[0].installed)

    def texts() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    first, second = order
    do(first, remove=False)
    alone = texts()
    do(second, remove=False)
    both = texts()
    assert (is_there(first), is_there(second)) == (True, True)
    do(first, remove=False)
    assert texts() == both, "nobody takes the other's for an older one of its own"
    do(second, remove=True)
    assert texts() == alone
    do(second, remove=False)
    do(first, remove=True)
    assert (is_there(first), is_there(second)) == (False, True)
    do(second, remove=True)
    assert texts() == {}


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "cursor", "copilot"])
def test_a_program_that_is_gone_fails_no_agent_and_says_nothing(agent: str, tmp_path: Path) -> None:
    adapter = ADAPTERS[agent] if agent in ADAPTERS else OWN[agent][0]
    (plan, *_) = adapter.plan_hooks(tmp_path, "'/no/such place/agtmux' hook", remove=False)
    lines = re.findall(r'"(?:command|bash)": ("[^\n]*")', plan.after or "")
    assert lines
    for line in {json.loads(line) for line in lines}:
        for shell in ("sh", "bash"):
            done = subprocess.run([shell, "-c", line], input=b"{}", capture_output=True, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


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
    assert hooks["agentStop"][0]["bash"] == f"{COMMAND} copilot --event agentStop 2>/dev/null || true"
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


NOTES = st.sampled_from(["", "", " // note, {", ' /* "hooks": [ */', " // it's\n// more", "/* a\n b */ // c"])


@pytest.mark.tc("TC-102")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=layouts(), data=st.data())
def test_any_commented_settings_are_byte_for_byte_the_same_after_install_and_uninstall(
    text: str, data: st.DataObject, tmp_path: Path
) -> None:
    file = tmp_path / "settings.json"
    ends = "\r\n" if "\r\n" in text else "\n"
    *rows, last = text.split(ends)
    raw = "".join(row + data.draw(NOTES).replace("\n", ends) + ends for row in rows) + last
    try:
        file.write_bytes(raw.encode())
    except UnicodeEncodeError:
        return
    apply("gemini", tmp_path)
    assert set(ours("gemini", json.loads(plain(file.read_bytes().decode()))).values()) == {1}
    apply("gemini", tmp_path, remove=True)
    assert file.read_bytes() == raw.encode()


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
