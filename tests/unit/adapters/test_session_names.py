"""The names that agents give their sessions, by titles and status files as they were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agtmuxd.adapters.discovery import discover

pytestmark = pytest.mark.tc("TC-264")
KNOWN = discover([])


@pytest.mark.parametrize(
    ("agent", "title", "name"),
    [
        ("claude", "✳ Claude Code", None),
        ("claude", "✳ Pretend title", "Pretend title"),
        ("claude", "⠂ Pretend title", "Pretend title"),
        ("claude", "✳ shed-work", "shed-work"),
        ("claude", "vm", None),
        ("claude", "proj: make", None),
        ("claude", "✳", None),
        ("codex", "proj", None),
        ("codex", "⠋ proj", None),
        ("codex", "⠋ Pretend task title | proj", "Pretend task title"),
        ("codex", "Pretend task title | proj", "Pretend task title"),
        ("codex", "[ ! ] Action Required | Pretend task title | proj", "Pretend task title"),
        ("codex", "[ . ] Action Required | proj", None),
        ("codex", "⠋ Working | 01a1faf7-ef10-7732-9dd0-44d34... | proj", None),
        ("codex", "⠋ 01a1faf7-ef10-7732-9dd0-44d34... | proj", None),
        ("codex", "Ready | proj", None),
        ("codex", "Ready", None),
        ("codex", "codex | proj", None),
        ("codex", "gpt-5-codex | proj", None),
        ("codex", "a title | elsewhere", None),
        ("copilot", "GitHub Copilot", None),
        ("copilot", "hello there - GitHub Copilot", "hello there"),
        ("copilot", "bgshell now - Waiting for background shells - GitHub Copilot", "bgshell now"),
        ("copilot", "Waiting for background agents - GitHub Copilot", None),
        ("copilot", "vm", None),
        ("opencode", "OpenCode", None),
        ("opencode", "OC | Pretend title", "Pretend title"),
        ("opencode", "OC | Small helper (@general subagent)", None),
        ("pi", "π - proj", None),
        ("pi", "π - mend - the shed - proj", "mend - the shed"),
        ("pi", "π - mend - elsewhere", None),
        ("gemini", "◇  Ready (proj)", None),
        ("qwen", "Qwen - proj", None),
        ("cline", "> slow 3", None),
        ("no-such-agent", "✳ Pretend title", None),
    ],
)
def test_a_title_names_the_session_only_in_the_agents_own_form(agent: str, title: str, name: str | None) -> None:
    assert KNOWN.session_name(agent, title, "/home/me/proj", None) == name


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ({"name": "work-e3", "nameSource": "derived"}, "Pretend title"),
        ({"name": "shed-work", "nameSource": "user"}, "shed-work"),
        ({"name": 5, "nameSource": "user"}, "Pretend title"),
        ({"name": "old"}, "Pretend title"),
        ({}, "Pretend title"),
    ],
)
def test_a_name_that_the_user_gave_claude_wins_and_one_that_it_derived_is_none(
    status: Mapping[str, Any], name: str
) -> None:
    assert KNOWN.session_name("claude", "✳ Pretend title", "/home/me/proj", status) == name


def test_an_adapter_that_fails_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("boom")

    adapter = KNOWN.get("claude")
    assert adapter is not None
    monkeypatch.setattr(adapter.adapter, "session_name", fail, raising=False)
    before = adapter.errors
    assert KNOWN.session_name("claude", "✳ Pretend title", "/home/me/proj", None) is None
    assert adapter.errors == before + 1
