"""``agtmux new`` starts the real CLIs, names them and prompts them; each sees the skill that was installed for it."""

from __future__ import annotations

import json
import subprocess

import pytest

from agtmux.cli.install_skill import IN_PROJECT
from tests.agents.conftest import Start
from tests.agents.driver import Driver
from tests.agents.kinds import KINDS
from tests.agents.observe import BIN
from tests.agents.terminal import Pane

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-869"), pytest.mark.timeout(240)]


@pytest.mark.parametrize("kind", [KINDS[agent] for agent in IN_PROJECT], ids=list(IN_PROJECT))
def test_a_real_agent_is_started_named_and_prompted_and_knows_the_skill(start: Start, kind: type[Driver]) -> None:
    """The prompt reached the model, and with it the skill's description."""
    s = start(kind, hooks=False)
    driver, daemon, world = s.driver, s.watch.daemon, s.driver.world
    daemon.cli("install-skill", kind.agent, env=driver.env())
    for name, value in driver.env().items():  # as the user's tmux has them
        world.tmux.run("set-environment", "-g", name, value)
    argv = [
        "new", "--agent", kind.agent, "--cwd", str(world.work), "--name", "first", "--prompt", "hello there",
        "--timeout", "2m", "--json",
    ]  # fmt: skip
    done = subprocess.run(
        [str(BIN / "agtmux"), *argv], env=world.env(**driver.env()), capture_output=True, text=True, timeout=150,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    answer = json.loads(done.stdout)
    driver.pane = Pane(world.tmux, answer["item"]["identity"]["pane_id"])
    s.watch.wait_for(s.pane, lambda item: item.get("state") == "completed", timeout=60)
    assert answer["agent"]["name"] == "first"
    assert answer["action"]["result"]["delivery"] == "submitted"
    assert "hello there" in [one.prompt for one in driver.model.seen]
    assert any("Work with other coding agents" in body for body in driver.model.bodies), "the model is shown the skill"
