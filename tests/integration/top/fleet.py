"""Rows for the tests on a screen, and helpers that find what is selected. Knows no test."""

from __future__ import annotations

from typing import Any

from tests.integration.top.conftest import Seen
from tests.unit.top.rows import ago, item

ASKS = {"kind": "approval", "subject": "Bash", "text": "npm test\nDo you want to proceed?",
        "options": ["Yes", "Yes, and don't ask again", "No"], "fingerprint": "f1"}  # fmt: skip


def fleet() -> list[dict[str, Any]]:
    """Agents in several states, on two targets."""
    return [
        item("%1", "waiting_approval", waiting_for=ASKS, since=ago(60), attention_since=ago(60)),
        item("%2", "running", agent_type="codex", task="Port the parser", session="parser"),
        item("%3", "waiting_input", since=ago(30), attention_since=ago(30), target="gpu"),
        item("%4", "idle", agent_type="gemini"),
        item("%5", "idle"),
    ]


def asking(pane: str, since: int, **more: Any) -> dict[str, Any]:
    """An agent that asks for an approval."""
    fields = {"waiting_for": ASKS, "since": ago(since), "attention_since": ago(since), "state_version": 7, **more}
    return item(pane, "waiting_approval", **fields)


def asking_fleet() -> list[dict[str, Any]]:
    """Agents of which several ask."""
    return [
        asking("%1", 60),
        asking("%2", 50, agent_type="codex", waiting_for={**ASKS, "fingerprint": "f2"}),
        item("%3", "running", agent_type="gemini"),
        item("%4", "waiting_input", since=ago(5), attention_since=ago(5), waiting_for={**ASKS, "fingerprint": "f4"}),
        item("%5", "completed", attention="review"),
    ]


def pointed(rows: list[str]) -> str:
    """The selected row."""
    return next(row for row in rows if row.startswith(">"))


async def pointed_at(seen: Seen, words: str) -> None:
    """Select the row with these words."""
    await seen.press("g")
    while words not in pointed(seen.rows):
        await seen.press("j")


def pointed_menu(app: object) -> str:
    """The chosen line of the menu that is open."""
    screen = app.screen  # type: ignore[attr-defined]
    return str(screen._shown[screen._at][2])
