"""``agtmux restore`` on a machine behind ssh: words of every kind arrive there as they are."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, Daemon, Place
from tests.acceptance.test_agent import report
from tests.conftest import Tmux, until
from tests.ssh.sshd import Sshd
from tests.ssh.test_new import daemon, install, place  # noqa: F401 fixtures
from tests.ssh.test_target_manager import RemoteMachine


@pytest.mark.tc("TC-951")
def test_an_agent_behind_ssh_comes_back_by_its_names_whatever_the_login_shell_prints(
    place: Place,  # noqa: F811
    daemon: Daemon,  # noqa: F811
    new_sshd: Callable[..., Sshd],
    new_tmux: Callable[[], Tmux],
) -> None:
    daemon.start()
    shell = "/bin/bash"  # reads .bashrc, which prints something
    far = RemoteMachine(new_sshd(shell=shell, env={"SHELL": shell}), new_tmux(), place)
    calls = install(far.sshd.home, place)
    one = far.start_agent()
    far.tmux.run("rename-session", "-t", "main", "##{pid} it's $(touch owned)")
    far.tmux.run("rename-window", "-t", one.pane, "a b")
    names = "#{session_name}|#{window_name}"
    before = far.tmux.run("list-panes", "-a", "-F", names)
    far.add()

    runtime = daemon.wait_agent(one.pane, far.name)["runtime_id"]
    report(place, runtime, "s-7")

    def known() -> bool:
        row = daemon.pane(one.pane, far.name) or {"identity": {}}
        seen = f"{row['identity'].get('session_name')}|{row.get('window_name')}"
        return seen == before and row.get("agent_session_id") == "s-7"

    until(known, within=PATIENCE, what="its names and its session are known")
    far.tmux.run("kill-server")
    until(lambda: daemon.panes() == [], within=PATIENCE, what="the agent is gone")
    done = place.cli("restore", "--apply", "--json")
    assert done.returncode == 0, done
    (item,) = json.loads(done.stdout)["items"]
    assert (item["target"], item["failed"]) == (far.name, False), item
    assert far.tmux.run("list-panes", "-a", "-F", names) == before
    until(calls.exists, within=PATIENCE, what="the agent runs")
    assert calls.read_text().split("\0")[1:3] == ["--resume", "s-7"]
    assert list(place.root.rglob("owned")) == []
