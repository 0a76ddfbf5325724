"""OpenCode, the real one, watched by a real daemon: each state is streamed, in order, with and without its plugin."""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.opencode import OpenCodeDriver
from tests.agents.session import Session

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-100"), pytest.mark.timeout(180)]


def first_turn(s: Session) -> None:
    """OpenCode starts its services only then, which takes a busy machine long."""
    s.driver.prompt("hello there")
    s.expect("running", "completed", timeout=60)
    s.driver.wait_ready()


def test_every_state_of_a_life_with_its_plugin(start: Start) -> None:
    """From the start to the exit, every change of a life is streamed, and nothing else."""
    s = start(OpenCodeDriver)
    s.start_trusted()
    first_turn(s)
    s.approval_given()
    s.approval_denied()
    s.question()
    s.interrupt()
    s.api_error()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)


def test_every_state_of_a_life_without_its_plugin(start: Start) -> None:
    """The same without any plugin installed: screen and process table are enough."""
    s = start(OpenCodeDriver, hooks=False)
    s.start_trusted()
    first_turn(s)
    s.approval_given()
    s.approval_denied()
    s.question()
    s.interrupt()
    s.api_error()
    s.crash()
    s.watch.expect_quiet(s.pane)
