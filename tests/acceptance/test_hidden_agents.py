"""An agent that its process does not show: behind a container's client, ssh or a multiplexer. The user names it.

``dtach`` stands for all of these: the program in the pane is a client, and the agent lives in another session, on
another terminal, below no process of the pane.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Place
from tests.conftest import Tmux, until

pytestmark = [
    pytest.mark.tc("TC-210"),
    pytest.mark.skipif(shutil.which("dtach") is None, reason="dtach is not installed: it is what hides the agent"),
]


@pytest.fixture
def hidden(tmux: Tmux, place: Place) -> Iterator[Actor]:
    """A stand-in for Claude that runs behind dtach once it is started."""
    actor = Actor(tmux, place)
    script = 'dtach -n "$0" -E "$@" && exec dtach -a "$0" -r none'  # -n: no child of this pane's any more
    actor.argv = ["sh", "-c", script, str(place.root / "d.sock"), *actor.argv]
    yield actor
    if actor.pid:
        actor.exit()  # tmux ends its client only


def agent_of(daemon: Daemon, pane: str) -> str | None:
    item = daemon.pane(pane)
    return None if item is None else item["agent_type"]


def test_an_agent_behind_a_wrapper_is_found_by_no_process(daemon: Daemon, tmux: Tmux, hidden: Actor) -> None:
    daemon.start()
    hidden.start()
    hidden.tell(ask="rm -rf build")
    until(lambda: daemon.health()["targets"][0]["panes"] == 1, within=PATIENCE)
    assert agent_of(daemon, hidden.pane) is None


def test_run_as_lists_a_hidden_agent_by_its_screen_and_acts_on_it(daemon: Daemon, place: Place, hidden: Actor) -> None:
    daemon.start()
    hidden.argv = [str(PROGRAMS / "agtmux"), "run", "--as", "claude", "--", *hidden.argv]
    hidden.start()
    hidden.ready(daemon)
    assert agent_of(daemon, hidden.pane) == "claude"
    item = hidden.asks(daemon, "touch made-by-test")
    assert item["state"] == "waiting_approval"
    done = place.cli("approve", hidden.pane)
    assert done.returncode == 0, done.stderr
    until(lambda: hidden.sent() == ["chose 1"], within=PATIENCE, what="the approval arrives, once")


def test_the_pane_option_names_a_hidden_agent_as_long_as_a_program_hides_it(
    daemon: Daemon, tmux: Tmux, hidden: Actor
) -> None:
    daemon.start()
    hidden.start_in_shell()
    tmux.run("set-option", "-p", "-t", hidden.pane, "@agtmux-agent", "claude")
    hidden.ready(daemon)
    assert agent_of(daemon, hidden.pane) == "claude"
    tmux.run("send-keys", "-t", hidden.pane, "C-\\")  # dtach's own key: the agent lives on, the pane shows the shell
    until(lambda: agent_of(daemon, hidden.pane) is None, within=PATIENCE, what="the pane holds no agent any more")


def test_a_pane_option_that_is_taken_back_names_no_agent(daemon: Daemon, tmux: Tmux, hidden: Actor) -> None:
    daemon.start()
    hidden.start_in_shell()
    tmux.run("set-option", "-p", "-t", hidden.pane, "@agtmux-agent", "claude")
    hidden.ready(daemon)
    tmux.run("set-option", "-p", "-u", "-t", hidden.pane, "@agtmux-agent")
    until(lambda: agent_of(daemon, hidden.pane) is None, within=PATIENCE, what="the pane holds no agent any more")


def test_an_agent_that_its_process_shows_is_no_other_by_a_pane_option(daemon: Daemon, tmux: Tmux, place: Place) -> None:
    daemon.start()
    actor = Actor(tmux, place).start()
    tmux.run("set-option", "-p", "-t", actor.pane, "@agtmux-agent", "codex")
    actor.ready(daemon)
    assert agent_of(daemon, actor.pane) == "claude"


@pytest.mark.parametrize("value", ["nobody", "claude; rm -rf /", "#{pane_title}", " claude", "é" * 4000])
def test_a_pane_option_with_another_value_names_no_agent_and_fails_nothing(
    daemon: Daemon, tmux: Tmux, hidden: Actor, value: str
) -> None:
    daemon.start()
    pane = hidden.start().pane
    tmux.run("set-option", "-p", "-t", pane, "@agtmux-agent", value)
    until(lambda: tmux.show(pane, "#{@agtmux-agent}") == value, within=PATIENCE)
    other = Actor(tmux, hidden.place, "codex").start("second")
    daemon.wait_agent(other.pane)  # a round later
    assert agent_of(daemon, pane) is None
    assert daemon.health()["targets"][0]["health"] == "ok"


def test_run_as_an_agent_that_nobody_knows_starts_nothing_and_names_those_that_are_known(
    daemon: Daemon, place: Place, tmp_path: Path
) -> None:
    daemon.start()
    done = place.cli("run", "--as", "clod", "--", "touch", str(tmp_path / "ran"))
    assert done.returncode == 2
    assert "clod" in done.stderr
    assert "claude, codex" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_run_as_without_a_daemon_runs_the_program(place: Place) -> None:
    done = place.cli("run", "--as", "claude", "--", "sh", "-c", "echo said; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "said\n", "")
