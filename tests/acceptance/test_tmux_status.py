"""The status line of a tmux server whose user opted in, as an attached client shows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon
from tests.attached import Attached
from tests.conftest import Tmux, until
from tests.integration.targets.test_observer_undisturbed import _SEEN

pytestmark = pytest.mark.tc("TC-365")
LINE = "<#{T:@agtmux_segment}>"


def own(tmux: Tmux) -> dict[str, str]:
    """The user options for agtmux of a server, without their agent."""
    told = (line.partition(" ") for line in tmux.run("show-options", "-g").splitlines() if line.startswith("@agtmux"))
    return {name: value.strip("\"'") for name, _, value in told}


def opt_in(tmux: Tmux) -> None:
    tmux.run("set-option", "-g", "@agtmux", "on")


@pytest.fixture
def attached(agent: Callable[..., Agent], tmux: Tmux, new_tmux: Callable[[], Tmux]) -> tuple[Attached, Agent]:
    """A terminal that shows a server with one agent, and the agent."""
    one = agent().start()
    tmux.run("set-option", "-g", "status-right", LINE)
    return Attached(tmux, new_tmux()), one


def test_a_client_shows_the_counts_at_once_and_that_they_are_old(
    daemon: Daemon, tmux: Tmux, attached: tuple[Attached, Agent]
) -> None:
    terminal, one = attached
    tmux.run("set-option", "-g", "status-interval", "0")  # tmux itself never draws the line again
    daemon.start()
    daemon.wait_agent(one.pane)
    assert terminal.line.rstrip().endswith("<>")
    opt_in(tmux)
    until(lambda: "@agtmux_at" in own(tmux), within=PATIENCE)
    one.ask()
    terminal.shows(lambda screen: screen.rstrip().endswith("<1!>"))
    styled = terminal.screen(styled=True).split("\n")[-1]
    assert "\x1b[33m" in styled, "the count has the colour of its attention"
    one.hook("Stop")
    one.hook("UserPromptSubmit", prompt="go on")
    terminal.shows(lambda screen: screen.rstrip().endswith("<1●>"))
    daemon.kill9()
    tmux.run("set-option", "-g", "@agtmux_at", str(int(own(tmux)["@agtmux_at"]) - 61))  # a minute later
    terminal.shows(lambda screen: screen.rstrip().endswith("<agtmux?>"))


def test_a_server_that_did_not_opt_in_is_left_as_it_is(
    daemon: Daemon, tmux: Tmux, attached: tuple[Attached, Agent], new_tmux: Callable[[], Tmux]
) -> None:
    """Also while another one did, and shows the counts of both."""
    terminal, one = attached
    daemon.start()
    other = new_tmux()
    other.env = dict(tmux.env)
    daemon.place.json("target", "add", "other", "--kind", "local", "--tmux-socket", str(other.socket))
    other.start()
    opt_in(other)
    daemon.wait_agent(one.pane)
    names = [name for name in _SEEN if "options" in name or name in ("hooks", "environment", "keys", "buffers")]
    before = {name: tmux.run(*_SEEN[name]) for name in names}
    one.ask()
    until(lambda: "1!" in own(other).get("@agtmux_status", ""), within=PATIENCE)
    assert {name: tmux.run(*_SEEN[name]) for name in names} == before
    assert terminal.line.rstrip().endswith("<>")


@pytest.mark.parametrize("how", ["off", "unset", "status off"])
def test_an_opt_out_removes_what_was_written(
    daemon: Daemon, tmux: Tmux, attached: tuple[Attached, Agent], how: str
) -> None:
    terminal, one = attached
    daemon.start()
    before = own(tmux)
    opt_in(tmux)
    one.ask()
    terminal.shows(lambda screen: screen.rstrip().endswith("<1!>"))
    if how == "unset":
        daemon.kill9()  # the next daemon finds what this one wrote
    out = {"off": ["@agtmux", "off"], "unset": ["-u", "@agtmux"], "status off": ["@agtmux-status", "off"]}[how]
    tmux.run("set-option", "-g", *out)
    if how == "unset":
        daemon.start()
    terminal.shows(lambda screen: screen.rstrip().endswith("<>"))
    left = {
        **before,
        **{"off": {"@agtmux": "off"}, "unset": {}, "status off": {"@agtmux": "on", "@agtmux-status": "off"}}[how],
    }
    until(lambda: own(tmux) == left, within=PATIENCE, what="all is removed")


def test_no_text_of_a_pane_gets_into_the_line(daemon: Daemon, tmux: Tmux, attached: tuple[Attached, Agent]) -> None:
    terminal, one = attached
    evil = f"#(touch {daemon.place.root}/ran)#{{pid}}#[fg=red]"
    tmux.run("rename-session", "-t", "main", evil.replace("#", "##"))  # which expands formats itself
    daemon.start()
    opt_in(tmux)
    one.title(evil)
    one.ask(evil)
    terminal.shows(lambda screen: screen.rstrip().endswith("<1!>"))
    assert own(tmux)["@agtmux_status"] == "#[fg=yellow]1!#[fg=default]"
    daemon.stop()
    assert not (daemon.place.root / "ran").exists()
