"""Qwen Code, the real one, watched by a real daemon: each state is streamed, in order, with and without its hooks."""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.qwen import QwenDriver

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-212"), pytest.mark.timeout(240)]


def test_every_state_of_a_life_with_its_hooks(start: Start) -> None:
    """From the start to the exit, every change of a life is streamed, and nothing else."""
    s = start(QwenDriver)
    s.start_trusted()
    s.plain_turn()
    s.turns_of_every_kind()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)


def test_every_state_of_a_life_without_its_hooks(start: Start) -> None:
    """The same without hooks: screen and process table are enough."""
    s = start(QwenDriver, hooks=False)
    s.start_trusted()
    s.plain_turn()
    s.turns_of_every_kind()
    s.crash()
    s.watch.expect_quiet(s.pane)
