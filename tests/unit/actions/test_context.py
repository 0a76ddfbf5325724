"""What an action knows of a pane."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.actions.context import known_state
from agtmuxd.core.action.guard import KnownState
from agtmuxd.core.model import State
from agtmuxd.repository import Repository
from tests.unit.actions.scripted import KEY, RUNTIME, soon, state_row  # noqa: F401 fixture


@pytest.mark.tc("TC-107")
def test_a_crash_that_is_shown_is_an_agent_for_who_looked_at_it_and_for_nobody_else() -> None:
    repository = Repository()
    repository.runtimes[RUNTIME.runtime_id] = replace(RUNTIME, ended_at=5)
    repository.states[KEY] = state_row(State.ERROR, reason="agent_crashed")
    assert known_state(repository, KEY) == KnownState()
    assert known_state(repository, KEY, crashed=True).state is State.ERROR
