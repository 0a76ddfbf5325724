"""Whether a command runs inside a coding agent, also where only ps tells the processes above it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux import hook, installation
from agtmux.cli import completion_values, inside_agent
from agtmux.protocol import psline
from agtmuxd.adapters.generic import adapter as generic
from tests.acceptance.test_hooks import AGENTS as HOOKED
from tests.agents.kinds import KINDS
from tests.integration.adapters.test_corpus_screens import AGENTS as ON_SCREENS
from tests.integration.adapters.test_corpus_together import AGENTS as TOGETHER
from tests.replay import offline
from tests.unit.adapters.test_argv import REGISTRY, STARTED

pytestmark = pytest.mark.tc("TC-141")


def link(pid: int, *argv: str) -> dict[str, object]:
    return {"pid": pid, "start": "", "argv": list(argv)}


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ([link(70, "-zsh"), link(60, "claude")], "claude (pid 60)"),
        ([link(70, "sh", "-c", "x"), link(60, "/opt/homebrew/bin/codex", "resume")], "codex (pid 60)"),
        ([link(60, "node", "/opt/x/@google/gemini-cli/bundle/gemini.js")], "gemini (pid 60)"),
        ([link(70, "-zsh"), link(60, "vim", "claude")], None),
        ([link(70, "-zsh"), link(60, "pi")], "pi (pid 60)"),
        ([link(70, "-zsh"), link(60, "/usr/bin/pi", "1000")], None),
        ([link(70, "-zsh"), link(60, "node", "/home/pi/server/index.js")], None),
        ([link(70)], None),
        ([], None),
    ],
)
def test_without_proc_an_agent_above_is_known_by_ps(
    monkeypatch: pytest.MonkeyPatch, above: list[dict[str, object]], expected: str | None
) -> None:
    """As on macOS."""

    def asked(*_: Any) -> list[dict[str, object]]:
        return above

    monkeypatch.setattr(hook, "PROC", "/nothing/here")
    monkeypatch.setattr(hook, "ancestors", lambda _pid: [])
    monkeypatch.setattr(psline, "ancestors", asked)
    monkeypatch.setenv("TMUX", "/t,1,0")
    assert inside_agent.agent_above() == expected
    monkeypatch.delenv("TMUX")
    assert inside_agent.agent_above() is None


@pytest.mark.tc("TC-238")
@pytest.mark.parametrize(
    ("agent", "comm", "argv"), [(a, comm, argv) for a, _headless, comm, argv in STARTED if comm != "agtmux"]
)
def test_every_agent_that_the_daemon_knows_is_known_above_a_command(
    monkeypatch: pytest.MonkeyPatch, agent: str, comm: str, argv: tuple[str, ...]
) -> None:
    """However it was started."""
    if agent == "generic":  # what agtmux wraps is no agent
        return
    above = [{"pid": 60, "start": "1", "comm": comm, "argv": list(argv)}]
    monkeypatch.setattr(hook, "ancestors", lambda _pid: above)
    monkeypatch.setenv("TMUX", "/t,1,0")
    assert inside_agent.agent_above() == f"{'cursor-agent' if agent == 'cursor' else agent} (pid 60)"


@pytest.mark.tc("TC-238")
def test_each_list_of_agents_names_those_that_the_daemon_has_adapters_for(tmp_path: Path) -> None:
    """A new adapter is also an agent above a command, a word that the shell completes, a program that a wrapper leaves
    to it, an agent whose settings ``hooks`` finds, and one in the tests.
    """
    known = set(REGISTRY.adapters)
    programs = {"cursor-agent" if name == "cursor" else name for name in known - {"generic"}}
    assert {agent for agent, *_ in STARTED} == known
    assert programs == inside_agent.PROGRAMS == generic.AGENTS
    assert set(completion_values.AGENTS) == known
    with_hooks = {a.agent_type for a in REGISTRY if a.plan_hooks(tmp_path, "/opt/agtmux hook", remove=False)}
    assert with_hooks == set(installation.HOMES) == set(HOOKED)
    recorded = known - {"cursor", "generic"}  # nobody can run Cursor without an account
    assert set(KINDS) == set(ON_SCREENS) == set(TOGETHER) == set(offline.AGENTS) == recorded
