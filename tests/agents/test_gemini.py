"""Gemini CLI, the real one, watched by a real daemon: each state is streamed, in order, with and without hooks."""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import GeminiDriver

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-100"), pytest.mark.timeout(180)]


def test_every_state_of_a_life_with_hooks(start: Start) -> None:
    """From the trust dialog to the exit, every change of a life is streamed, and nothing else."""
    s = start(GeminiDriver, trusted=False)
    s.start_with_trust()
    s.plain_turn()
    s.turns_of_every_kind()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)


def test_every_state_of_a_life_without_hooks(start: Start) -> None:
    """The same without any hook installed: title, screen and process table are enough."""
    s = start(GeminiDriver, hooks=False)
    s.start_trusted()
    s.plain_turn()
    s.approval_given()
    s.question()
    s.interrupt()
    s.crash()
    s.watch.expect_quiet(s.pane)


def test_killed_while_running(start: Start) -> None:
    """An agent killed with -9 in mid-turn stays listed as a crash."""
    s = start(GeminiDriver)
    s.start_trusted()
    s.crash()
    s.watch.expect_quiet(s.pane)


@pytest.mark.tc("TC-607")
def test_a_prompt_after_a_rest_is_submitted(start: Start) -> None:
    """After some seconds without a key, Gemini takes an Enter soon after a paste for a line break."""
    s = start(GeminiDriver)
    s.start_trusted()
    s.watch.expect_quiet(s.pane, 9.0)
    s.watch.daemon.cli("prompt", s.pane, "hello there\nand hello again")
    s.expect("running", "completed")
