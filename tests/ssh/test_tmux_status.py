"""The status line of a tmux server on another machine, over a real sshd."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.stage import Daemon
from tests.acceptance.test_tmux_status import LINE, opt_in, own
from tests.attached import Attached
from tests.conftest import Tmux, until
from tests.ssh.test_target_manager import RemoteMachine, daemon, far, place

__all__ = ["daemon", "far", "place"]


@pytest.mark.tc("TC-365")
def test_a_client_on_another_machine_shows_the_counts(
    daemon: Daemon, far: Callable[..., RemoteMachine], tmux: Tmux, new_tmux: Callable[[], Tmux]
) -> None:
    vm = far("vm1")
    one = vm.start_agent()
    vm.tmux.run("set-option", "-g", "status-right", LINE)
    terminal = Attached(vm.tmux, new_tmux())
    vm.add()
    daemon.wait_agent(one.pane, "vm1")
    before = own(vm.tmux)
    vm.asks()
    daemon.wait_for(one.pane, "waiting_approval", "vm1")
    assert own(vm.tmux) == before == {}
    opt_in(vm.tmux)
    terminal.shows(lambda screen: screen.rstrip().endswith("<1!>"))
    vm.tmux.run("set-option", "-gu", "@agtmux")
    until(lambda: own(vm.tmux) == {}, within=20, what="all is removed")
    terminal.shows(lambda screen: screen.rstrip().endswith("<>"))
