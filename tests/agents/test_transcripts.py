"""The session files of the real CLIs, without any hook: they agree with the screen, the last words are told."""

from __future__ import annotations

import json
import time

import pytest

from tests.agents.conftest import Start
from tests.agents.copilot import CopilotDriver
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.session import Session

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-100"), pytest.mark.timeout(180)]


def transcript_says(s: Session, subject: str = "turn") -> str | None:
    """What the transcript claims of the pane's agent, by ``explain``; None where it claims nothing.

    ``subject``: ending in ``:``, any one of these.
    """
    body = json.loads(s.watch.daemon.cli("explain", s.pane, "--json"))
    listed = [c for c in body["candidates"] if c["source"] == "transcript" and c["claim"]]
    found = [c for c in listed if c["subject"] == subject or (subject[-1] == ":" and c["subject"].startswith(subject))]
    return str(found[0]["claim"]) if found else None


def expect_told(s: Session, claim: str | None, subject: str = "turn") -> None:
    """The transcript comes to claim this: its lines reach the disk later than the screen is drawn."""
    end = time.monotonic() + 10
    while (result := transcript_says(s, subject)) != claim:
        assert time.monotonic() < end, f"the transcript says {result}, not {claim}\n{s.watch.trace()}"
        time.sleep(0.05)


@pytest.mark.parametrize("kind", [ClaudeDriver, CodexDriver, CopilotDriver], ids=["claude", "codex", "copilot"])
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


def test_copilots_log_tells_of_requests_questions_and_failures(start: Start) -> None:
    """Each is open in the log while it is open on the screen; the log names session and version."""
    s = start(CopilotDriver, hooks=False)
    s.start_trusted()
    s.driver.prompt("bash one")
    s.driver.wait_approval()
    s.expect("running", "waiting_approval")
    expect_told(s, "waiting_approval", "tool:")
    item = s.watch.item(s.pane)
    assert item["agent_session_id"] and item["agent_version"] and item["task"] == "bash one"
    assert "touch made-by-shell.txt" in item["waiting_for"]["text"]
    s.driver.approve()
    s.expect("running", "completed")
    expect_told(s, None, "tool:")
    s.driver.wait_ready()
    s.driver.prompt("ask me")
    s.driver.wait_question()
    s.expect("running", "waiting_input")
    expect_told(s, "waiting_input", "approval:main")
    s.driver.answer()
    s.expect("running", "completed")
    expect_told(s, None, "approval:main")
    s.driver.wait_ready()
    s.api_error()
    expect_told(s, "error")
    s.driver.at.type("/clear")
    s.driver.at.keys("Enter")
    expect_told(s, "idle")  # the screen shows the failure a little longer
    s.driver.wait_ready()
    end = time.monotonic() + 20
    while s.watch.item(s.pane)["state"] != "idle":
        assert time.monotonic() < end, s.watch.trace()
        time.sleep(0.05)


def test_geminis_chat_file_tells_the_interrupt_that_its_hooks_do_not(start: Start) -> None:
    """Its end that went well is told by screen and hooks alone, its words by the file."""
    s = start(GeminiDriver, hooks=False)
    s.start_trusted()
    s.plain_turn()
    done = s.watch.daemon.cli("prompt", s.pane, "hello again", "--wait", "--timeout", "60s", "--json")
    assert json.loads(done)["last_message"] == "Hello from the fake model."
    s.expect("running", "completed")
    assert transcript_says(s) is None
    s.driver.wait_ready()
    s.interrupt()
    expect_told(s, "idle")
    s.watch.expect_quiet(s.pane)
