"""One tmux server that two targets lead to, one of them through ssh to this very machine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, Daemon, Place
from tests.conftest import Tmux, until
from tests.ssh.sshd import Sshd
from tests.ssh.test_target_manager import RemoteMachine, becomes, daemon, far, place  # noqa: F401 fixtures


@pytest.mark.tc("TC-163")
def test_ssh_to_this_machine_shows_no_agent_of_the_host_target_twice(
    place: Place,  # noqa: F811
    daemon: Daemon,  # noqa: F811
    new_sshd: Callable[..., Sshd],
    tmux: Tmux,
) -> None:
    pane = tmux.start()
    new_sshd("vm1")
    socket = str(tmux.socket)
    until(lambda: daemon.pane(pane), within=PATIENCE, what="the host target shows it")
    place.json("target", "add", "vm1", "--kind", "ssh", "--ssh-target", "vm1", "--tmux-socket", socket)
    assert becomes(daemon, "vm1", "down")["reason"] == "same_server"
    assert [i["identity"]["target"] for i in daemon.panes(all="true")] == ["host"]
    done = place.cli("target", "connect", "vm1")
    assert (done.returncode, "target host watches this tmux server already" in done.stdout) == (6, True), done.stdout


@pytest.mark.tc("TC-163")
def test_of_two_ways_to_one_server_elsewhere_the_first_keeps_it_and_the_second_follows_it(
    place: Place,  # noqa: F811
    daemon: Daemon,  # noqa: F811
    far: Callable[..., RemoteMachine],  # noqa: F811
) -> None:
    one, two = far("vm1"), far("vm2")
    pane = one.start_agent().pane
    one.add()
    daemon.wait_agent(pane, "vm1")
    two.tmux.socket = one.tmux.socket
    two.add()
    assert becomes(daemon, "vm2", "down")["reason"] == "same_server"
    assert daemon.pane(pane, "vm2") is None
    place.json("target", "remove", "vm1", "--yes")
    becomes(daemon, "vm2", "ok")
    daemon.wait_agent(pane, "vm2")
