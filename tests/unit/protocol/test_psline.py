"""The hook's chain by ps, as on a system without ``/proc``: the same processes, and never a moment too long."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agtmux import hook
from agtmux.protocol import psline

pytestmark = pytest.mark.tc("TC-140")


def test_ps_names_the_same_ancestors_as_proc() -> None:
    there = hook.ancestors(os.getpid())
    result = psline.ancestors(os.getpid(), time.time_ns() + 20_000_000_000)
    assert [link["pid"] for link in result] == [link["pid"] for link in there]
    assert [link.get("pgid") for link in result] == [link.get("pgid") for link in there]
    assert {link["start"] for link in result} == {""}
    argv = result[0]["argv"]
    assert isinstance(argv, list)
    assert "python" in str(argv[0])


def test_a_ps_that_is_too_slow_or_not_there_tells_nothing(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent waits for its hook; what ps would say is not worth that."""
    slow = short_dir / "ps"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o700)
    monkeypatch.setattr(psline, "ARGV", (str(slow),))
    assert psline.ancestors(os.getpid(), time.time_ns() + 100_000_000) == []
    monkeypatch.setattr(psline, "ARGV", (str(short_dir / "nothing"),))
    assert psline.ancestors(os.getpid(), time.time_ns() + 20_000_000_000) == []


def test_words_that_are_no_table_are_left_out(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = short_dir / "ps"
    odd.write_text("#!/bin/sh\nprintf 'garbage\\n7 8\\nx 1 2 y\\n9 9 9 ring\\n'\n")
    odd.chmod(0o700)
    monkeypatch.setattr(psline, "ARGV", (str(odd),))
    assert psline.ancestors(7, time.time_ns() + 20_000_000_000) == []
    assert len(psline.ancestors(9, time.time_ns() + 20_000_000_000)) == psline.MOST
