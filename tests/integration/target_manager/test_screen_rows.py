"""What features learn of an agent's screen: a number for the words of each row, and never the words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agtmuxd.target_manager.screen_rows import screen_rows


def watches(*lines: str) -> Any:
    """Stand for the watches of one target, whose pane %1 shows these lines."""
    agents = {"%1": SimpleNamespace(sample=SimpleNamespace(lines=lines)), "%2": SimpleNamespace(sample=None)}
    observer = SimpleNamespace(roster=SimpleNamespace(agents=agents))
    return SimpleNamespace(observer=lambda target: observer if target == "t" else None)


@pytest.mark.tc("TC-255")
def test_a_clock_and_a_spinner_are_no_other_row() -> None:
    before = screen_rows(watches("✻ Baking… (12s)", "", "hello"))("t", "%1")
    assert before == screen_rows(watches("✶ Baking… (13s)", "hello", "───"))("t", "%1")
    after = screen_rows(watches("✶ Baking… (13s)", "hello you"))("t", "%1")
    assert before is not None
    assert after is not None
    assert len(after - before) == 1
    assert all(isinstance(one, int) for one in after)


@pytest.mark.tc("TC-255")
@pytest.mark.parametrize(("target", "pane"), [("t", "%2"), ("t", "%3"), ("u", "%1")])
def test_a_screen_that_was_not_read_is_not_known(target: str, pane: str) -> None:
    assert screen_rows(watches("x"))(target, pane) is None
