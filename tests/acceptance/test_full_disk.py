"""A disk that is really full: the daemon lives on, tells it in health for as long as it lasts, and recovers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agtmux.client import Client
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import PATIENCE, PROGRAMS, Daemon, Place
from tests.conftest import until
from tests.smalldisk import SmallDisk, small_disk


@pytest.fixture
def disk(place: Place) -> Iterator[SmallDisk]:
    """The daemon's state folder."""
    with small_disk(place.state) as made:
        yield made


def event(number: int, size: int = 0) -> dict[str, Any]:
    return {
        "event_id": f"event-{number:06}", "event_type": "Stop", "source": "hook", "agent_type": "claude",
        "event_time": time.time_ns(), "payload": {"hook_event_name": "Stop", "text": os.urandom(size).hex()},
    }  # fmt: skip


def post(client: Client, number: int, size: int = 0) -> str:
    """What became of one event: its status, or the code of the error."""
    try:
        return str(client._ask("POST", "/v1/events", event(number, size)).json()["results"][0]["status"])
    except AgtmuxError as error:
        return error.code


@pytest.mark.tc("TC-150")
@pytest.mark.parametrize("background", [False, True], ids=["log to stderr", "log to the same disk"])
def test_a_full_disk_is_told_in_health_until_something_was_really_written(
    place: Place, daemon: Daemon, disk: SmallDisk, background: bool
) -> None:
    if background:
        assert place.cli("daemon", "start").returncode == 0
    else:
        daemon.start()
    client = Client([str(place.socket)], timeout=PATIENCE)
    try:
        pid = client.health().json()["pid"]
        disk.fill()
        numbers = iter(range(100_000))
        until(lambda: post(client, next(numbers), 8000) == "E_STORE_UNAVAILABLE", within=PATIENCE)
        for _ in range(2):
            client.events({"limit": "5"})  # a read proves nothing
            body = client.health().json()
            assert body["status"] == "degraded"
            assert any("database" in error and "full" in error for error in body["last_errors"]), body["last_errors"]
            assert post(client, next(numbers), 8000) == "E_STORE_UNAVAILABLE"
        disk.clear()
        until(lambda: client.health().json()["status"] == "ok", within=PATIENCE, what="the database is written again")
        assert post(client, next(numbers), 8000) in ("pending_bind", "dropped_unbound")
        assert client.health().json()["pid"] == pid
    finally:
        if background:
            assert place.cli("daemon", "stop").returncode == 0


@pytest.mark.tc("TC-150")
def test_the_log_of_a_full_disk_goes_on_when_there_is_room_and_says_what_it_lost(place: Place, disk: SmallDisk) -> None:
    assert place.cli("daemon", "start").returncode == 0
    client = Client([str(place.socket)], timeout=PATIENCE)
    try:
        pid = client.health().json()["pid"]  # it has started
        disk.fill()
        place.config.write_text("x" * 2000 + " = 1\n")  # refused in as many words
        until(lambda: _complain(client, pid)["log"]["lost"] > 0, within=PATIENCE, what="a line is lost")
        body = client.health().json()
        assert body["status"] == "degraded"
        assert any(error.startswith("log: ") for error in body["last_errors"])
        disk.clear()
        until(lambda: client.health().json()["status"] == "ok", within=PATIENCE, what="the log is written, unasked")
        assert "log lines were lost here" in (place.state / "agtmuxd.log").read_text()
    finally:
        assert place.cli("daemon", "stop").returncode == 0


def _complain(client: Client, pid: int) -> Any:
    """Make the daemon log a line: a configuration that it refuses."""
    os.kill(pid, signal.SIGHUP)
    return client.health().json()


@pytest.mark.tc("TC-150")
def test_a_daemon_whose_standard_error_is_closed_lives(place: Place, daemon: Daemon) -> None:
    read, write = os.pipe()
    os.close(read)
    _launch(place, daemon, write)
    until(daemon.answers, within=PATIENCE)
    daemon.client.reload()
    until(lambda: daemon.health()["log"]["lost"] > 0, within=PATIENCE, what="a line is lost")
    assert daemon.health()["status"] == "degraded"
    assert daemon.stop() == 0


@pytest.mark.tc("TC-150")
def test_a_daemon_whose_standard_error_is_a_full_pipe_answers_and_ends(place: Place, daemon: Daemon) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    try:
        _launch(place, daemon, write)
        until(daemon.answers, within=PATIENCE)
        for _ in range(5):
            daemon.client.reload()
        assert daemon.health()["status"] in ("ok", "degraded")
        assert daemon.stop() == 0
    finally:
        os.close(read)


def _launch(place: Place, daemon: Daemon, stderr: int) -> None:
    daemon.process = subprocess.Popen(
        [str(PROGRAMS / "agtmuxd")], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
    )
    os.close(stderr)
