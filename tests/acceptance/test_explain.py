"""A disagreement between a hook and the screen, as ``agtmux explain`` tells it: who won, who lost, and why."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import until

LINE = "─" * 60
AT_ITS_PROMPT = f"● Hello.\n\n{LINE}\n❯ \n{LINE}\n  ⏸ manual mode on · ? for shortcuts"
AT_WORK = f"✻ Baking… (4s · esc to interrupt)\n\n{LINE}\n❯ \n{LINE}\n  ⏸ manual mode on · esc to interrupt"


def test_a_hook_that_the_screen_contradicts_is_told_with_what_ended_its_word(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    """Case: a dialog that was refused by Escape, of which no hook tells."""
    daemon.start()
    one = agent().start()
    one.draw(AT_ITS_PROMPT)
    daemon.wait_for(one.pane, "idle")
    one.ask()
    lost = re.compile(
        r"Ignored:\n(?:  .*\n)*"
        r"  hook about approval:main said waiting_approval, by PermissionRequest, \d+s ago: "
        r"since then the screen showed no turn and no question \(quiet_edges\)\n"
    )
    output = until(
        lambda: lost.search(text := place.cli("explain", one.pane).stdout) and text, within=PATIENCE, what=""
    )
    assert output
    assert re.search(r"^  claude\S*(?: \S+)?: idle for", output, re.MULTILINE)
    decided = output.partition("Decided by:\n")[2].partition("Ignored:")[0]
    assert re.search(r"^  screen says (?:idle|not_running), by ", decided)
    assert "hook" not in decided
    assert "nothing any more" not in output
    assert re.search(r"^ +\d+s ago  hook PermissionRequest$", output, re.MULTILINE)


def test_an_end_that_the_screen_does_not_bear_out_is_told_with_what_goes_on(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    """Case: a Stop after which somebody else's hook sends the agent on."""
    daemon.start()
    one = agent().start()
    one.draw(AT_WORK)
    one.hook("UserPromptSubmit", prompt="tidy up")
    daemon.wait_for(one.pane, "running")
    one.hook("Stop")
    lost = re.compile(
        r"Ignored:\n(?:  .*\n)*  hook said completed, by Stop, \d+s ago: "
        r"since then the screen kept showing the agent at work on its next turn \(busy_overrun\)\n"
    )
    output = until(
        lambda: lost.search(text := place.cli("explain", one.pane).stdout) and text, within=PATIENCE, what=""
    )
    assert output
    assert re.search(r"^  claude\S*(?: \S+)?: running for", output, re.MULTILINE)
    assert "Decided by:\n  screen says running, by " in output


def test_a_hook_that_the_screen_bears_out_needs_no_excuse(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    one.draw(AT_WORK)
    daemon.wait_for(one.pane, "running")
    one.hook("UserPromptSubmit", prompt="tidy up")
    output = until(
        lambda: "  hook says running, by UserPromptSubmit" in (text := place.cli("explain", one.pane).stdout) and text,
        within=PATIENCE,
        what="",
    )
    assert output
    assert re.search(r"^  screen sa(?:ys|id) running, by ", output, re.MULTILINE)
    assert "Ignored" not in output
