"""agtmux actions says what was done and by whom, in a narrow terminal too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, on_terminal


@pytest.mark.parametrize("cols", [80, 100])
def test_a_narrow_audit_still_says_what_was_done_and_by_whom(short_dir: Path, stub: Stub, cols: int) -> None:
    row = {
        "action_id": "a" * 36, "action": "view-output", "result_code": "done", "target": "host", "pane_id": "%0",
        "runtime_id": "rt-" + "0" * 40, "caller": {"pid": 12345, "command": "agtmux < script < bash < sshd < init"},
        "requested_at": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip
    stub.answer("GET /v1/actions", {"schema_version": "1.0", "items": [row]})
    drawn = on_terminal(short_dir, "actions", cols=cols)
    assert "AGE" in drawn
    assert "view-output  done" in drawn
    assert "12345 agtmux" in drawn
