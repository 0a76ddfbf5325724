"""``agtmux status``: fast, short, and always an answer."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.daemon_stub import STAMP, Stub, agtmux, command, environment, error

pytestmark = pytest.mark.tc("TC-363")
COUNTS = {
    "schema_version": "1.0", "generated_at": STAMP, "agents": 9, "needs_action": 2, "error": 1, "review": 1,
    "running": 5, "unanswered_targets": 1,
}  # fmt: skip
QUIET = {**COUNTS, "needs_action": 0, "error": 0, "review": 0, "running": 0, "unanswered_targets": 0}


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    served.answer("GET /v1/status", COUNTS)
    yield served
    served.stop()


def said(folder: Path, *argv: str, autostart: bool = False) -> str:
    done = agtmux(folder, "status", *argv, AGTMUX_NO_AUTOSTART="0" if autostart else "1")
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().removesuffix("\n")


def test_each_format_says_the_counts(short_dir: Path, stub: Stub) -> None:
    assert said(short_dir) == said(short_dir, "--format=plain") == "2! 1✗ 5●"
    assert said(short_dir, "--format", "tmux").startswith("#[fg=yellow]2!#[fg=default] ")
    assert json.loads(said(short_dir, "--format", "json")) == COUNTS
    assert json.loads(said(short_dir, "--format", "waybar")) == {
        "text": "2! 1✗ 5●",
        "tooltip": "need you: 2\nfailed: 1\nto review: 1\nrunning: 5\ntargets that do not answer: 1",
        "class": "needs_action",
    }
    assert {call.path for call in stub.calls} == {"/v1/status"}


def test_all_quiet_is_an_empty_text(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/status", QUIET)
    assert said(short_dir) == said(short_dir, "--format", "tmux") == ""
    assert json.loads(said(short_dir, "--format", "waybar")) == {"text": "", "tooltip": "all quiet", "class": "idle"}


@pytest.mark.parametrize("older", [True, False], ids=["an older daemon", "no daemon"])
def test_what_nobody_knows_is_said_so_and_no_daemon_is_started(short_dir: Path, stub: Stub, older: bool) -> None:
    if older:
        stub.answer("GET /v1/status", error("E_INVALID_REQUEST", "no route /v1/status"), 404)
    else:
        stub.stop()
    assert said(short_dir, autostart=True) == said(short_dir, "--format", "tmux") == "agtmux?"
    bar = json.loads(said(short_dir, "--format", "waybar"))
    assert (bar["text"], bar["class"]) == ("agtmux?", "unknown")
    assert bar["tooltip"].startswith("no ")
    assert "error" in json.loads(said(short_dir, "--format", "json"))
    assert not (short_dir / "state").exists()


def test_a_daemon_that_hangs_is_not_waited_for(short_dir: Path, stub: Stub) -> None:
    def hang(_call: object) -> tuple[int, object]:
        time.sleep(30)
        return 200, {}

    stub.routes["GET /v1/status"] = hang
    assert said(short_dir) == "agtmux?"


def test_a_reader_that_has_left_is_no_error(short_dir: Path, stub: Stub) -> None:
    argv = ["sh", "-c", '"$@" | true; exec "$@" >&-', "sh", *command(["status"])]
    done = subprocess.run(argv, capture_output=True, env=environment(short_dir), timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
