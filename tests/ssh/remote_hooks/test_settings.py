"""Hooks are installed on a machine behind SSH, and leave the rest of its settings alone."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.remote_hooks import install_program
from tests.acceptance.stage import PATIENCE, Daemon, Place
from tests.conftest import until
from tests.ssh.remote_hooks.test_link import HookedMachine, daemon, events, place, vm

__all__ = ["daemon", "place", "vm"]


@pytest.mark.tc("TC-103")
def test_hooks_are_installed_there_without_disturbing_what_is_there(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm(placed=False)
    settings = far.home / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    mine = '{\n   "model": "ä opus",\n   "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}\n}\n'
    settings.write_text(mine)
    settings.chmod(0o640)
    far.add()
    daemon.wait_agent(far.agent.pane, "vm1")
    agents = ["--agent", "claude", "--agent", "codex", "--target", "vm1"]

    dry = place.cli("hooks", "install", *agents, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert f"+++ {settings}" in dry.stdout
    assert settings.read_text() == mine
    assert not (far.home / ".local").exists(), "nothing is written on a machine before somebody says so"

    items = place.json("hooks", "install", *agents)["items"]
    assert [i["error"] for i in items] == [None] * len(items)
    by_path = {i["path"]: i for i in items}
    assert Path(install_program.path(str(far.home))).read_text() == install_program.text()
    assert Path(by_path[str(settings)]["backup"]).read_text() == mine
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    there = json.loads(settings.read_text())
    assert there["model"] == "ä opus"
    assert there["hooks"]["Stop"][0]["hooks"][0]["command"] == "true"
    assert not list(place.home.iterdir()), "here nothing changed"
    assert not any(i["changed"] for i in place.json("hooks", "install", *agents)["items"])
    body = place.json("hooks", "status", *agents, "--no-test")["items"]
    assert all(i["installed"] and not i["outdated"] for i in body)

    far.reached()
    status = place.cli("hooks", "status", *agents)
    assert (status.returncode, status.stderr) == (0, "")
    assert status.stdout.count("test event: arrived\n") == 3, "Claude's settings, Codex's hooks and its notify"
    ref = daemon.wait_agent(far.agent.pane, "vm1")["ref"]
    assert events(place, ref) == [], "a test is nobody's event"
    command = there["hooks"]["PermissionRequest"][-1]["hooks"][0]["command"]
    payload = {"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "make it"}}
    hook = {"argv": ["sh", "-c", command], "payload": payload, "env": {"AGTMUX_HOOK_CAP_MS": "5000"}}
    assert far.agent.tell(hook=hook) == {"status": 0, "out": ""}
    assert daemon.wait_for(far.agent.pane, "waiting_approval", "vm1")["source"] == "hook"

    assert place.cli("hooks", "uninstall", "--target", "vm1").returncode == 0
    assert settings.read_text() == mine
    assert not Path(install_program.path(str(far.home))).exists()
    until(lambda: not far.state.exists(), within=PATIENCE, what="the way back is taken away")


@pytest.mark.tc("TC-102")
def test_a_pane_there_whose_agent_began_before_the_install_is_named(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm(placed=False)
    far.add()
    ref = daemon.wait_agent(far.agent.pane, "vm1")["ref"]
    agents = ["--agent", "claude", "--target", "vm1"]
    assert place.cli("hooks", "install", *agents).returncode == 0
    file = far.home / ".claude" / "settings.json"

    def named() -> tuple[bool, list[str]]:
        output = place.cli("hooks", "status", *agents, "--no-test").stdout
        items = place.json("hooks", "status", *agents, "--no-test")["items"]
        assert not any(item["maybe_deaf_panes"] for item in items), "both moments are known there"
        return ref in output, [one for item in items for one in item["deaf_panes"]]

    os.utime(file, (time.time() + 60, time.time() + 60))
    assert named() == (True, [ref])
    os.utime(file, (time.time() - 60, time.time() - 60))
    assert named() == (False, []), "it began with these settings"
    os.utime(file, (time.time() + 60, time.time() + 60))
    far.reached()
    far.hook("SessionStart", source="startup")
    until(lambda: events(place, ref), within=PATIENCE)
    assert named() == (False, []), "it was heard"


@pytest.mark.tc("TC-103")
def test_settings_there_that_cannot_be_read_stay_as_they_are(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm(placed=False)
    settings = far.home / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("{ // mine\n}")
    far.add()
    done = place.cli("hooks", "install", "--target", "vm1", "--agent", "claude")
    assert done.returncode == 1
    assert f"claude: {settings}: " in done.stderr
    assert settings.read_text() == "{ // mine\n}"
    far.sshd.kill()
    done = place.cli("hooks", "status", "--target", "vm1", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (6, "E_TARGET_UNREACHABLE")
    done = place.cli("hooks", "status", "--target", "vm9", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "E_TARGET_NOT_FOUND"
