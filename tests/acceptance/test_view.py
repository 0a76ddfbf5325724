"""agtmux view-output --follow prints what is new."""

from __future__ import annotations

import signal
import subprocess

import pytest

from agtmux.cli.view import added
from tests.acceptance.stage import PATIENCE, Daemon, Place
from tests.acceptance.test_actions_attach import AGTMUX
from tests.conftest import Tmux, until


@pytest.mark.tc("TC-028")
def test_following_prints_what_comes_and_is_one_action(place: Place, daemon: Daemon, tmux: Tmux) -> None:
    daemon.start()
    pane = tmux.start("sh", "-c", "echo first; while read word; do echo got $word; done")
    until(lambda: daemon.pane(pane), within=PATIENCE)
    argv = [AGTMUX, "view-output", pane, "--follow"]
    hear = signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background ignores it
    try:
        follow = subprocess.Popen(argv, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, hear)
    try:
        assert follow.stdout is not None
        assert follow.stdout.readline() == "first\n"
        for word in ("one", "two"):
            tmux.run("send-keys", "-t", pane, word, "Enter")
            while (line := follow.stdout.readline()) != f"got {word}\n":
                assert line, follow.stderr.read() if follow.stderr else ""
    finally:
        follow.send_signal(signal.SIGINT)
        follow.communicate(timeout=PATIENCE)
    assert follow.returncode == 130
    assert len(daemon.client.actions({}).json()["items"]) == 1


@pytest.mark.tc("TC-028")
def test_what_is_new_on_a_screen_is_what_follows_what_was_there() -> None:
    old = [f"row {n}" for n in range(9)]
    assert added(old, old) == []
    assert added(old, [*old[4:], "new", "newer"]) == ["new", "newer"]
    assert added(old, ["row 1", "other"]) == ["other"]
    assert added([], ["a"]) == ["a"]
