"""Gemini CLI's settings that switch hooks off."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.adapters.claude import adapter as claude
from agtmuxd.adapters.codex import adapter as codex
from agtmuxd.adapters.gemini import adapter as gemini
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from tests.unit.adapters.settings.test_hook_switches import add, installed, off


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the folders of the administrator."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.setattr(claude, "MANAGED", folder)
    monkeypatch.setattr(gemini, "SYSTEM", folder)
    monkeypatch.setattr(codex, "SYSTEM", folder)
    return folder


@pytest.mark.tc("TC-205")
@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("name", ["home/settings.json", "etc/settings.json", "etc/system-defaults.json"])
def test_geminis_switches(tmp_path: Path, name: str) -> None:
    adapter, home = GeminiAdapter(), tmp_path / "home"
    installed(adapter, home)
    assert off(adapter, home) is None
    add(tmp_path / name, {"hooksConfig": {"enabled": False}})
    assert off(adapter, home) == f"hooksConfig.enabled = false in {tmp_path / name}"
    add(tmp_path / "etc/settings.json", {"hooksConfig": {"enabled": True}})
    assert off(adapter, home) is None, "the administrator's goes before all others"
    add(tmp_path / "home/settings.json", {"hooksConfig": {"disabled": ["other", "agtmux"]}})
    assert off(adapter, home) == f"hooksConfig.disabled names agtmux in {home / 'settings.json'}"
