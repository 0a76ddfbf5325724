"""agtmux hooks: the folders it asks for, the time of a test event, and what --help leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.cli import hooks
from agtmux.cli.hooks import send_test
from agtmux.cli.hooks import test_for as time_for
from tests.unit.daemon_stub import Stub, agtmux, command, out


def test_hooks_are_asked_for_by_absolute_paths(short_dir: Path, stub: Stub) -> None:
    done = {"agent": "claude", "path": "/h/.claude/settings.json", "changed": True, "diff": "+ x", "installed": True,
            "outdated": False, "events": ["Stop"], "notes": ["a note"], "error": None, "backup": "/h/b"}  # fmt: skip
    stub.answer("POST /v1/hooks", {"items": [done]})
    homes = {"CODEX_HOME": "/c", "GEMINI_CLI_HOME": "/g", "PI_CODING_AGENT_DIR": "/p"}
    text = out(short_dir, "hooks", "install", "--agent", "claude", "--dry-run", **homes)
    assert "would change" in text
    assert "+ x" in text
    assert "a note" in text
    assert stub.calls[0].body == {
        "op": "install", "agents": ["claude"], "dry_run": True, "command": f"{command([])[0]} hook",
        "config_homes": {"claude": f"{short_dir}/.claude", "codex": "/c", "gemini": "/g/.gemini",
                         "copilot": f"{short_dir}/.copilot", "opencode": f"{short_dir}/.config/opencode",
                         "pi": "/p", "qwen": f"{short_dir}/.qwen", "cursor": f"{short_dir}/.cursor"},
    }  # fmt: skip
    out(short_dir, "hooks", "status")
    assert "agents" not in stub.calls[1].body
    stub.answer("POST /v1/hooks", {"items": [done | {"error": "cannot read it"}]})
    assert agtmux(short_dir, "hooks", "uninstall").returncode == 1


@pytest.mark.parametrize(
    "argv", [["install", "--help"], ["install", "-h", "--agent", "claude"], ["uninstall", "--help"]]
)
def test_asking_for_help_installs_nothing(short_dir: Path, stub: Stub, argv: list[str]) -> None:
    assert "Usage:" in out(short_dir, "hooks", *argv)
    assert stub.calls == []


def test_a_test_event_has_the_time_that_hooks_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's setting gives a hook ten seconds: a proof that ends it after five proves nothing."""
    assert [time_for({"AGTMUX_HOOK_CAP_MS": cap}) for cap in ("10000", "250", "", "x", "9" * 20)] == [13, 5, 5, 5, 5]
    monkeypatch.setattr(hooks, "TEST_FOR", 0.0)
    monkeypatch.setattr(hooks, "SPOOLED_FOR", 0.0)
    monkeypatch.setenv("AGTMUX_HOOK_CAP_MS", "60000")
    send_test({"command": f"cat > {tmp_path}/came"})
    assert "agtmux_test" in (tmp_path / "came").read_text()
