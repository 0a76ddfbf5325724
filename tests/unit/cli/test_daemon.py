"""Starting, stopping and restarting the background daemon, with a stand-in for ``agtmuxd`` that speaks its API.

The stand-in lies first on PYTHONPATH, so the very command that starts the real daemon starts it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.daemon_stub import agtmux, command, environment, listing

ROOT = Path(__file__).parents[3]

STAND_IN = """
import json, os, sys, threading, time
from pathlib import Path
sys.path.insert(0, {root!r})
run = Path(os.environ["AGTMUX_RUNTIME_DIR"])
run.mkdir(mode=0o700, exist_ok=True)
with open(run / "pids", "a") as file:
    file.write(f"{{os.getpid()}}\\n")
print("started in", os.getcwd(), "session", os.getsid(0) == os.getpid(), "stdin", os.read(0, 1), flush=True)
{wrong}
from tests.unit.daemon_stub import Stub
stub = Stub(run / "agtmuxd.sock")
stub.answer("GET /v1/health", {{"pid": os.getpid(), "version": "9"}})
stub.answer("GET /v1/panes", {listing})
def stop(_):
    threading.Timer(0.05, lambda: ((run / "agtmuxd.sock").unlink(), os._exit(0))).start()
    return 200, {{"ok": True}}
stub.routes["POST /v1/daemon/stop"] = stop
stub.start()  # last: who finds the socket is to be answered
time.sleep(120)
"""

ONLY_ONE = """
import fcntl
lock = open(run / "lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("it already runs")
    sys.exit(1)
time.sleep(0.3)
"""


@pytest.fixture
def stand_in(short_dir: Path) -> Iterator[Callable[..., dict[str, str]]]:
    """Makes the environment in which ``python -m agtmuxd`` is the stand-in; ``wrong`` is code that it runs first."""

    def make(wrong: str = "") -> dict[str, str]:
        package = short_dir / "lib" / "agtmuxd"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        text = STAND_IN.format(root=str(ROOT), wrong=wrong, listing=listing())
        (package / "__main__.py").write_text(text)
        return {"PYTHONPATH": str(short_dir / "lib"), "AGTMUX_NO_AUTOSTART": "0"}

    yield make
    for pid in pids(short_dir):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pids(folder: Path) -> list[int]:
    """Every stand-in that was ever started here."""
    path = folder / "run" / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_command_that_finds_no_daemon_starts_one_says_so_once_and_goes_on(
    short_dir: Path, stand_in: Callable[..., dict[str, str]]
) -> None:
    env = stand_in()
    first = agtmux(short_dir, "ls", stdin=b"", **env)
    assert first.returncode == 0
    assert first.stdout.startswith(b"STATE")
    (pid,) = pids(short_dir)
    log = short_dir / "state" / "agtmuxd.log"
    assert first.stderr.decode() == f"agtmux: no daemon was running: started one (log: {log})\n"
    assert log.read_text() == "started in / session True stdin b''\n"
    assert log.stat().st_mode & 0o777 == 0o600
    second = agtmux(short_dir, "ls", stdin=b"", **env)
    assert (second.returncode, second.stderr) == (0, b"")
    assert pids(short_dir) == [pid]


@pytest.mark.parametrize("how", ["flag", "late flag", "environment", "config", "socket"])
def test_autostart_can_be_turned_off(short_dir: Path, stand_in: Callable[..., dict[str, str]], how: str) -> None:
    env = stand_in()
    argv = {"flag": ["--no-autostart", "ls"], "late flag": ["ls", "--no-autostart"]}.get(how, ["ls"])
    if how == "environment":
        env["AGTMUX_NO_AUTOSTART"] = "1"
    if how == "config":
        (short_dir / "config.toml").write_text("autostart = false\n")
    if how == "socket":
        env["AGTMUX_SOCKET"] = str(short_dir / "elsewhere.sock")
    done = agtmux(short_dir, *argv, stdin=b"", **env)
    assert done.returncode == 3
    assert done.stderr.endswith(b": run agtmux daemon start (E_DAEMON_UNREACHABLE)\n")
    assert pids(short_dir) == []


def test_a_config_that_is_not_toml_is_told_before_anything_is_started(
    short_dir: Path, stand_in: Callable[..., dict[str, str]]
) -> None:
    env = stand_in()
    (short_dir / "config.toml").write_text("autostart = maybe\n")
    done = agtmux(short_dir, "ls", stdin=b"", **env)
    assert done.returncode == 2
    assert b"config.toml is not valid TOML" in done.stderr
    assert pids(short_dir) == []


@pytest.mark.parametrize("code", [1, 2])
def test_a_daemon_that_ends_at_once_is_told_with_its_last_words(
    code: int, short_dir: Path, stand_in: Callable[..., dict[str, str]]
) -> None:
    words = "agtmuxd: no \\x1b[2J luck (E_INVALID_REQUEST)"
    done = agtmux(short_dir, "ls", stdin=b"", **stand_in(f"print('{words}'); sys.exit({code})"))
    assert done.returncode == 3
    assert b"agtmux: the daemon did not start: no [2J luck; see its log: /" in done.stderr


def test_a_state_folder_that_cannot_be_made_is_told(short_dir: Path, stand_in: Callable[..., dict[str, str]]) -> None:
    done = agtmux(short_dir, "ls", stdin=b"", **stand_in() | {"AGTMUX_STATE_DIR": "/dev/null/state"})
    assert done.returncode == 3
    assert done.stderr.startswith(b"agtmux: /dev/null/state cannot be made (Not a directory): set AGTMUX_STATE_DIR to")
    assert pids(short_dir) == []


def test_two_commands_at_once_both_find_the_daemon_that_one_started(
    short_dir: Path, stand_in: Callable[..., dict[str, str]]
) -> None:
    env = environment(short_dir, **stand_in(ONLY_ONE))
    both = [
        subprocess.Popen(command(["ls"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) for _ in range(2)
    ]
    for process in both:
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout[:5]) == (0, b"STATE"), stderr


def test_start_restart_and_stop(short_dir: Path, stand_in: Callable[..., dict[str, str]]) -> None:
    env = stand_in()
    assert agtmux(short_dir, "daemon", "start", stdin=b"", **env).stdout.startswith(b"started (pid ")
    (first,) = pids(short_dir)
    assert agtmux(short_dir, "daemon", "start", stdin=b"", **env).stdout == f"already running (pid {first})\n".encode()
    output = agtmux(short_dir, "daemon", "restart", stdin=b"", **env).stdout.decode()
    second = pids(short_dir)[-1]
    assert output.startswith(f"stopped (pid {first})\nstarted (pid {second}, ")
    assert agtmux(short_dir, "daemon", "stop", stdin=b"", **env).stdout == f"stopped (pid {second})\n".encode()
    assert agtmux(short_dir, "daemon", "stop", stdin=b"", **env).stdout == b"not running\n"
    assert len(pids(short_dir)) == 2


def test_a_state_folder_that_others_may_write_to_is_refused(
    short_dir: Path, stand_in: Callable[..., dict[str, str]]
) -> None:
    env = stand_in()
    (short_dir / "state").mkdir()
    (short_dir / "state").chmod(0o777)
    done = agtmux(short_dir, "ls", stdin=b"", **env)
    assert done.returncode == 3
    assert b"chmod 700" in done.stderr
    assert pids(short_dir) == []
