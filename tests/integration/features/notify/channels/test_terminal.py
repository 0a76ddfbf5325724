"""The terminal itself: the sequence goes to the tty of a tmux client, in one piece, and to nothing else."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.core.model import TmuxClient
from agtmuxd.features.notify.channels.clients import Terminal as Attached
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.terminal import TerminalChannel, write_once
from tests.conftest import Terminal, Tmux
from tests.fake_services import eventually
from tests.integration.features.notify.channels.stubs import message, settings, tools

pytestmark = pytest.mark.tc("TC-417")


def channel(*attached: Attached) -> TerminalChannel:
    async def some() -> list[Attached]:
        return list(attached)

    plain = tools()
    return TerminalChannel(
        settings("terminal"), Tools(plain.environ, plain.clock, plain.press, plain.public_url, None, some)
    )


def client(tty: str, activity: int = 1, *, local: bool = True) -> Attached:
    return Attached("t", local, TmuxClient(tty, tty, "$1", "@1", "%1", frozenset(), "xterm-256color", "", activity))


async def test_the_terminal_that_was_used_last_gets_it(tmux: Tmux, attach: Callable[..., Terminal]) -> None:
    """A real client of a real tmux: the pane gets nothing."""
    pane = tmux.start()
    terminal = attach(tmux, "main")
    tty = tmux.run("list-clients", "-F", "#{client_tty}")
    outcome = await channel(client(tty, 5), client("/dev/null", 3)).send(message())
    assert outcome.ok, outcome.detail
    await eventually(lambda: b"\x1b]9;claude needs your approval: Bash: make" in terminal.read())
    assert tmux.run("capture-pane", "-p", "-t", pane).strip() == ""


async def test_a_terminal_of_another_machine_is_left_alone() -> None:
    outcome = await channel(client("/dev/pts/9", local=False)).send(message())
    assert (outcome.ok, outcome.absent) == (False, True)


def test_what_is_no_terminal_of_this_user_gets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert write_once(str(file), b"x") == f"{file} is not a terminal"
    assert write_once("/dev/null", b"x") == "/dev/null is not a terminal"
    assert "cannot be opened" in str(write_once(str(tmp_path / "none"), b"x"))
    assert file.read_text() == ""


def test_a_terminal_that_takes_nothing_is_not_waited_for() -> None:
    master, slave = pty.openpty()
    try:
        name = os.ttyname(slave)
        for _ in range(5000):
            why = write_once(name, b"x" * 500)
            if why is not None:
                break
        assert why is not None and ("does not accept text now" in why or "only part of" in why)
    finally:
        os.close(master)
        os.close(slave)
