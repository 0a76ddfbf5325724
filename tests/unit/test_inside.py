"""Whether a command runs inside a coding agent, also where only ps tells the processes above it."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux import hook
from agtmux.cli import inside_agent
from agtmux.protocol import psline

pytestmark = pytest.mark.tc("TC-141")


def link(pid: int, *argv: str) -> dict[str, object]:
    return {"pid": pid, "start": "", "argv": list(argv)}


@pytest.mark.parametrize(
    ("above", "told"),
    [
        ([link(70, "-zsh"), link(60, "claude")], "claude (pid 60)"),
        ([link(70, "sh", "-c", "x"), link(60, "/opt/homebrew/bin/codex", "resume")], "codex (pid 60)"),
        ([link(60, "node", "/opt/x/@google/gemini-cli/bundle/gemini.js")], "gemini (pid 60)"),
        ([link(70, "-zsh"), link(60, "vim", "claude")], None),
        ([link(70)], None),
        ([], None),
    ],
)
def test_without_proc_an_agent_above_is_known_by_ps(
    monkeypatch: pytest.MonkeyPatch, above: list[dict[str, object]], told: str | None
) -> None:
    """As on macOS."""

    def asked(*_: Any) -> list[dict[str, object]]:
        return above

    monkeypatch.setattr(hook, "PROC", "/nothing/here")
    monkeypatch.setattr(hook, "ancestors", lambda _pid: [])
    monkeypatch.setattr(psline, "ancestors", asked)
    monkeypatch.setenv("TMUX", "/t,1,0")
    assert inside_agent.agent_above() == told
    monkeypatch.delenv("TMUX")
    assert inside_agent.agent_above() is None
