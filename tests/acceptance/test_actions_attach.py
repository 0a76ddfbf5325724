"""attach in every situation, the follow-up of view-output, and the codes of actions on the command line."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import CODES
from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Place
from tests.conftest import Terminal, Tmux, until

AGTMUX = str(PROGRAMS / "agtmux")


class Crowd:
    """Three windows in the session ``work``, the agent in a pane of the second one, which is not shown."""

    def __init__(self, daemon: Daemon, tmux: Tmux, one: Actor) -> None:
        tmux.start("sh", session="work")
        tmux.run("new-window", "-d", "-t", "work", "sh")
        self.pane = one.start_in("split-window", "-t", "work:1").pane
        tmux.run("new-window", "-d", "-t", "work", "sh")
        self.tmux, self.row = tmux, one.ready(daemon)

    def shown(self) -> bool:
        """Whether the agent's pane is the one that its session shows."""
        return self.tmux.run("display-message", "-p", "-t", "work:", "#{pane_id}") == self.pane


@pytest.fixture
def crowd(daemon: Daemon, tmux: Tmux, actor: Callable[..., Actor]) -> Crowd:
    return Crowd(daemon.start(), tmux, actor())


@pytest.fixture
def terminal(place: Place) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Runs a program in a terminal of its own."""
    made: list[tuple[subprocess.Popen[bytes], int]] = []

    def run(*argv: str) -> subprocess.Popen[bytes]:
        master, slave = pty.openpty()
        process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=place.env, start_new_session=True
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(master, False)
        made.append((process, master))
        return process

    yield run
    for process, master in made:
        if process.poll() is None:
            process.send_signal(signal.SIGHUP)
        with suppress(OSError):
            while os.read(master, 65536):
                pass
        os.close(master)
        process.wait(PATIENCE)


@pytest.mark.tc("TC-027")
def test_outside_tmux_the_terminal_is_attached_to_the_pane(
    crowd: Crowd, terminal: Callable[..., subprocess.Popen[bytes]]
) -> None:
    assert not crowd.shown()
    terminal(AGTMUX, "attach", crowd.pane)
    until(lambda: crowd.tmux.run("list-clients", "-F", "#{session_name}") == "work", within=PATIENCE)
    assert crowd.shown()


@pytest.mark.tc("TC-027")
def test_inside_the_same_server_the_client_is_switched(
    crowd: Crowd, place: Place, attach: Callable[..., Terminal]
) -> None:
    tmux = crowd.tmux
    home = tmux.start("bash", "--norc", "--noprofile", session="home")
    attach(tmux, "home")
    words = [f"{name}={place.env[name]}" for name in ("AGTMUX_RUNTIME_DIR", "AGTMUX_STATE_DIR", "AGTMUX_CONFIG")]
    tmux.run("send-keys", "-t", home, "-l", shlex.join(["env", *words, AGTMUX, "attach", crowd.pane]))
    tmux.run("send-keys", "-t", home, "Enter")
    until(lambda: tmux.run("list-clients", "-F", "#{session_name}") == "work", within=PATIENCE)
    assert crowd.shown()


@pytest.mark.tc("TC-027")
def test_elsewhere_the_command_to_type_is_told_and_works(
    crowd: Crowd, place: Place, terminal: Callable[..., subprocess.Popen[bytes]]
) -> None:
    printed = place.cli("attach", crowd.pane, "--print")
    assert printed.returncode == 0
    assert not crowd.shown()  # telling selects nothing
    alone = place.cli("attach", crowd.pane)
    assert (alone.returncode, printed.stdout.strip() in alone.stderr) == (2, True), alone.stderr
    assert not crowd.shown()  # nobody goes there: what others see of the session stays as it was
    other = place.cli("attach", crowd.pane, env={"TMUX": "/tmp/another/default,1,0"})
    assert (other.returncode, printed.stdout.strip() in other.stderr) == (2, True), other.stderr
    same_socket = f"{crowd.tmux.socket},1,0"  # of a server that has ended: another one than that which runs
    assert place.cli("attach", crowd.pane, env={"TMUX": same_socket}).returncode == 2
    assert not crowd.shown()  # from inside another server nobody goes there either
    terminal(*shlex.split(printed.stdout))
    until(lambda: crowd.tmux.run("list-clients", "-F", "#{session_name}") == "work" and crowd.shown(), within=PATIENCE)


@pytest.mark.tc("TC-053")
def test_the_codes_of_actions_end_the_command_line_as_the_table_says(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], tmux: Tmux
) -> None:
    place.env["AGTMUX_FAILPOINT"] = "after_act:kill"
    daemon.start()
    one = actor().start()
    shell = tmux.start("sh", session="plain")
    row = one.ready(daemon)
    until(lambda: daemon.pane(shell), within=PATIENCE)
    lost, used = uuid7(), uuid7()
    cut = place.cli("send", one.pane, "--text", "a", "--request-ref", lost)
    assert cut.returncode == CODES["E_DAEMON_UNREACHABLE"].exit
    assert f"--request-ref {lost}" in cut.stderr
    assert daemon.process is not None
    daemon.process.wait(PATIENCE)
    del place.env["AGTMUX_FAILPOINT"]
    daemon.start()
    until(lambda: (daemon.pane(one.pane) or {}).get("runtime_id") == row["runtime_id"], within=PATIENCE)
    until(lambda: (daemon.pane(one.pane) or {})["accepts_input"] is False, within=PATIENCE)  # the "a" is a draft now
    assert place.cli("ack", one.pane, "--request-ref", used).returncode == 0
    for argv, code in (
        (["send", one.pane, "--text", "a", "--request-ref", lost], "E_ACTION_INDETERMINATE"),
        (["send", one.pane, "--text", "b", "--request-ref", lost], "E_IDEMPOTENCY_CONFLICT"),
        (["ack", shell, "--request-ref", used], "E_IDEMPOTENCY_CONFLICT"),
        (["kill", shell, "--mode", "signal", "--yes"], "E_PID_UNAVAILABLE"),
        (["actions", "--action", lost], "E_ACTION_NOT_FOUND"),
    ):
        done = place.cli(*argv, "--json")
        assert json.loads(done.stdout)["error"]["code"] == code, argv[:3]
        assert done.returncode == CODES[code].exit, argv[:3]
    large = subprocess.run(
        [AGTMUX, "send", one.pane, "--stdin"], input=b"x" * 262_145, env=place.env, capture_output=True, check=False
    )
    assert (large.returncode, b"E_PAYLOAD_TOO_LARGE" in large.stderr) == (2, True)
    assert one.keys() == b"\x1b[200~a\x1b[201~", "once: text for Claude is pasted"
