"""Codex's settings that switch hooks off."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.adapters.claude import adapter as claude
from agtmuxd.adapters.codex import adapter as codex
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.gemini import adapter as gemini
from tests.unit.adapters.settings.test_hook_switches import installed, off


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
@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("home/config.toml", "[features]\nhooks = false\n", "features.hooks = false"),
        ("home/config.toml", "[features]\ncodex_hooks = false\n", "features.codex_hooks = false"),
        ("home/config.toml", "profile = 'p'\n[profiles.p.features]\nhooks = false\n", "features.hooks = false"),
        ("etc/config.toml", "[features]\nhooks = false\n", "features.hooks = false"),
        ("etc/managed_config.toml", "[features]\nhooks = false\n", "features.hooks = false"),
        ("etc/requirements.toml", "[features]\nhooks = false\n", "features.hooks = false"),
        ("etc/requirements.toml", "allow_managed_hooks_only = true\n", "allow_managed_hooks_only = true"),
    ],
)
def test_codexs_switches(tmp_path: Path, name: str, text: str, key: str) -> None:
    adapter, home = CodexAdapter(), tmp_path / "home"
    installed(adapter, home)
    assert off(adapter, home) is None
    path = tmp_path / name
    path.write_text(text + (path.read_text() if path.exists() and "profile" not in text else ""))
    assert off(adapter, home) == f"{key} in {path}"


@pytest.mark.tc("TC-205")
@pytest.mark.usefixtures("system")
def test_a_user_of_codex_may_switch_on_what_the_machine_switched_off(tmp_path: Path) -> None:
    adapter, home = CodexAdapter(), tmp_path / "home"
    installed(adapter, home)
    (tmp_path / "etc/config.toml").write_text("[features]\nhooks = false\n")
    config = home / "config.toml"
    config.write_text(config.read_text() + "\n[features]\nhooks = true\n")
    assert off(adapter, home) is None
