"""What switches an agent's hooks off is found in its own settings and in an administrator's, and named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agtmuxd.adapters.claude import adapter as claude
from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.codex import adapter as codex
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.contract import Adapter
from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.adapters.gemini import adapter as gemini
from agtmuxd.adapters.gemini.adapter import GeminiAdapter

COMMAND = "/opt/agtmux hook"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the folders of the administrator."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.setattr(claude, "MANAGED", folder)
    monkeypatch.setattr(gemini, "SYSTEM", folder)
    monkeypatch.setattr(codex, "SYSTEM", folder)
    return folder


def installed(adapter: Adapter, home: Path) -> None:
    for plan in adapter.plan_hooks(home, COMMAND, remove=False):
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        plan.path.write_text(plan.after or "")


def off(adapter: Adapter, home: Path) -> str | None:
    first, *others = adapter.hook_status(home, COMMAND)
    assert first.installed
    assert [one.switched_off for one in others] == [None] * len(others), "Codex's notify is another thing"
    return first.switched_off


def add(path: Path, more: dict[str, object]) -> None:
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **more}))


@pytest.mark.tc("TC-205")
@pytest.mark.parametrize(
    ("name", "more", "key"),
    [
        ("home/settings.json", {"disableAllHooks": True}, "disableAllHooks = true"),
        ("etc/managed-settings.json", {"disableAllHooks": True}, "disableAllHooks = true"),
        ("etc/managed-settings.json", {"allowManagedHooksOnly": True}, "allowManagedHooksOnly = true"),
        ("etc/managed-settings.d/10-site.json", {"disableAllHooks": True}, "disableAllHooks = true"),
    ],
)
def test_claudes_switches(tmp_path: Path, system: Path, name: str, more: dict[str, object], key: str) -> None:
    adapter, home = ClaudeAdapter(), tmp_path / "home"
    installed(adapter, home)
    (system / "managed-settings.d").mkdir()
    assert off(adapter, home) is None
    add(tmp_path / name, more)
    assert off(adapter, home) == f"{key} in {tmp_path / name}"


@pytest.mark.tc("TC-205")
def test_copilots_switch(tmp_path: Path) -> None:
    """It is in a hook file. The user's settings have the same key, which changes nothing (1.0.102)."""
    adapter, file = CopilotAdapter(), tmp_path / "hooks/agtmux.json"
    installed(adapter, tmp_path)
    (tmp_path / "settings.json").write_text('{\n  // mine\n  "disableAllHooks": true\n}')
    assert off(adapter, tmp_path) is None
    add(file, {"disableAllHooks": True})
    assert off(adapter, tmp_path) == f"disableAllHooks = true in {file}"


@pytest.mark.tc("TC-205")
@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", '{"disableAllHooks": "true"}', "disableAllHooks = true"])
def test_a_file_of_the_administrator_that_says_nothing_switches_nothing(
    tmp_path: Path, system: Path, text: str
) -> None:
    home = tmp_path / "home"
    for adapter in (ClaudeAdapter(), GeminiAdapter(), CodexAdapter()):
        installed(adapter, home)
        for name in ("managed-settings.json", "settings.json", "requirements.toml", "managed_config.toml"):
            (system / name).write_text(text)
        assert off(adapter, home) is None
