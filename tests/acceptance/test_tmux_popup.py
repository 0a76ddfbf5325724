"""The popup of the plugin's key: the dashboard in a real tmux client, and where it leads."""

from __future__ import annotations

import pytest

from tests.acceptance.stage import PROGRAMS
from tests.acceptance.test_tmux_jump import Desk, desk
from tests.conftest import until

__all__ = ["desk"]
pytestmark = pytest.mark.tc("TC-369")


def test_the_key_opens_the_dashboard_and_enter_goes_to_the_agent(desk: Desk) -> None:
    terminal = desk.attach()
    desk.tmux.run("run-shell", f"{PROGRAMS}/agtmux tmux load")
    terminal.press("C-b", "A")
    terminal.shows(lambda screen: "┌" in screen and screen.count("claude") >= 3, within=40)
    terminal.press("Enter")
    until(lambda: desk.shown(terminal) == desk.agents[0].pane, within=20, what="the client goes to the agent")
    terminal.shows(lambda screen: "┌" not in screen.partition("\n")[0])
    terminal.press("C-b", "N")
    until(lambda: desk.shown(terminal) == desk.agents[1].pane, within=20, what="the next key goes on from there")


def test_q_closes_the_popup_and_the_client_stays_where_it_was(desk: Desk) -> None:
    terminal = desk.attach()
    desk.tmux.run("run-shell", f"{PROGRAMS}/agtmux tmux load")
    before = terminal.screen()
    terminal.press("C-b", "A")
    terminal.shows(lambda screen: "┌" in screen and screen.count("claude") >= 3, within=40)
    terminal.press("q")
    terminal.shows(lambda screen: screen.split("\n")[:-1] == before.split("\n")[:-1])
    assert desk.shown(terminal) == desk.home
