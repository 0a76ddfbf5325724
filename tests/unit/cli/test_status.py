"""``agtmux status`` as a command: its help, and what it says of a wrong option."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.daemon_stub import agtmux

pytestmark = pytest.mark.tc("TC-363")


def test_help_and_errors_are_those_of_a_command(short_dir: Path) -> None:
    told = agtmux(short_dir, "status", "--help")
    assert (told.returncode, told.stdout[:20]) == (0, b"Usage: agtmux status")
    wrong = agtmux(short_dir, "status", "--format", "nope")
    assert wrong.returncode == 2
    assert b"'plain', 'tmux', 'waybar', 'json'" in wrong.stderr


def test_global_options_may_stand_before_and_after_it(short_dir: Path) -> None:
    for argv in (["status", "-q"], ["-q", "status", "--format", "tmux"], ["status", "--format=plain", "--color=never"]):
        done = agtmux(short_dir, *argv)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"agtmux?\n", b"")
