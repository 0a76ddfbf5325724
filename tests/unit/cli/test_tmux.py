"""``agtmux tmux`` as a command line. What it does to a server is in the acceptance tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.cli.tmux_plugin import OPTIONS
from tests.unit.daemon_stub import agtmux

pytestmark = pytest.mark.tc("TC-368")


def test_help_names_every_option(short_dir: Path) -> None:
    told = agtmux(short_dir, "tmux", "--help").stdout.decode()
    assert all(f"{name} " in told for name in (*OPTIONS, "@agtmux-status"))


def test_print_needs_neither_tmux_nor_a_daemon(short_dir: Path) -> None:
    done = agtmux(short_dir, "tmux", "print")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "set-option -g @agtmux on"
    assert lines[-1] == "set-option -ag status-right ' #{T:@agtmux_segment}'"
