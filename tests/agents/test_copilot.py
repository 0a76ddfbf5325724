"""Copilot CLI, the real one, watched by a real daemon: each state is streamed, in order, with and without hooks."""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.copilot import CopilotDriver

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-100"), pytest.mark.timeout(180)]


def test_every_state_of_a_life_with_hooks(start: Start) -> None:
    """From the trust dialog to the exit, every change of a life is streamed, and nothing else."""
    s = start(CopilotDriver, trusted=False)
    s.start_with_trust()
    s.plain_turn()
    s.turns_of_every_kind()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)


def test_every_state_of_a_life_without_hooks(start: Start) -> None:
    """The same without any hook installed: screen and process table are enough."""
    s = start(CopilotDriver, hooks=False)
    s.start_trusted()
    s.turns_of_every_kind()
    s.crash()
    s.watch.expect_quiet(s.pane)
