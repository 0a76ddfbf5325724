"""Waiting: what is true already counts, it outlives the daemon, and ends by the agent that was meant or not at all."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Place
from tests.conftest import Tmux, until

Make = Callable[..., Actor]
Wait = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def waiting(place: Place) -> Iterator[Wait]:
    """Starts ``agtmux`` in the background."""
    made: list[subprocess.Popen[str]] = []

    def begin(*argv: str) -> subprocess.Popen[str]:
        made.append(
            subprocess.Popen(
                [str(PROGRAMS / "agtmux"), *argv], env={**place.env, "AGTMUX_NO_AUTOSTART": "1"}, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return made[-1]

    yield begin
    for one in made:
        if one.poll() is None:
            one.kill()
        one.communicate()


def watched(daemon: Daemon) -> None:
    """Until the waiting program follows the stream."""
    until(lambda: daemon.health()["counters"]["watchers"] > 0, within=PATIENCE)


@pytest.mark.tc("TC-121")
def test_a_state_that_is_there_already_counts(daemon: Daemon, actor: Make, place: Place) -> None:
    daemon.start()
    one = actor().start()
    row = one.ready(daemon)
    done = place.cli("wait", one.pane, "--for", "waiting,idle", "--timeout", "20s")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"idle {row['ref']}\n", "")
    done = place.cli("wait", one.pane)
    assert (done.returncode, done.stderr) == (0, "agtmux: waiting up to 10m for completed, idle\n")
    late = place.cli("wait", one.pane, "--for", "error", "--timeout", "300ms", "--json")
    assert late.returncode == 7
    assert json.loads(late.stdout)["error"]["code"] == "E_TIMEOUT"
    assert place.cli("wait", one.pane, "--for", "busy").returncode == 2


@pytest.mark.tc("TC-121")
def test_any_ends_with_the_first_and_all_with_the_last(daemon: Daemon, actor: Make, waiting: Wait) -> None:
    daemon.start()
    one, two = actor().start("one"), actor().start("two")
    one.ready(daemon), two.ready(daemon)
    first = waiting("wait", one.pane, two.pane, "--for", "waiting", "--any")
    both = waiting("wait", one.pane, two.pane, "--for", "waiting", "--json")
    until(lambda: daemon.health()["counters"]["watchers"] == 2, within=PATIENCE)
    one.asks(daemon)
    assert first.wait(PATIENCE) == 0
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    assert both.poll() is None
    two.asks(daemon)
    out, _ = both.communicate(timeout=PATIENCE)
    assert [item["identity"]["pane_id"] for item in json.loads(out)["items"]] == [one.pane, two.pane]


@pytest.mark.tc("TC-121")
def test_a_wait_outlives_a_restart_of_the_daemon(daemon: Daemon, actor: Make, waiting: Wait) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    wait = waiting("wait", one.pane, "--for", "waiting_approval")
    watched(daemon)
    daemon.kill9()
    one.tell(ask="while nobody looked")
    daemon.start()
    out, err = wait.communicate(timeout=PATIENCE)
    assert (wait.returncode, out.split()[0]) == (0, "waiting_approval"), err


@pytest.mark.tc("TC-121")
def test_a_wait_ends_with_its_agent_and_not_by_the_next_one(
    daemon: Daemon, actor: Make, waiting: Wait, tmux: Tmux
) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    wait = waiting("wait", one.pane, "--for", "waiting_approval")
    watched(daemon)
    two = actor().start_in("respawn-pane", "-k", "-t", one.pane)
    two.asks(daemon)
    _, err = wait.communicate(timeout=PATIENCE)
    assert (wait.returncode, "E_RUNTIME_STALE" in err) == (5, True), err


@pytest.mark.tc("TC-121")
@pytest.mark.parametrize("end", ["completed", "approval", "gone"])
def test_a_prompt_waits_for_the_end_of_its_own_turn(
    daemon: Daemon, actor: Make, waiting: Wait, place: Place, end: str
) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    prompt = waiting("prompt", one.pane, "do it", "--wait", "--timeout", "30s")
    until(lambda: one.sent() == ["do it"], within=PATIENCE)
    daemon.wait_for(one.pane, "running")
    assert prompt.poll() is None
    if end == "completed":
        one.tell(run=False)
        one.hook("Stop", last_assistant_message="it is\ndone")
    elif end == "approval":
        one.tell(ask="rm -rf build")
    else:
        one.tmux.run("new-session", "-d", "-s", "stays", "sh")
        one.vanish()
    out, err = prompt.communicate(timeout=PATIENCE)
    if end == "completed":
        assert (prompt.returncode, out) == (0, "completed\nit is\ndone\n"), err
    elif end == "approval":
        assert prompt.returncode == 0, err
        assert out.startswith("waiting_approval: Bash command: rm -rf build")
    else:
        assert (prompt.returncode, "E_RUNTIME_STALE" in err) == (5, True), err
