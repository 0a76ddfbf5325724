"""The reader of blind sets."""

from __future__ import annotations

import pytest

from tests.corpus.recording import Label, Recording
from tests.replay.blind import spans


@pytest.mark.tc("TC-582")
def test_stretches_that_are_not_right_are_listed_and_what_is_not_scored_is_left_out() -> None:
    """From the first wrong sample to the last; a stretch ends where truth or what is shown changes."""
    running = Label(0, 400, "running", frozenset({"running"}), None, False)
    done = Label(400, 800, "completed", frozenset({"completed", "idle"}), None, False)
    one = Recording("claude", "x", {}, (), (running, done), ((100, 200),))
    shown = [(0, "running"), (100, "idle"), (200, "idle"), (300, "idle"), (400, "running"), (500, "idle")]
    assert list(spans(one, shown)) == [(200, 300, "running", "idle"), (400, 400, "completed", "running")]
