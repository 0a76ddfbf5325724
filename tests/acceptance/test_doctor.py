"""``agtmux doctor`` beside a real daemon, tmux and agents: what is wrong is found, and the commands mend it."""

from __future__ import annotations

import json
import shlex
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stage import PROGRAMS, Actor, Daemon, Place
from tests.conftest import Tmux, until


def findings(place: Place, **env: str) -> dict[str, dict[str, Any]]:
    """Every finding by its code."""
    done = place.cli("doctor", "--json", env={"PATH": f"{PROGRAMS}:{place.env['PATH']}", **env})
    assert done.returncode in (0, 1), done.stderr
    return {one["code"]: one for check in json.loads(done.stdout)["checks"] for one in check["findings"]}


def follow(place: Place, finding: dict[str, Any]) -> None:
    """Type what the finding says."""
    done = place.cli(*shlex.split(finding["fix"])[1:])
    assert done.returncode == 0, (finding, done.stderr)


@pytest.mark.tc("TC-520")
def test_what_is_wrong_is_found_and_its_command_mends_it(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], new_tmux: Callable[[], Tmux]
) -> None:
    """Hooks that are missing, then outdated; a tmux server that is not watched."""
    (place.home / ".claude").mkdir()
    daemon.start()
    one = actor().start()
    daemon.wait_agent(one.pane)
    found = findings(place)
    assert found["running"]["text"].startswith("agtmuxd ")
    assert found["agents"]["text"].startswith("1 running: claude")
    follow(place, found["not_installed"])
    settings = place.home / ".claude" / "settings.json"
    assert "not_installed" not in findings(place)
    settings.write_text(settings.read_text().replace('"Stop"', '"Stopped"'))
    follow(place, findings(place)["outdated"])
    assert "outdated" not in findings(place)

    other = new_tmux()
    other.start()
    inside = {"TMUX": f"{other.socket},1,0"}
    follow(place, findings(place, **inside)["unwatched"])
    assert "unwatched" not in findings(place, **inside)


@pytest.mark.tc("TC-520")
def test_an_agent_that_started_before_its_hooks_is_named(
    place: Place, daemon: Daemon, actor: Callable[..., Actor]
) -> None:
    (place.home / ".claude").mkdir()
    daemon.start()
    one = actor().start()
    daemon.wait_agent(one.pane)
    assert place.cli("hooks", "install", "--agent", "claude").returncode == 0
    import os
    import time

    later = time.time() + 60  # the settings changed well after the agent began
    os.utime(place.home / ".claude" / "settings.json", (later, later))
    assert one.pane in findings(place)["deaf"]["text"]


@pytest.mark.tc("TC-520")
def test_a_daemon_that_lost_its_socket_is_found_by_its_locks(place: Place, daemon: Daemon) -> None:
    daemon.start()
    assert daemon.process is not None
    daemon.process.send_signal(19)  # stopped: it cannot put its socket back
    place.socket.unlink()
    found = findings(place)["lost"]
    assert str(daemon.process.pid) in found["text"]
    daemon.process.send_signal(18)
    assert found["fix"] == "agtmux daemon restart"


@pytest.mark.tc("TC-527")
def test_the_archive_holds_nothing_of_a_pane_or_a_prompt(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], tmp_path: Path
) -> None:
    secret = "CORRECT-HORSE-BATTERY"
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.hook("UserPromptSubmit", prompt=f"say {secret}")
    one.title(f"title {secret}")
    one.draw(secret)
    until(lambda: secret in json.dumps(daemon.panes()), what="the daemon knows the text")
    (place.state / "agtmuxd.log").write_text(daemon.said())
    path = tmp_path / "b.tar.gz"
    place.cli("doctor", "--bundle", str(path))
    raw = subprocess.run(["tar", "-xzOf", path], capture_output=True, check=True).stdout
    assert secret.encode() not in raw
    with tarfile.open(path) as archive:
        assert "agtmux-doctor/log.txt" in archive.getnames()
