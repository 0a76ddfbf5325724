"""The session files of the real CLIs, without any hook: they agree with the screen, the last words are told."""

from __future__ import annotations

import json

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver
from tests.agents.session import Session

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-100"), pytest.mark.timeout(180)]


def transcript_says(s: Session) -> str | None:
    """What the transcript claims of the pane's agent, by ``explain``; None where it claims nothing."""
    told = json.loads(s.watch.daemon.cli("explain", s.pane, "--json"))
    found = [c for c in told["candidates"] if c["source"] == "transcript" and c["subject"] == "turn"]
    return str(found[0]["claim"]) if found else None


@pytest.mark.parametrize("kind", [ClaudeDriver, CodexDriver], ids=["claude", "codex"])
def test_the_session_file_agrees_with_the_screen(start: Start, kind: type[Driver]) -> None:
    """A turn, its last message, and an interrupt, by the file that the agent itself writes."""
    s = start(kind, hooks=False)
    s.start_trusted()
    s.plain_turn()
    assert transcript_says(s) == "completed"
    done = s.watch.daemon.cli("prompt", s.pane, "hello again", "--wait", "--timeout", "60s", "--json")
    assert json.loads(done)["last_message"] == "Hello from the fake model."
    s.expect("running", "completed")
    s.driver.wait_ready()
    s.interrupt()
    assert transcript_says(s) == "idle"
    s.watch.expect_quiet(s.pane)
