"""An agent that is stopped reads nothing: no key is pressed into its terminal, and the refusal says why."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.asking import ask, refusal
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Item
from tests.conftest import until

pytestmark = pytest.mark.tc("TC-142")
Make = Callable[..., Actor]
STOPPED = ("E_PRECONDITION_FAILED", "suspended")


@pytest.fixture
def up(daemon: Daemon) -> Iterator[Daemon]:
    """A daemon that runs."""
    yield daemon.start()


WAYS = {
    "the agent, where no shell takes the terminal": ("{agent}; true", ""),
    "a part of the agent in its process group": ("sleep 86401 & exec {agent}", "sleep 86401"),
    "what started it": ("sh -c 'eval \"$0\"; : mark-86402' {quoted}; true", "mark-86402"),
    "what stands between it and the terminal": (
        "script -qfc {quoted} /dev/null; : mark-86403; true", "script -qfc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_typed_at_an_agent_that_is_stopped(up: Daemon, actor: Make, way: str) -> None:
    """Whoever of those that its keys go through is stopped; once it goes on, keys arrive, and only those."""
    one = actor()
    script, mark = WAYS[way]
    agent = shlex.join(one.argv)
    one.argv = ["sh", "-c", script.format(agent=agent, quoted=shlex.quote(agent))]
    ref = one.start().ready(up)["ref"]
    pane_pid = int(one.tmux.run("display-message", "-p", "-t", one.pane, "#{pane_pid}"))
    pid = int((up.pane(one.pane) or {})["pid"]) if not mark else _last(mark, pane_pid)
    os.kill(pid, signal.SIGSTOP)
    try:
        for kind, body in (
            ("send", {"text": "hi"}), ("send", {"text": "hi", "enter": True}), ("send", {"keys": ["Down"]}),
            ("send", {"enter": True}), ("interrupt", {}), ("kill", {}),
        ):  # fmt: skip
            assert refusal(up, kind, ref, **body, force_stale=True) == STOPPED, (kind, body)
        seen = {"if_state_version": 1, "if_fingerprint": "ab" * 8}
        for kind, more in (("approve", {}), ("deny", {}), ("answer", {"option": 1})):
            assert refusal(up, kind, ref, **seen, **more) == STOPPED, kind
    finally:
        os.kill(pid, signal.SIGCONT)
    assert one.keys() == b""
    until(lambda: _may_be_typed(up.pane(one.pane)), within=PATIENCE, what="it goes on")
    assert ask(up, "send", ref, text="go on", enter=True)["result"]["delivery"] == "submitted"
    assert one.sent() == ["go on"]


def _last(mark: str, pane_pid: int) -> int:
    """The innermost process with that mark below the pane's: a shell's own command line names what it starts."""
    table = subprocess.run(["ps", "-Ao", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [(int(pid), int(ppid), args) for pid, ppid, args in (line.split(None, 2) for line in table.splitlines())]
    below = [pane_pid]
    for pid in below:
        below += [one for one, parent, _ in rows if parent == pid]
    return [pid for pid in below if any(one == pid and mark in args for one, _, args in rows)][-1]


def _may_be_typed(row: Item | None) -> bool:
    return row is not None and row["accepts_input"] is True and row["state"] != "unknown"


def test_an_open_approval_is_not_answered_while_its_agent_is_stopped(up: Daemon, actor: Make) -> None:
    """The box on the screen is what it drew before; who continues it later would find it answered."""
    one = actor()
    one.argv = ["sh", "-c", f"{shlex.join(one.argv)}; true"]
    one.start().ready(up)
    row = one.asks(up)
    seen = {"if_state_version": row["state_version"], "if_fingerprint": row["waiting_for"]["fingerprint"]}
    os.kill(int(row["pid"]), signal.SIGSTOP)
    try:
        assert refusal(up, "approve", str(row["ref"]), **seen) == STOPPED
        assert refusal(up, "deny", str(row["ref"]), **seen) == STOPPED
    finally:
        os.kill(int(row["pid"]), signal.SIGCONT)
    assert one.keys() == b""
