"""What features may do with the tmux servers of targets, and when it is refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.target_manager.tmux_servers import TmuxServers
from tests.conftest import Terminal, Tmux
from tests.fake_services import eventually
from tests.integration.target_manager.test_manager import Stage, stage
from tests.rig import TARGET

__all__ = ["stage"]
pytestmark = pytest.mark.tc("TC-362")


@pytest.fixture
def servers(stage: Stage) -> TmuxServers:
    return TmuxServers(stage.target_manager.watches)


async def refused(servers: TmuxServers, target: str = TARGET) -> str:
    with pytest.raises(AgtmuxError) as caught:
        await servers.run(target, [["set-option", "-g", "@x", "1"]])
    return caught.value.code


async def test_without_a_server_nothing_is_done_and_none_is_started(servers: TmuxServers, tmux: Tmux) -> None:
    assert await refused(servers) == "E_TARGET_UNREACHABLE"
    with pytest.raises(AgtmuxError, match="no tmux server runs there"):
        await servers.clients(TARGET)
    assert (servers.targets(), servers.options(TARGET)) == ((), {})
    assert await refused(servers, "local:none") == "E_TARGET_NOT_FOUND"
    assert not tmux.socket.exists()


@pytest.mark.tc("TC-360")
async def test_the_options_are_those_of_the_last_round(servers: TmuxServers, tmux: Tmux) -> None:
    tmux.start()
    await eventually(lambda: servers.targets() == (TARGET,))
    assert servers.options(TARGET) == {}
    tmux.run("set-option", "-g", "@agtmux", "on")
    await eventually(lambda: servers.options(TARGET) == {"@agtmux": "on"})
    tmux.stop()
    await eventually(lambda: servers.targets() == ())
    assert servers.options(TARGET) == {}


async def test_a_target_whose_last_round_failed_is_not_connected(servers: TmuxServers, tmux: Tmux) -> None:
    tmux.start()
    tmux.run("set-option", "-g", "@agtmux", "on")
    await eventually(lambda: servers.options(TARGET) == {"@agtmux": "on"})
    kept = tmux.socket.rename(tmux.socket.with_name("kept"))
    with socket.socket(socket.AF_UNIX) as other:  # somebody answers there, but no tmux
        other.bind(str(tmux.socket))
        other.listen()
        other.settimeout(10)
        (await asyncio.to_thread(other.accept))[0].close()
        await eventually(lambda: servers.targets() == ())
        assert servers.options(TARGET) == {}
        assert await refused(servers) == "E_TARGET_UNREACHABLE"
    kept.rename(tmux.socket)


async def test_commands_run_and_one_that_tmux_refuses_is_told(servers: TmuxServers, tmux: Tmux) -> None:
    tmux.start()
    await eventually(lambda: servers.targets() == (TARGET,))
    odd = "#(id) ; ' \" $HOME ~"
    await servers.run(TARGET, [["set-option", "-g", "@x", odd], ["set-option", "-g", "@y", "2"]])
    assert (tmux.run("show-options", "-gv", "@x"), tmux.run("show-options", "-gv", "@y")) == (odd, "2")
    with pytest.raises(AgtmuxError, match=r"tmux refused a command: .*can't find") as caught:
        await servers.run(TARGET, [["switch-client", "-c", "/none"], ["set-option", "-g", "@y", "3"]])
    assert caught.value.code == "E_PRECONDITION_FAILED"
    assert tmux.run("show-options", "-gv", "@y") == "3"


async def test_another_server_than_that_of_the_last_round_gets_nothing(
    servers: TmuxServers,
    stage: Stage,
    tmux: Tmux,
) -> None:
    """Whoever restarted the server may not have opted in: the commands were for the old one."""
    tmux.start()
    await eventually(lambda: servers.targets() == (TARGET,))
    observer = stage.target_manager.watches.observer(TARGET)
    assert observer is not None
    async with observer._round_lock:  # no round comes between
        await asyncio.to_thread(tmux.stop)
        await asyncio.to_thread(tmux.start)
        assert await refused(servers) == "E_TARGET_UNREACHABLE"
    assert tmux.run("show-options", "-gqv", "@x") == ""


@pytest.mark.tc("TC-361")
async def test_clients_are_listed_with_what_they_show(
    servers: TmuxServers, tmux: Tmux, attach: Callable[..., Terminal]
) -> None:
    pane = tmux.start()
    tmux.start(session="other")
    await eventually(lambda: servers.targets() == (TARGET,))
    assert await servers.clients(TARGET) == ()
    await asyncio.to_thread(attach, tmux, "main")
    (client,) = await servers.clients(TARGET)
    output = tmux.run(
        "list-clients", "-F", "#{client_name} #{client_tty} #{session_id} #{window_id} #{client_termname} #{client_pid}"
    ).split()
    assert [client.name, client.tty, client.session_id, client.window_id, client.termname] == output[:5]
    assert (client.pane_id, "attached" in client.flags) == (pane, True)
    assert client.activity > 1_700_000_000


def test_a_message_is_one_line_that_tmux_does_not_expand(servers: TmuxServers) -> None:
    assert servers.message("a\n#(id) %H \x1b]0;x\x07\u202e#[fg=red]") == "a ##(id) %%H ]0;x## [fg=red]"


async def test_a_terminal_says_whether_it_has_the_focus_only_if_the_server_asks(
    servers: TmuxServers, tmux: Tmux, attach: Callable[..., Terminal]
) -> None:
    """Without ``focus-events`` tmux counts every client as focused."""
    tmux.start()
    await eventually(lambda: servers.targets() == (TARGET,))
    terminal = attach(tmux, "main")
    (client,) = await servers.clients(TARGET)
    assert ("focused" in client.flags, client.reports_focus) == (True, False)
    tmux.run("set-option", "-g", "focus-events", "on")
    terminal.type(b"\x1b[O")
    await eventually(lambda: "focused" not in tmux.run("list-clients", "-F", "#{client_flags}"))
    (client,) = await servers.clients(TARGET)
    assert ("focused" in client.flags, client.reports_focus) == (False, True)
    terminal.type(b"\x1b[I")
    await eventually(lambda: "focused" in tmux.run("list-clients", "-F", "#{client_flags}"))
