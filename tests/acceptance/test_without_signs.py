"""An agent that shows no sign of its turn: what a hook told of, and words that come, say that it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import until

LINE = "─" * 60
OWN = "  ⏸ manual mode on · ← for agents"


def screen(*rows: str) -> str:
    return "\n".join(["❯ tell me", *rows, LINE, "❯ ", LINE, OWN])


@contextmanager
def words(one: Agent) -> Iterator[list[str]]:
    """Words come above its field, a row at a time, as long as this is open. What was drawn so far."""
    drawn: list[str] = []
    over = threading.Event()

    def stream() -> None:
        while not over.wait(0.15):
            drawn.append(f"  words that come, row {len(drawn)}")
            one.draw(screen(*drawn[-12:]))

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        yield drawn
    finally:
        over.set()
        thread.join()


@pytest.mark.tc("TC-181")
@pytest.mark.parametrize("reported", [True, False])
def test_words_that_come_are_a_turn_until_its_end_is_told_or_nothing_comes(
    place: Place, daemon: Daemon, agent: Callable[..., Agent], reported: bool
) -> None:
    """With its title and footer changed, Claude Code shows nothing of a turn while it answers."""
    daemon.start()
    one = agent().start()
    one.draw(screen("● Hello."))
    daemon.wait_for(one.pane, "idle")
    with words(one) as drawn:
        if reported:
            one.hook("UserPromptSubmit", prompt="tell me")
        daemon.wait_for(one.pane, "running")
        seen = len(drawn)
        states: list[str] = []

        def for_long() -> bool:
            states.append(str((daemon.pane(one.pane) or {}).get("state")))
            return len(drawn) > seen + 20

        until(for_long, within=PATIENCE, what="three more seconds of words")
        assert set(states) == {"running"}
        if reported:
            one.hook("Stop")
            daemon.wait_for(one.pane, "completed")
    if not reported:
        daemon.wait_for(one.pane, "idle")
