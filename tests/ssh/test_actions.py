"""Actions reach an agent behind ssh as one of this machine: once, byte for byte, and refused by the same guards."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.asking import refusal
from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Item, Place
from tests.conftest import Tmux, until
from tests.ssh.sshd import Keys, Sshd
from tests.ssh.test_target_manager import RemoteMachine


@pytest.fixture
def place(short_dir: Path, tmux: Tmux, keys: Keys) -> Place:
    made = Place(short_dir)
    tmux.env = dict(made.env)
    made.configure(tmux, f'[ssh]\nconfig_file = "{keys.config}"\n')
    return made


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    made = Daemon(place)
    yield made
    made.close()


def ready(daemon: Daemon, name: str, pane: str) -> Item:
    """The row of an agent behind ssh once its input field was seen."""

    def there() -> Item | None:
        row = daemon.pane(pane, name)
        return row if row is not None and row["accepts_input"] is True else None

    return until(there, within=PATIENCE, what=f"{daemon.pane(pane, name)}") or {}


def by_terminal(place: Place, *arguments: str) -> list[str]:
    """With what ``agtmux`` starts ssh from a terminal that is inside another tmux server."""
    folder, result = place.root / "fake", place.root / "ssh-arguments"
    folder.mkdir()
    (folder / "ssh").write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {result}\n")
    (folder / "ssh").chmod(0o700)
    env = {**place.env, "PATH": f"{folder}:{place.env['PATH']}", "TMUX": "/tmp/another/default,1,0"}
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [str(PROGRAMS / "agtmux"), *arguments], env=env, stdin=slave, stdout=slave, stderr=subprocess.PIPE,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 0, done.stderr
    return result.read_text().splitlines()


@pytest.mark.tc("TC-220")
def test_a_buffer_that_a_crash_left_behind_ssh_is_removed(
    place: Place, daemon: Daemon, new_sshd: Callable[..., Sshd], new_tmux: Callable[[], Tmux]
) -> None:
    """The buffer of a paste that a crash cut off goes with the first round of its target after the restart."""
    place.env["AGTMUX_FAILPOINT"] = "mid_paste:kill"
    daemon.start()
    far = RemoteMachine(new_sshd(), new_tmux(), place)
    one = Actor(far.tmux, place).start()
    far.add()
    body = {"request_ref": uuid7(), "ref": ready(daemon, far.name, one.pane)["ref"], "text": "once", "enter": True}
    with pytest.raises(AgtmuxError):
        daemon.client.act("send", body, PATIENCE)
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE) == -signal.SIGKILL
    far.tmux.run("set-buffer", "-b", "agtmux-notes", "text of the user")
    del place.env["AGTMUX_FAILPOINT"]
    daemon.start()
    until(lambda: far.tmux.run("list-buffers", "-F", "#{buffer_name}") == "agtmux-notes", within=PATIENCE)


@pytest.mark.tc("TC-106")
@pytest.mark.tc("TC-107")
def test_an_agent_behind_ssh_gets_what_was_sent_and_nothing_that_was_refused(
    place: Place, daemon: Daemon, new_sshd: Callable[..., Sshd], new_tmux: Callable[[], Tmux]
) -> None:
    daemon.start()
    far = RemoteMachine(new_sshd(), new_tmux(), place)
    one = Actor(far.tmux, place).start()
    far.add()
    ref = ready(daemon, far.name, one.pane)["ref"]
    text = "héllo; #{pane_id} 'q' \"d\" $HOME `x` ~\n  -second \\ line"
    body = {"request_ref": uuid7(), "ref": ref, "text": text, "enter": True, "timeout": 10}
    for replayed in (False, True):
        answer = daemon.client.act("send", body, PATIENCE).json()
        assert (answer["result"]["delivery"], answer["replayed"]) == ("submitted", replayed)
    assert one.keys() == b"\x1b[200~" + text.encode() + b"\x1b[201~\r"
    assert one.sent() == [text]
    one.tell(ask="rm -rf build")

    def asked() -> Item | None:
        row = daemon.pane(one.pane, far.name)
        return row if row is not None and (row["waiting_for"] or {}).get("fingerprint") else None

    until(asked, within=PATIENCE)
    before = one.keys()
    with pytest.raises(AgtmuxError) as caught:
        daemon.client.act("send", {"request_ref": uuid7(), "ref": ref, "text": "yes", "enter": True}, PATIENCE)
    assert caught.value.details["reason"] == "dialog_open"
    assert one.keys() == before
    assert place.cli("approve", ref).returncode == 0
    assert one.keys() == before + b"1"
    daemon.wait_for(one.pane, "running", far.name)  # what is done next is done to this state, not to one on its way
    assert "rm -rf" not in place.cli("view-output", ref, "--lines", "5").stdout
    printed = place.cli("attach", ref, "--print").stdout
    assert printed.startswith(f"ssh -F {far.sshd.keys.config} -t ")
    went = by_terminal(place, "attach", ref)  # from inside a tmux of this machine too
    assert went[-2] == far.name
    assert "attach-session" in went[-1]
    far.sshd.keys.config.write_text(far.sshd.keys.config.read_text() + "\nHost *\n  RemoteCommand echo no\n")
    master, slave = pty.openpty()
    client = subprocess.Popen(shlex.split(printed), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    try:
        until(lambda: far.tmux.run("list-clients"), within=PATIENCE, what="the command that was told attaches")
    finally:
        client.kill()
        client.wait(PATIENCE)
        os.close(slave)
        os.close(master)
    ended = place.cli("kill", ref, "--mode", "signal", "--signal", "TERM", "--yes")
    assert (ended.returncode, "it ended" in ended.stdout) == (0, True), ended


@pytest.mark.tc("TC-142")
def test_nothing_is_typed_at_a_stopped_agent_behind_ssh(
    place: Place, daemon: Daemon, new_sshd: Callable[..., Sshd], new_tmux: Callable[[], Tmux]
) -> None:
    daemon.start()
    far = RemoteMachine(new_sshd(), new_tmux(), place)
    one = Actor(far.tmux, place)
    one.argv = ["sh", "-c", f"{shlex.join(one.argv)}; true"]  # no shell there takes the terminal back
    one.start()
    far.add()
    row = ready(daemon, far.name, one.pane)
    os.kill(int(row["pid"]), signal.SIGSTOP)
    try:
        assert refusal(daemon, "send", row["ref"], text="hi", enter=True, force_stale=True)[1] == "suspended"
    finally:
        os.kill(int(row["pid"]), signal.SIGCONT)
    assert one.keys() == b""
