"""What panes show is searched for secrets before it is stored: the bytes of all that the daemon wrote are looked at."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Place
from tests.conftest import Tmux, until

TOKEN = "ghp_" + "0a1B" * 9
SPLIT = "ghp_" + "\u200b".join("9z8Y" * 9)
OURS = "ACME-7777-INTERNAL"
PATTERNS = "[redaction]\npatterns = ['ACME-[0-9]+-[A-Z]+']\n"


def left(place: Place) -> bytes:
    """All that lies in the state folder, and the log."""
    files = [path for path in place.state.rglob("*") if path.is_file()] + [place.root / "log"]
    return b"\n".join(path.read_bytes() for path in files)


@pytest.mark.tc("TC-132")
def test_no_secret_of_a_title_a_name_a_folder_or_a_dialog_is_stored_or_logged(
    place: Place, daemon: Daemon, tmux: Tmux, actor: Callable[..., Actor]
) -> None:
    place.config.write_text(place.config.read_text() + PATTERNS)
    one = actor().start()
    folder = place.root / OURS
    folder.mkdir()
    other = tmux.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-n", f"w {TOKEN} {OURS}", "-c", str(folder), "cat")
    tmux.run("select-pane", "-t", other, "-T", f"t {TOKEN} {SPLIT} password=hunter2-hunter2 {OURS}")
    daemon.start()
    daemon.wait_agent(one.pane)
    one.tell(ask=f"curl {TOKEN} {OURS}")
    asked = daemon.wait_for(one.pane, "waiting_approval")
    assert asked["waiting_for"]["text"].startswith("curl [redacted] [redacted]")
    shown = until(lambda: daemon.pane(other), within=PATIENCE) or {}
    assert shown["title"] == "t [redacted] [redacted] password=[redacted] [redacted]"
    assert shown["window_name"] == "w [redacted] [redacted]"
    assert shown["cwd"] == f"{place.root}/[redacted]"
    for n in range(3):  # titles that move are no way around
        tmux.run("select-pane", "-t", other, "-T", f"{n} {TOKEN}")
        until(lambda n=n: daemon.pane(other)["title"] == f"{n} [redacted]", within=PATIENCE)  # type: ignore[index,misc]
    daemon.stop()
    stored = left(place)
    for needle in (TOKEN, "9z8Y" * 9, OURS, "hunter2-hunter2"):
        assert needle.encode() not in stored


@pytest.mark.tc("TC-132")
def test_a_pattern_that_is_added_counts_for_what_panes_show_after_a_reload(
    place: Place, daemon: Daemon, tmux: Tmux
) -> None:
    pane = tmux.start()
    tmux.run("select-pane", "-t", pane, "-T", OURS)
    daemon.start()
    until(lambda: (daemon.pane(pane) or {}).get("title") == OURS, within=PATIENCE)
    place.config.write_text(place.config.read_text() + PATTERNS)
    assert place.cli("daemon", "reload").returncode == 0
    until(lambda: (daemon.pane(pane) or {}).get("title") == "[redacted]", within=PATIENCE)


@pytest.mark.tc("TC-132")
@pytest.mark.parametrize("pattern", ["ACME-[0-9]+-[A-Z]+", "(x+x+)+y|ACME"])
def test_the_patterns_of_the_configuration_count_for_the_spool_too(place: Place, daemon: Daemon, pattern: str) -> None:
    place.config.write_text(place.config.read_text() + PATTERNS.replace("ACME-[0-9]+-[A-Z]+", pattern))
    daemon.start()
    daemon.stop()
    payload = {"hook_event_name": "Stop", "session_id": "s-1", "prompt": f"{OURS} {'x' * 60}"}
    done = subprocess.run(
        [str(PROGRAMS / "agtmux"), "hook", "claude"], env={**place.env, "AGTMUX_HOOK_CAP_MS": "9000"},
        input=json.dumps(payload).encode(), capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (line,) = (place.state / "spool.jsonl").read_text().splitlines()
    assert OURS not in line
    event = json.loads(line)
    assert event["agent_type"] == "claude" and event["event_type"] == "Stop" and len(event["event_id"]) == 36
    assert event["payload"]["prompt"].startswith("[redacted]")
    daemon.start()
    until(lambda: not (place.state / "spool.jsonl").exists(), within=PATIENCE)
    assert daemon.health()["spool"]["refused"] == 0


@pytest.mark.tc("TC-132")
def test_the_patterns_lie_in_a_file_that_only_its_user_can_read(place: Place, daemon: Daemon) -> None:
    place.config.write_text(place.config.read_text() + PATTERNS)
    daemon.start()
    (found,) = place.state.glob("redaction-patterns.json")
    assert json.loads(found.read_text()) == ["ACME-[0-9]+-[A-Z]+"]
    assert found.stat().st_mode & 0o777 == 0o600
