"""How a command finds the daemon, and what it says about the daemon's version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, agtmux, listing, pane


@pytest.mark.tc("TC-018")
def test_without_a_daemon_the_command_to_type_is_named(short_dir: Path) -> None:
    done = agtmux(short_dir, "ls", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "E_DAEMON_UNREACHABLE"
    assert b"run agtmux daemon start (E_DAEMON_UNREACHABLE)\n" in done.stderr


def test_an_older_daemon_gets_one_hint_and_a_newer_one_none(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    stub.answer("GET /v1/events", {"items": []})
    stub.version = "0.0.9"
    assert agtmux(short_dir, "events", "%1").stderr.count(b"agtmux daemon restart") == 1
    assert agtmux(short_dir, "-q", "events", "%1").stderr == b""
    stub.version = "0.10.0"
    assert agtmux(short_dir, "events", "%1").stderr == b""


def test_the_daemon_is_found_through_the_state_folder(short_dir: Path) -> None:
    (short_dir / "state").mkdir(mode=0o700)
    (short_dir / "state" / "socket-path").write_text(f"{short_dir}/else.sock\n")
    stub = Stub(short_dir / "else.sock").start()
    stub.answer("GET /v1/panes", listing())
    assert agtmux(short_dir, "ls").returncode == 0
    stub.stop()
