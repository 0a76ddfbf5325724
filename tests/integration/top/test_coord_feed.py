"""The thread that hears of changes of coordination, before a stub of the daemon."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmux.client import Client
from agtmux.top import coord_feed
from agtmux.top.coord_feed import CoordFeed
from agtmux.top.coord_lists import TABS
from tests.integration.top.coord_stage import CoordStage
from tests.unit.top.stage import Stage


@pytest.mark.tc("TC-908")
def test_changes_are_taken_together_a_lost_stream_is_opened_again_and_stop_ends_it(
    stages: Callable[..., Stage], short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coord_feed, "PAUSE", 0.01)
    coord = CoordStage(stages())
    old: queue.Queue[frozenset[str]] = queue.Queue()
    lost: queue.Queue[str] = queue.Queue()
    feed = CoordFeed(lambda: Client([str(short_dir / "run" / "agtmuxd.sock")], timeout=5.0), old.put, lost.put)
    feed.start()
    assert old.get(timeout=10) == set(TABS)
    for kind in ("lease", "worktree", "lease", "signal"):
        coord.change(kind)
    seen = old.get(timeout=10)
    while seen != {"leases", "worktrees"}:  # on a busy machine they may come in two parts
        seen |= old.get(timeout=10)
    coord.end()
    assert old.get(timeout=10) == set(TABS)
    coord.stage.stop()
    coord.end()
    assert lost.get(timeout=10)
    feed.stop()
    assert feed.join(10)
    feed.stop()
