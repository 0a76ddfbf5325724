"""A batch of commands runs in one life of one server only."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from agtmuxd.core.model import ServerInfo
from agtmuxd.tmux.batch import build_batch, read_boot_id
from tests.conftest import Tmux

N = "0123456789abcdef"
pytestmark = pytest.mark.tc("TC-362")


@pytest.fixture
def server(tmux: Tmux) -> ServerInfo:
    pane = tmux.start()
    pid, start = tmux.show(pane, "#{pid} #{start_time}").split()
    return ServerInfo(int(pid), int(start), "3.3a", str(tmux.socket))


def _run(tmux: Tmux, text: bytes) -> subprocess.CompletedProcess[bytes]:
    argv = [*tmux.argv, "source-file", "-"]
    return subprocess.run(argv, input=text, capture_output=True, timeout=30, env=tmux.env, check=False)


@pytest.mark.parametrize("value", ["x", "#{pid} #(id) %H $HOME ~ ; } { ' \" \\", "-g", "a;", "", "grüße\n\t🦀"])
def test_each_word_arrives_as_it_is(tmux: Tmux, server: ServerInfo, value: str) -> None:
    done = _run(tmux, build_batch(N, server, [["set-option", "-g", "--", "@x", value]]))
    assert (done.returncode, done.stderr) == (0, b"")
    assert read_boot_id(N, done.stdout) == server.boot_id
    assert _run(tmux, b"show-options -gv @x\n").stdout == f"{value}\n".encode()


def test_a_command_that_fails_keeps_no_other_from_running(tmux: Tmux, server: ServerInfo) -> None:
    commands = [["set-option", "-g", "@a", "1"], ["switch-client", "-c", "/none"], ["set-option", "-g", "@b", "2"]]
    done = _run(tmux, build_batch(N, server, commands))
    assert done.returncode == 1
    assert b"can't find client" in done.stderr
    assert (tmux.run("show-options", "-gv", "@a"), tmux.run("show-options", "-gv", "@b")) == ("1", "2")


def test_another_server_runs_none_of_it_and_says_who_it_is(tmux: Tmux, server: ServerInfo) -> None:
    for other in (replace(server, pid=server.pid + 1), replace(server, start_time=server.start_time - 1)):
        done = _run(tmux, build_batch(N, other, [["set-option", "-g", "@a", "1"], ["kill-server"]]))
        assert read_boot_id(N, done.stdout) == server.boot_id
    assert tmux.run("show-options", "-gqv", "@a") == ""


def test_no_server_is_started(tmux: Tmux) -> None:
    gone = ServerInfo(os.getpid(), 1, "3.3a", str(tmux.socket))
    done = _run(tmux, build_batch(N, gone, [["new-session", "-d"], ["start-server"]]))
    assert done.returncode == 1
    assert b"no server running" in done.stderr or b"No such file" in done.stderr
    assert not tmux.socket.exists()


def test_an_empty_command_and_a_nul_are_refused(server: ServerInfo) -> None:
    for command in ([], ["set-option", "-g", "@a", "\0"]):
        with pytest.raises(ValueError, match=r"one word|NUL"):
            build_batch(N, server, [command])
