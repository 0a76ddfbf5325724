"""agtmux events asks for the events of a pane or of a runtime."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.test_root import PANES
from tests.unit.daemon_stub import STAMP, Stub, listing, out


def test_events_are_asked_for_by_pane_or_by_runtime(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(*PANES))
    row = {"event_id": "e1", "event_type": "Stop", "source": "hook", "event_time": STAMP, "runtime_id": "r2"}
    stub.answer("GET /v1/events", {"items": [row]})
    result = out(short_dir, "events", "codex", "--limit", "5", "--before", "e9").splitlines()[1].split()
    assert result[1:6] == ["Stop", "hook", "codex", "host", "%2"]
    assert stub.calls[-1].query == {"limit": ["5"], "before": ["e9"], "pane": ["pane:host/a%2Fb/@2/%2"]}
    out(short_dir, "events", "runtime:abc")
    assert stub.calls[-1].query == {"limit": ["50"], "runtime": ["abc"]}
