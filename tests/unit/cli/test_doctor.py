"""``agtmux doctor`` as a person and a script see it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, agtmux, listing, on_terminal
from tests.unit.doctor.world import health


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock", version="0.1.0").start()
    served.answer("GET /v1/health", health(targets=[], pid=os.getpid()))
    served.answer("GET /v1/panes", listing())
    served.answer("GET /v1/daemon/config", {"config": {}})
    served.answer("POST /v1/hooks", {"items": []})
    for resource in ("leases", "worktrees", "agents"):
        served.answer(f"GET /v1/{resource}", {"items": []})
    yield served
    served.stop()


@pytest.mark.tc("TC-520")
def test_nothing_to_fix_ends_with_0(short_dir: Path, stub: Stub) -> None:
    stub.socket.chmod(0o600)
    done = agtmux(short_dir, "doctor", LANG="C.UTF-8")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().endswith("\nNothing to fix.\n")
    assert b"\x1b" not in done.stdout
    quiet = agtmux(short_dir, "doctor", "--quiet", LANG="C.UTF-8")
    assert (quiet.returncode, quiet.stdout) == (0, b"")


@pytest.mark.tc("TC-520")
def test_something_to_fix_ends_with_1_and_shows_the_command_unfolded(short_dir: Path, stub: Stub) -> None:
    stub.socket.chmod(0o644)
    done = agtmux(short_dir, "doctor", "--quiet", LANG="C.UTF-8")
    assert done.returncode == 1
    first, second = done.stdout.decode().splitlines()
    assert first.split() == ["warning", "folders", "~/run/agtmuxd.sock", "is", "open", "to", "other", "users"]
    assert second.strip() == f"run: chmod 600 {stub.socket}"
    told = json.loads(agtmux(short_dir, "doctor", "--json", LANG="C.UTF-8").stdout)
    assert told["healthy"] is False
    found = {finding["code"]: finding for check in told["checks"] for finding in check["findings"]}
    assert found["open"]["fix"] == f"chmod 600 {stub.socket}"


@pytest.mark.tc("TC-520")
def test_without_a_daemon_it_checks_what_it_can_and_starts_none(short_dir: Path) -> None:
    done = agtmux(short_dir, "doctor", "--json", AGTMUX_NO_AUTOSTART="0", LANG="C.UTF-8")
    assert done.returncode == 1
    told = {check["check"]: check["severity"] for check in json.loads(done.stdout)["checks"]}
    assert told["daemon"] == "warning"
    assert told["config"] == told["tmux"] == told["storage"] == "ok"
    assert told["targets"] == told["hooks"] == "skipped"
    assert not (short_dir / "run").exists()


@pytest.mark.tc("TC-520")
def test_hostile_text_from_the_daemon_does_not_steer_the_terminal(short_dir: Path, stub: Stub) -> None:
    stub.answer(
        "GET /v1/health", health(pid=os.getpid(), status="degraded", last_errors=["a\x1b]0;x\x07b\nrun: rm \u202e-rf"])
    )
    for text in (
        agtmux(short_dir, "doctor", LANG="C.UTF-8").stdout.decode(),
        agtmux(short_dir, "doctor", "--json").stdout.decode(),
    ):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        assert "\nrun: rm" not in text


@pytest.mark.tc("TC-520")
@pytest.mark.parametrize("cols", [40, 80])
def test_a_narrow_terminal_gets_folded_lines(short_dir: Path, stub: Stub, cols: int) -> None:
    stub.socket.chmod(0o600)
    import re

    drawn = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(short_dir, "doctor", cols=cols, LANG="C.UTF-8")).replace("\r", "")
    assert max(len(line) for line in drawn.splitlines() if "run:" not in line) <= cols
    plain = on_terminal(short_dir, "doctor", cols=cols, NO_COLOR="1", LANG="C.UTF-8")
    assert "\x1b" not in plain


@pytest.mark.tc("TC-527")
def test_a_bundle_lists_what_is_in_it_before_you_send_it(short_dir: Path, stub: Stub) -> None:
    stub.socket.chmod(0o600)
    path = short_dir / "report.tar.gz"
    done = agtmux(short_dir, "doctor", "--bundle", str(path), LANG="C.UTF-8")
    assert done.returncode == 0
    said = done.stdout.decode()
    assert "doctor.json" in said
    assert "health.json" in said
    assert f"Look into it before you send it: tar -xzOf {path} | less" in said
    again = agtmux(short_dir, "doctor", "--bundle", str(path), LANG="C.UTF-8")
    assert again.returncode == 2
    assert b"exists already: choose another name" in again.stderr
    in_json = agtmux(short_dir, "doctor", "--json", "--bundle", str(short_dir / "two.tar.gz"), LANG="C.UTF-8")
    assert json.loads(in_json.stdout)["healthy"] is True, "only JSON on standard output"
