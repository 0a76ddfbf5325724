"""A command starts the daemon, unless that is turned off."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.stage import Place


@pytest.fixture
def started(place: Place) -> Iterator[None]:
    """Ends the daemon that a command started in the background."""
    yield
    done = place.cli("daemon", "stop")
    assert done.returncode == 0, done.stderr


@pytest.mark.tc("TC-115")
@pytest.mark.usefixtures("started")
def test_a_command_starts_the_daemon_and_says_so_once(place: Place) -> None:
    first = place.cli("ls", "--json", env={"AGTMUX_NO_AUTOSTART": "0"})
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["items"] == []
    assert first.stderr.count("no daemon was running: started one") == 1
    second = place.cli("ls", "--json", env={"AGTMUX_NO_AUTOSTART": "0"})
    assert (second.returncode, second.stderr) == (0, "")


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("how", ["flag", "variable", "config"])
def test_autostart_can_be_turned_off_and_the_error_says_what_to_type(place: Place, how: str) -> None:
    place.config.write_text(("autostart = false\n" if how == "config" else "") + place.config.read_text())
    done = place.cli(
        "ls", "--json", *(["--no-autostart"] if how == "flag" else []),
        env={"AGTMUX_NO_AUTOSTART": "1" if how == "variable" else "0"},
    )  # fmt: skip
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "E_DAEMON_UNREACHABLE"
    assert "run agtmux daemon start" in done.stderr
    assert not place.socket.exists()
