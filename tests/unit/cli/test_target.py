"""agtmux target adds, connects and removes targets."""

from __future__ import annotations

from pathlib import Path

from tests.unit.daemon_stub import Stub, agtmux, out


def test_targets_are_added_connected_and_removed(short_dir: Path, stub: Stub) -> None:
    item = {"target": "work", "health": "ok", "kind": "local"}
    stub.answer("POST /v1/targets", {"item": item})
    assert out(short_dir, "target", "add", "work", "--kind", "local", "--tmux-socket", "w") == "added work: ok\n"
    assert stub.calls[-1].body == {"name": "work", "kind": "local", "tmux_socket": "w"}
    steps = [{"step": "reach", "ok": True, "message": "here"}, {"step": "tmux", "ok": False, "message": "none"}]
    stub.answer("POST /v1/targets/work/connect", {"item": item | {"reason": "no_tmux"}, "steps": steps})
    done = agtmux(short_dir, "target", "connect", "work")
    assert (done.returncode, done.stderr) == (6, b"")
    assert done.stdout == b"ok    reach: here\nFAIL  tmux: none\nwork: ok (no_tmux)\n"
    stub.answer("GET /v1/targets", {"items": [item]})
    assert "work" in out(short_dir, "target", "list")
    stub.answer("DELETE /v1/targets/work", {"removed": "work"})
    assert agtmux(short_dir, "target", "remove", "work").returncode == 2
    assert [call.method for call in stub.calls].count("DELETE") == 0
    assert out(short_dir, "target", "remove", "work", "--yes") == "removed work\n"
