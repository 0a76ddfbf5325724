"""``agtmux jump`` and ``agtmux menu`` on attached clients of a real tmux: which pane they show then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agtmux.cli.tmux_server import TIMEOUT
from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon
from tests.attached import Attached
from tests.conftest import Tmux, until

pytestmark = pytest.mark.tc("TC-366")


@dataclass
class Desk:
    """Three agents that wait, in this order, in three sessions; a fourth session without one, and terminals."""

    daemon: Daemon
    tmux: Tmux
    agents: list[Agent]
    home: str
    new_tmux: Callable[[], Tmux]

    def attach(self) -> Attached:
        return Attached(self.tmux, self.new_tmux(), "home")

    def jump(self, terminal: Attached, *words: str) -> None:
        """Run jump as a key binding does."""
        argv = [str(PROGRAMS / "agtmux"), "jump", "--client", terminal.client, *words]
        self.tmux.run("run-shell", " ".join(argv).replace("#", "##"))

    def shown(self, terminal: Attached) -> str:
        """The pane that a terminal shows."""
        rows = self.tmux.run("list-clients", "-F", "#{client_name} #{pane_id}").splitlines()
        return next(pane for name, pane in (row.split(" ") for row in rows) if name == terminal.client)


@pytest.fixture
def desk(daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent], new_tmux: Callable[[], Tmux]) -> Desk:
    tmux.env.update(daemon.place.env)
    home = tmux.start(session="home")
    agents = [agent().start(f"s{n}") for n in range(3)]
    daemon.start()
    for one in agents:
        daemon.wait_agent(one.pane)
        one.ask()
        daemon.wait_for(one.pane, "waiting_approval")
    return Desk(daemon, tmux, agents, home, new_tmux)


def test_next_goes_to_the_agent_that_waits_longest_then_on_and_round(desk: Desk) -> None:
    one, two, three = (agent.pane for agent in desk.agents)
    terminal = desk.attach()
    seen = []
    for word in ("--next", "--next", "--next", "--next", "--prev", "--prev"):
        desk.jump(terminal, word)
        seen.append(desk.shown(terminal))
    assert seen == [one, two, three, one, three, two]


def test_prev_begins_with_the_one_that_waits_shortest_and_back_returns(desk: Desk) -> None:
    terminal = desk.attach()
    desk.jump(terminal, "--prev")
    assert desk.shown(terminal) == desk.agents[2].pane
    desk.jump(terminal, "--back")
    assert desk.shown(terminal) == desk.home
    desk.jump(terminal, "--back")
    assert desk.shown(terminal) == desk.agents[2].pane, "and back again"


def test_each_client_jumps_and_returns_alone(desk: Desk) -> None:
    first, second = desk.attach(), desk.attach()
    desk.jump(first, desk.agents[1].pane)
    assert (desk.shown(first), desk.shown(second)) == (desk.agents[1].pane, desk.home)
    desk.jump(second, "--back")
    second.shows(lambda screen: "this client has not jumped yet" in screen)
    assert (desk.shown(first), desk.shown(second)) == (desk.agents[1].pane, desk.home)
    desk.jump(first, "--back")
    assert desk.shown(first) == desk.home


def test_a_pane_deep_in_a_session_is_shown_with_its_window(desk: Desk, agent: Callable[..., Agent]) -> None:
    deep = agent().start_in(
        "split-window", "-t", desk.tmux.run("new-window", "-d", "-P", "-F", "#{window_id}", "-t", "s0:")
    )
    desk.daemon.wait_agent(deep.pane)
    terminal = desk.attach()
    desk.jump(terminal, deep.pane)
    assert desk.shown(terminal) == deep.pane


def test_when_no_agent_needs_you_the_client_is_told_so(desk: Desk) -> None:
    terminal = desk.attach()
    for one in desk.agents:
        one.hook("Stop")
        desk.daemon.wait_for(one.pane, "completed")
    desk.jump(terminal, "--next")
    terminal.shows(lambda screen: "no agent needs you now" in screen)
    assert desk.shown(terminal) == desk.home


def test_a_place_that_is_gone_is_told(desk: Desk) -> None:
    terminal = desk.attach()
    desk.jump(terminal, "--next")
    desk.tmux.run("kill-session", "-t", "home")
    desk.jump(terminal, "--back")
    terminal.shows(lambda screen: "the pane where your last jump started is gone" in screen)


def test_without_a_daemon_the_client_is_told_what_to_type(desk: Desk) -> None:
    terminal = desk.attach()
    desk.daemon.stop()
    desk.tmux.run("set-environment", "-g", "AGTMUX_NO_AUTOSTART", "1")
    desk.jump(terminal, "--next")
    terminal.shows(lambda screen: "run agtmux daemon start" in screen)


def test_an_agent_of_another_server_opens_in_a_popup(desk: Desk, agent: Callable[..., Agent]) -> None:
    terminal = desk.attach()
    other = desk.new_tmux()
    other.env = dict(desk.tmux.env)
    desk.daemon.place.json("target", "add", "other", "--kind", "local", "--tmux-socket", str(other.socket))
    far = agent(other).start("far")
    far.draw("Hello from afar")
    row = desk.daemon.wait_agent(far.pane, "other")
    argv = [str(PROGRAMS / "agtmux"), "jump", "--client", terminal.client, row["ref"]]
    desk.tmux.run("run-shell", "-b", " ".join(argv))
    terminal.shows(lambda screen: "Hello from afar" in screen and "┌" in screen)
    assert desk.shown(terminal) == desk.home
    assert other.run("list-clients", "-F", "#{session_name}") == "far"
    other.run("detach-client", "-s", "far")
    terminal.shows(lambda screen: "┌" not in screen)


def test_a_menu_goes_where_its_entry_says(desk: Desk) -> None:
    terminal = desk.attach()
    argv = [str(PROGRAMS / "agtmux"), "menu", "--client", terminal.client]
    desk.tmux.run("run-shell", "-b", " ".join(argv))
    screen = terminal.shows(lambda screen: "dashboard" in screen)
    assert [f"claude s{n}:0.0" in screen for n in range(3)] == [True] * 3
    assert "Bash" in screen
    terminal.press("2")
    until(lambda: desk.shown(terminal) == desk.agents[1].pane, within=PATIENCE)
    desk.jump(terminal, "--back")
    assert desk.shown(terminal) == desk.home


def test_a_menu_may_stay_open_as_long_as_you_like(desk: Desk) -> None:
    """tmux answers only after the choice: nothing gives up meanwhile."""
    terminal = desk.attach()
    argv = [str(PROGRAMS / "agtmux"), "menu", "--client", terminal.client]
    log = desk.daemon.place.root / "menu-ended"
    desk.tmux.run("run-shell", "-b", f"{' '.join(argv)}; echo $? > {log}")
    terminal.shows(lambda screen: "dashboard" in screen)
    time.sleep(TIMEOUT + 0.5)  # longer than any other command may take
    assert not log.exists() and "dashboard" in terminal.screen()
    terminal.press("q")
    until(lambda: log.exists() and log.read_text() == "0\n", within=PATIENCE)
    assert "agtmux:" not in terminal.screen()


EVIL = (
    "#(touch {ran})", "`touch {ran}`$(touch {ran})", "'; run-shell 'touch {ran}", '" ; kill-server',
    "#{{pid}}#[fg=red,align=right]x", "-disabled", "a\u202eb", "x; #(touch {ran}) \\", "~ %H $HOME",
)  # fmt: skip


@pytest.mark.tc("TC-367")
@pytest.mark.parametrize("name", EVIL)
def test_no_name_of_a_session_is_run_by_a_menu_or_a_jump(desk: Desk, name: str, short_dir: Path) -> None:
    ran = short_dir / "ran"
    name = name.format(ran=ran)
    desk.tmux.run("rename-session", "-t", "s1", "--", name.replace("#", "##"))
    kept = desk.tmux.show(desk.agents[1].pane, "#{session_name}")
    until(lambda: desk.daemon.pane(desk.agents[1].pane)["identity"]["session_name"] == kept, within=PATIENCE)  # type: ignore[index]
    desk.agents[1].ask(name)  # now it waits shortest
    terminal = desk.attach()
    argv = [str(PROGRAMS / "agtmux"), "menu", "--client", terminal.client]
    desk.tmux.run("run-shell", "-b", " ".join(argv))
    terminal.shows(lambda screen: "dashboard" in screen)
    terminal.press("3")
    until(lambda: desk.shown(terminal) == desk.agents[1].pane, within=PATIENCE)
    desk.jump(terminal, "--back")
    assert desk.shown(terminal) == desk.home
    assert not ran.exists()
    assert desk.tmux.run("list-sessions", "-F", "#{session_id}").count("$") == 4
