"""Codex, the real CLI with its shared server, watched by a real daemon.

Each state is streamed, in order, with and without hooks, and two panes of one shared server never mix.
"""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import CodexDriver

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-100"), pytest.mark.timeout(180)]


def test_every_state_of_a_life_with_hooks(start: Start) -> None:
    """From the trust dialog to the exit, every change of a life is streamed, and nothing else."""
    s = start(CodexDriver, trusted=False)
    s.start_with_trust()
    s.plain_turn()
    s.turns_of_every_kind()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)


def test_every_state_of_a_life_without_hooks(start: Start) -> None:
    """The same without any hook installed: title, screen and process table are enough."""
    s = start(CodexDriver, hooks=False)
    s.start_trusted()
    s.plain_turn()
    s.approval_given()
    s.question()
    s.interrupt()
    s.crash()
    s.watch.expect_quiet(s.pane)


def test_killed_while_running(start: Start) -> None:
    """An agent killed with -9 in mid-turn stays listed as a crash."""
    s = start(CodexDriver)
    s.start_trusted()
    s.crash()
    s.watch.expect_quiet(s.pane)


def test_two_panes_of_one_shared_server_do_not_mix(start: Start) -> None:
    """Hooks of Codex carry the pane that started its shared server; each state still lands on its own pane."""
    first = start(CodexDriver)
    first.start_trusted()
    second = first.beside()
    second.start_trusted()
    second.driver.prompt("bash one")
    second.driver.wait_approval()
    second.expect("running", "waiting_approval")
    first.plain_turn()
    second.driver.approve()
    second.expect("running", "completed")
    second.driver.prompt("slow 20")
    second.expect("running")
    second.driver.interrupt()
    second.expect("idle")
    first.watch.expect_quiet(first.pane)
    second.watch.expect_quiet(second.pane, 0)
