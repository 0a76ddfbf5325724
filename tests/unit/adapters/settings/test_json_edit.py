"""Edits of JSON settings keep every byte that is not ours: comments, layout, byte order marks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.adapters.settings.json_edit import plain
from tests.unit.adapters.settings.settings_files import ADAPTERS, COMMAND, FILES, apply, layouts, ours

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
