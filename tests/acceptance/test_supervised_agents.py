"""A supervised agent at the command line: it reads and reports, and changes neither daemon, targets nor settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Item, Place
from tests.conftest import Tmux, until

pytestmark = pytest.mark.tc("TC-141")

AGTMUX = str(PROGRAMS / "agtmux")


def by(agent: Agent, *argv: str, **env: str) -> Item:
    """What ``argv`` came to, run by the agent: ``status`` and ``out``."""
    result: Item = agent.tell(hook={"argv": list(argv), "payload": {}, "env": {"AGTMUX_NO_AUTOSTART": "1", **env}})
    return result


def test_a_supervised_agent_changes_nothing_by_the_daemon(
    place: Place, daemon: Daemon, agent: Callable[..., Agent], short_dir: Path
) -> None:
    daemon.start()
    mine = agent().start("mine")
    daemon.wait_agent(mine.pane)
    ran, home = short_dir / "ran", short_dir / "claude-home"
    program = short_dir / "tmux"
    program.write_text(f"#!/bin/sh\necho ran >> {ran}\n")
    program.chmod(0o700)
    home.mkdir()
    for argv in (
        ("target", "add", "more", "--kind", "local", "--tmux-path", str(program)),
        ("target", "remove", "host", "--yes"),
        ("target", "connect", "host"),
        ("hooks", "install", "--agent", "claude"),
        ("hooks", "status", "--no-test"),
        ("daemon", "reload"),
        ("daemon", "stop"),
        ("daemon", "restart"),
    ):
        message = by(mine, AGTMUX, *argv, CLAUDE_CONFIG_DIR=str(home))
        assert (message["status"], "E_FORBIDDEN" in message["out"]) == (3, True), (argv, message)
    for read in ("ls --json", "daemon status", "target list", "events", f"explain {mine.pane}"):
        assert by(mine, AGTMUX, *read.split())["status"] == 0, read
    assert daemon.client.health().json()["status"] == "ok"
    assert [item["target"] for item in daemon.client.targets().json()["items"]] == ["host"]
    assert not ran.exists()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "leave",
    [
        "setsid -f {}", "(setsid nohup {} &)", "setsid -f sh -c 'sleep 0.2; {}'",
        "setsid -f sh -c 'env -u TMUX -u TMUX_PANE {}; true'",
    ],
)  # fmt: skip
def test_who_leaves_the_process_tree_is_still_known_by_the_pane(
    place: Place, daemon: Daemon, agent: Callable[..., Agent], short_dir: Path, leave: str
) -> None:
    daemon.start()
    mine = agent().start("mine")
    daemon.wait_agent(mine.pane)
    result = short_dir / "said"
    script = short_dir / "leave.sh"
    script.write_text(f"#!/bin/sh\n{AGTMUX} daemon stop > {result}.part 2>&1\nmv {result}.part {result}\n")
    script.chmod(0o700)
    by(mine, "sh", "-c", leave.format(script))
    until(result.exists, within=PATIENCE, what="the detached command ends")
    assert "E_FORBIDDEN" in result.read_text()
    assert daemon.client.health().json()["status"] == "ok"


def test_the_config_may_let_agents_do_it(place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]) -> None:
    place.configure(tmux, "allow_agent_actions = true\n")
    daemon.start()
    mine = agent().start("mine")
    daemon.wait_agent(mine.pane)
    assert by(mine, AGTMUX, "daemon", "reload")["status"] == 0


def test_hooks_call_nothing_but_agtmux_itself(place: Place, daemon: Daemon, short_dir: Path) -> None:
    """Whoever asks: what is written there runs at each step of each agent."""
    daemon.start()
    home = short_dir / "claude-home"
    home.mkdir()
    link = short_dir / "agtmux"
    link.symlink_to(AGTMUX)
    fake = short_dir / "bin/agtmux"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o700)
    python = str(PROGRAMS / "python")

    def install(command: str) -> tuple[int, Any]:
        asked = {"op": "install", "agents": ["claude"], "command": command, "config_homes": {"claude": str(home)}}
        try:
            return 200, daemon.client.hooks(asked).json()
        except Exception as error:  # noqa: BLE001 whatever it is, its code is looked at
            return 400, getattr(error, "code", error)

    for command in (
        "/bin/sh -c 'touch /tmp/x'", f"{AGTMUX} hook; true", f"{AGTMUX} run", f"{fake} hook", "agtmux hook", "hook", "",
        f"/bin/sh {AGTMUX} hook", f"{python} -c 'import os' hook", f"{python} -m agtmux.cli hook", "'open quote",
        f"env X=1 {AGTMUX} hook", f"{short_dir}/nothing hook",
    ):  # fmt: skip
        assert install(command) == (400, "E_INVALID_REQUEST"), command
        assert list(home.iterdir()) == [], command
    for command in (f"{AGTMUX} hook", f"{link} hook", f"{python} -m agtmux hook"):
        assert install(command)[0] == 200, command
    assert "hook claude" in json.dumps(json.loads((home / "settings.json").read_text()))


def test_an_agent_starts_no_daemon(place: Place, daemon: Daemon, agent: Callable[..., Agent]) -> None:
    """It would keep that agent's environment, and its sandbox."""
    daemon.start()
    mine = agent().start("mine")
    daemon.wait_agent(mine.pane)
    assert daemon.stop() == 0
    for argv in (("ls",), ("daemon", "start"), ("daemon", "restart")):
        result = by(mine, AGTMUX, *argv, AGTMUX_NO_AUTOSTART="")
        assert result["status"] == 3, result
        assert "inside claude" in result["out"], result
        assert not Path(place.socket).exists()
