"""The stream log of a real daemon: what it was told to keep is there after a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import until


@pytest.mark.tc("TC-565")
def test_a_restart_keeps_what_happened_for_cursors_and_recaps(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    """The first clean-up of a new daemon removes nothing that is younger than the retention says."""
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.ask("make release")
    daemon.wait_for(one.pane, "waiting_approval")
    before = place.json("recap", "--since", "1h")
    daemon.stop()
    daemon.start()
    daemon.wait_agent(one.pane)
    until(lambda: daemon.health()["store"]["used_bytes"], within=PATIENCE, what="the clean-up ran")
    after = place.json("recap", "--since", "1h")
    assert after["log_begins"] == before["log_begins"]
    assert after["summary"]["waited_s"] < 600, "an hour has not passed"
