"""Cline CLI, the real one, watched by a real daemon: its screen and its process are all there is."""

from __future__ import annotations

import pytest

from tests.agents.cline import ClineDriver
from tests.agents.conftest import Start

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-213"), pytest.mark.timeout(240)]


def test_every_state_of_a_life(start: Start) -> None:
    """A turn, a tool allowed and one refused, a question, an interrupt, a failure, the end."""
    s = start(ClineDriver, hooks=False)
    s.driver.launch()
    s.driver.pass_start_up()
    s.watch.wait_for(s.pane, lambda item: item.get("state") == "idle")
    s.expect(*s.watch.states(s.pane))  # the offer of a first start may come or not
    s.plain_turn()
    s.approval_given()
    s.driver.prompt("bash two")
    s.driver.wait_approval()
    s.expect("running", "waiting_approval")
    s.driver.deny()
    s.expect("running", "completed")  # the model is told, and says something to it
    s.driver.wait_ready()
    s.question()
    s.driver.prompt("slow 20")
    s.expect("running")
    s.driver.wait_streaming()
    s.driver.interrupt()
    s.expect("completed")
    s.driver.wait_ready()
    s.driver.prompt("longbash")
    s.driver.wait_approval()
    s.expect("running", "waiting_approval")
    s.driver.approve()
    s.expect("running")
    s.driver.wait_running()
    s.driver.interrupt()
    s.expect("idle")
    s.driver.wait_ready()
    s.api_error()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)
