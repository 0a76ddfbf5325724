"""The status line of a tmux server on another machine, over a real sshd."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.stage import PROGRAMS, Daemon, Place
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


@pytest.mark.tc("TC-366")
def test_a_jump_to_another_machine_opens_its_tmux_in_a_popup(
    daemon: Daemon, place: Place, far: Callable[..., RemoteMachine], tmux: Tmux, new_tmux: Callable[[], Tmux]
) -> None:
    vm = far("vm1")
    one = vm.start_agent()
    one.draw("Hello from afar")
    vm.add()
    vm.asks()
    daemon.wait_for(one.pane, "waiting_approval", "vm1")
    tmux.start()
    terminal = Attached(tmux, new_tmux())
    tmux.run("run-shell", "-b", f"{PROGRAMS}/agtmux jump --next --client {terminal.client}")
    terminal.shows(lambda screen: "Hello from afar" in screen and "┌" in screen)
    vm.tmux.run("detach-client", "-s", "main")
    terminal.shows(lambda screen: "┌" not in screen)
