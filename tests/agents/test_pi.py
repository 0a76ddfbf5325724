"""pi, the real one, watched by a real daemon: each state is streamed, in order, with and without its extension."""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.pi import PiDriver

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-211"), pytest.mark.timeout(180)]


def test_every_state_of_a_life_with_its_extension(start: Start) -> None:
    """From the start to the exit, every change of a life is streamed, and nothing else."""
    s = start(PiDriver)
    s.start_trusted()
    s.plain_turn()
    s.turns_of_every_kind()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)


def test_every_state_of_a_life_without_its_extension(start: Start) -> None:
    """The same without hooks: screen and process table are enough."""
    s = start(PiDriver, hooks=False)
    s.start_trusted()
    s.plain_turn()
    s.turns_of_every_kind()
    s.crash()
    s.watch.expect_quiet(s.pane)
