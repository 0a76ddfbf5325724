"""Real agents come back after their tmux server died: each with the conversation that it had."""

from __future__ import annotations

import json

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import Driver
from tests.agents.kinds import DRIVERS
from tests.agents.terminal import Pane

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-259"), pytest.mark.timeout(180)]


@pytest.mark.parametrize("kind", [kind for kind in DRIVERS if kind.agent != "cline"], ids=lambda kind: kind.agent)
def test_an_agent_comes_back_with_its_conversation(start: Start, kind: type[Driver]) -> None:
    """The prompt of before stands on its screen again, and a new one gets its turn. (Cline reports no session.)"""
    s = start(kind)
    s.start_trusted()
    s.plain_turn()
    before = s.watch.wait_for(s.pane, lambda item: bool(item.get("agent_session_id")))
    driver, daemon, tmux = s.driver, s.watch.daemon, s.driver.world.tmux
    tmux.run("kill-server")
    s.watch.wait_for(s.pane, lambda item: not item)
    done = json.loads(daemon.cli("restore", "--apply", "--json", env=driver.env()))
    (one,) = done["items"]
    assert one["agent_session_id"] == before["agent_session_id"]
    assert one["result"].startswith("started in %"), one
    driver.pane = Pane(tmux, one["pane_id"])
    driver.at.wait_text("hello there")
    s.watch.wait_for(s.pane, lambda item: item.get("accepts_input") is True and item["state"] in ("idle", "completed"))
    asked = len(driver.model.seen)
    driver.at.wait_still()
    daemon.cli("prompt", s.pane, "hello again", "--wait", "--timeout", "60s")
    assert len(driver.model.seen) > asked
    driver.at.wait_text("hello again")
    assert daemon.cli("restore").count("stays away") == 1
