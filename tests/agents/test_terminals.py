"""The real CLIs on other terminals than the suite's: what they draw there is read as well, without any hook."""

from __future__ import annotations

import pytest

from tests.agents.conftest import Start
from tests.agents.copilot import CopilotDriver
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.opencode import OpenCodeDriver
from tests.agents.test_actions import Operator
from tests.conftest import until

pytestmark = [pytest.mark.agents, pytest.mark.timeout(180)]

KINDS = [ClaudeDriver, CodexDriver, GeminiDriver, CopilotDriver, OpenCodeDriver]


TERMINALS = [
    *[(kind, "256", "dark") for kind in KINDS],
    *[(kind, "none", "dark") for kind in (ClaudeDriver, CodexDriver, GeminiDriver)],
    *[(kind, "truecolor", "light") for kind in (GeminiDriver, OpenCodeDriver)],
]
"""Besides the suite's own; the rest is in the recordings that ``test_corpus_screens`` reads."""


@pytest.mark.tc("TC-191")
@pytest.mark.parametrize(("kind", "colours", "theme"), TERMINALS, ids=[f"{k.agent}-{c}-{t}" for k, c, t in TERMINALS])
def test_an_agent_is_read_and_prompted_whatever_colours_its_terminal_has(
    start: Start, kind: type[Driver], colours: str, theme: str
) -> None:
    """Without hooks: its field, a turn, an approval, a draft."""
    s = start(kind, hooks=False, colours=colours, theme=theme)
    s.start_trusted()
    me = Operator(s)

    def accepts(wanted: bool) -> None:
        until(
            lambda: s.watch.item(s.pane).get("accepts_input") is wanted, within=20,
            what=f"accepts_input {wanted}: {s.driver.at.look().text}",
        )  # fmt: skip

    accepts(True)
    assert me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s").startswith("completed")
    s.expect("running", "completed")
    me.does("prompt", me.pane, "bash one")
    me.driver.wait_approval()
    s.expect("running", "waiting_approval")
    me.does("approve", me.pane)
    s.expect("running", "completed")
    me.driver.wait_ready()
    me.driver.at.type("half a thought")
    accepts(False)
    me.refused("draft", "send", me.pane, "--text", "hello there", "--enter", "--force-stale")
