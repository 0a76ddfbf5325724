"""OpenCode, the real one, watched by a real daemon: each state is streamed, in order, with and without its plugin."""

from __future__ import annotations

import re
import time

import pytest

from tests.agents.conftest import Start
from tests.agents.observe import GONE
from tests.agents.opencode import OpenCodeDriver
from tests.agents.session import Session

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-100"), pytest.mark.timeout(180)]


def first_turn(s: Session) -> None:
    """OpenCode starts its services only then, which takes a busy machine long."""
    s.driver.prompt("hello there")
    s.expect("running", "completed", timeout=60)
    s.driver.wait_ready()


def test_every_state_of_a_life_with_its_plugin(start: Start) -> None:
    """From the start to the exit, every change of a life is streamed, and nothing else."""
    s = start(OpenCodeDriver)
    s.start_trusted()
    first_turn(s)
    s.turns_of_every_kind()
    s.plain_turn()
    s.leave()
    s.watch.expect_quiet(s.pane)


def test_every_state_of_a_life_without_its_plugin(start: Start) -> None:
    """The same without any plugin installed: screen and process table are enough."""
    s = start(OpenCodeDriver, hooks=False)
    s.start_trusted()
    first_turn(s)
    s.turns_of_every_kind()
    s.crash()
    s.watch.expect_quiet(s.pane)


def test_an_opencode_that_is_a_command_of_an_opencode_says_nothing_of_it(start: Start) -> None:
    """Both load the plugin in the same pane; the inner one fails, the outer one's turn goes on and ends well."""
    s = start(OpenCodeDriver)
    s.start_trusted()
    first_turn(s)
    s.driver.prompt("nested now")
    s.driver.wait_approval()
    s.expect("running", "waiting_approval")
    s.driver.approve()
    s.expect("running", "completed", timeout=60)
    assert any("badkey" in seen.prompt for seen in s.driver.model.seen)
    assert s.watch.item(s.pane)["task"] == "nested now"
    s.watch.expect_quiet(s.pane)


def test_a_plugin_whose_command_hangs_is_not_noticed(start: Start) -> None:
    """Turns, a run without a terminal and the exit take no longer, and the screen still tells the states."""
    s = start(OpenCodeDriver)
    slow = s.driver.world.bin / "hangs"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o700)
    plugin = next(s.driver.world.home.glob(".config/opencode/plugin/*.js"))
    output = re.sub(r"^const COMMAND = .*$", f'const COMMAND = ["{slow}"]', plugin.read_text(), flags=re.MULTILINE)
    assert str(slow) in output
    plugin.write_text(output)
    s.start_trusted()
    first_turn(s)
    s.approval_given()
    s.leave()
    s.driver.at.type("opencode run 'hello there'; echo ended with $?")
    began = time.monotonic()
    s.driver.at.keys("Enter")
    s.driver.at.wait_text("^ended with 0$", 60)
    assert time.monotonic() - began < 60
    s.expect("running", GONE)  # the run without a terminal


def test_a_terminal_that_is_attached_to_a_server_is_told_by_its_screen(start: Start) -> None:
    """The plugin runs in the server, in another pane: the server is no agent, and nothing is taken for its pane's."""
    s = start(OpenCodeDriver)
    server = s.beside()
    server.driver.launch("opencode serve --port 4499")
    server.driver.at.wait_text("listening on", 60)
    s.driver.launch("opencode attach http://127.0.0.1:4499")
    s.driver.wait_ready()
    s.expect("idle", starting=True)
    first_turn(s)
    s.approval_given()
    s.question()
    assert not server.watch.item(server.pane)
