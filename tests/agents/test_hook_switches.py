"""The agents' own switches for hooks, on the real CLIs: what `hooks status` says of them is what the agent does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agents.conftest import Start
from tests.agents.copilot import CopilotDriver
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.session import Session
from tests.conftest import until

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-586"), pytest.mark.timeout(300)]

Switch = Callable[[str], str]


def _json(**more: object) -> Switch:
    return lambda text: json.dumps({**json.loads(text or "{}"), **more})


def _toml(lines: str) -> Switch:
    """In the table ``features``, which the driver's settings have."""
    return lambda text: text.replace("[features]\n", f"[features]\n{lines}\n")


CASES = [
    (ClaudeDriver, ".claude/settings.json", _json(disableAllHooks=True), "disableAllHooks = true"),
    (CodexDriver, ".codex/config.toml", _toml("hooks = false"), "features.hooks = false"),
    (GeminiDriver, ".gemini/settings.json", _json(hooksConfig={"enabled": False}), "hooksConfig.enabled = false"),
    (GeminiDriver, ".gemini/settings.json", _json(hooksConfig={"disabled": ["agtmux"]}), "hooksConfig.disabled names"),
    (CopilotDriver, ".copilot/hooks/agtmux.json", _json(disableAllHooks=True), "disableAllHooks = true"),
]  # fmt: skip


def _heard(s: Session) -> set[str]:
    """The hook events that the agent in the pane has sent, by name; Codex's ``notify`` is another thing."""
    body = json.loads(s.watch.daemon.cli("events", "--limit", "500", "--json"))
    return {item["event_type"] for item in body["items"] if item["source"] == "hook"} - {"agent-turn-complete"}


@pytest.mark.parametrize(
    ("kind", "name", "switch", "key"), CASES, ids=[f"{kind.agent}-{key.split()[0]}" for kind, _, _, key in CASES]
)
def test_hooks_that_are_switched_off_are_silent_and_speak_again(
    start: Start, kind: type[Driver], name: str, switch: Switch, key: str
) -> None:
    """While the switch is off, a turn is read by screen and files, and no hook runs. Then the same without it."""
    s = start(kind)
    path = Path(s.driver.world.home, name)
    before = path.read_text() if path.exists() else ""
    path.write_text(switch(before))
    told = s.watch.daemon.cli("hooks", "status", "--agent", kind.agent, "--no-test", check=False)
    assert f"switched off by {key}" in told, told
    s.start_trusted()
    s.plain_turn()
    assert _heard(s) == set()
    s.leave()
    path.write_text(before)
    s.start_trusted()
    s.plain_turn()
    until(lambda: _heard(s), within=10, what="hooks run again")
    told = s.watch.daemon.cli("hooks", "status", "--agent", kind.agent, "--no-test", check=False)
    assert "switched off" not in told, told
