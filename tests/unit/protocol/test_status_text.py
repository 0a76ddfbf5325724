"""The short text of the counts: signs, colours, nothing for nothing."""

from __future__ import annotations

import pytest

from agtmux.protocol.status_text import plain, tmux

pytestmark = pytest.mark.tc("TC-363")


def test_each_count_has_its_sign_and_its_colour() -> None:
    counts = {"needs_action": 2, "error": 1, "running": 5, "review": 3, "agents": 11}
    assert plain(counts) == "2! 1✗ 5●"
    assert tmux(counts) == "#[fg=yellow]2!#[fg=default] #[fg=red]1✗#[fg=default] #[fg=green]5●#[fg=default]"


def test_nothing_is_said_when_all_is_quiet() -> None:
    for counts in ({}, {"needs_action": 0, "running": 0, "review": 4}):
        assert (plain(counts), tmux(counts)) == ("", "")


def test_only_numbers_are_taken() -> None:
    """What is not a count gets into no tmux format."""
    assert tmux({"needs_action": "#(id)", "error": None, "running": -1}) == ""
