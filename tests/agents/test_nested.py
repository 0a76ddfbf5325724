"""Agents that run agents, all of them real: what the inner one reports never becomes the outer one's."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.models.codex import FakeCodex
from tests.agents.observe import BIN
from tests.agents.session import Session
from tests.conftest import until

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-140"), pytest.mark.timeout(240)]

INNER = {
    "claude": "claude -p 'hello inner'",
    "codex": "codex exec --skip-git-repo-check --dangerously-bypass-hook-trust 'hello inner'",
    "gemini": "gemini -p 'hello inner'",
}


@contextmanager
def waiting(s: Session, state: str) -> Iterator[subprocess.Popen[str]]:
    """``agtmux wait`` for the pane's agent, as somebody types it in another window."""
    command = [str(BIN / "agtmux"), "wait", s.pane, "--for", state, "--timeout", "120s"]
    with subprocess.Popen(command, env=s.driver.world.env(), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def scripted(s: Session, inner: str) -> tuple[Path, Path]:
    """A tool of the outer agent: it runs ``inner``, says so, and ends when it is let. Its two signs."""
    work = s.driver.world.work
    # tools of Codex get another PATH, and no keys
    env = "\n".join(f"export {k}={shlex.quote(v)}" for k, v in s.driver.world.env(**s.driver.env()).items())
    ended, go_on = work / "inner-ended", work / "go-on"
    script = work / "run.sh"
    script.write_text(
        f"#!/bin/bash\n{env}\n{inner} > {work}/inner.txt 2>&1 < /dev/null\necho $? > {ended}\n"
        f"while [ ! -e {go_on} ]; do sleep 0.1; done\necho outer tool done\n"
    )
    script.chmod(0o700)
    return ended, go_on


def reports(s: Session) -> list[dict[str, Any]]:
    body: list[dict[str, Any]] = json.loads(s.watch.daemon.cli("events", "--limit", "500", "--json"))["items"]
    return body


def counted(s: Session, name: str) -> int:
    return int(json.loads(s.watch.daemon.cli("daemon", "status", "--json"))["counters"].get(name, 0))


def goes_on(s: Session, inner: str) -> None:
    """The outer agent's turn lasts until its own end, and what is known of it stays its own."""
    ended, go_on = scripted(s, inner)
    s.driver.prompt("hello there")
    s.watch.wait_for(s.pane, lambda item: item.get("state") == "completed")
    s.driver.wait_ready()
    session = s.watch.item(s.pane)["agent_session_id"]
    s.driver.prompt("shell please")
    s.driver.wait_approval()
    s.watch.wait_for(s.pane, lambda item: item.get("state") == "waiting_approval")
    with waiting(s, "completed,idle") as process:
        s.driver.approve()
        s.watch.wait_for(s.pane, lambda item: item.get("state") == "running")
        before = s.watch.states(s.pane)
        until(ended.exists, within=90, what="the inner agent ends")
        output = (s.driver.world.work / "inner.txt").read_text()
        assert ended.read_text().strip() == "0", output
        assert "Hello from the fake model." in output
        until(lambda: counted(s, "events_bind_nested") > 0, within=20, what="the inner agent's reports are taken in")
        time.sleep(2.0)  # whatever they did would show by now
        assert s.watch.states(s.pane) == before, s.watch.trace()
        item = s.watch.item(s.pane)
        assert (item["state"], item["task"], item["agent_session_id"]) == ("running", "shell please", session)
        assert process.poll() is None, f"agtmux wait ended: {process.stdout.read() if process.stdout else ''}"
        go_on.touch()
        s.watch.wait_for(s.pane, lambda item: item.get("state") == "completed")
        assert process.wait(20) == 0
    item = s.watch.item(s.pane)
    assert (item["task"], item["agent_session_id"]) == ("shell please", session)
    assert not [e for e in reports(s) if "hello inner" in json.dumps(e["raw_payload"])], "an inner event was bound"


@pytest.mark.parametrize("kind", [ClaudeDriver, CodexDriver, GeminiDriver], ids=["claude", "codex", "gemini"])
def test_an_agent_that_runs_itself_as_a_tool_goes_on_running(start: Start, kind: type[Driver]) -> None:
    """Its headless child begins and ends a turn; ``agtmux wait`` waits on for the end of the outer one."""
    s = start(kind)
    s.start_trusted()
    goes_on(s, INNER[kind.agent])


def test_claude_that_runs_codex_goes_on_running(start: Start) -> None:
    """A Codex run by Claude Code, with hooks of its own, tells of itself alone."""
    s = start(ClaudeDriver)
    world = s.driver.world
    with FakeCodex(world.work) as model:
        codex = CodexDriver(world, model)
        modules = Path((world.bin / "claude").readlink()).parents[2]
        if reason := codex.missing(modules):
            pytest.skip(reason)
        codex.install(modules)
        codex.seed(trusted=True)
        s.watch.daemon.cli("hooks", "install", "--agent", "codex", env=codex.env())
        env = " ".join(f"{name}={value}" for name, value in codex.env().items())
        s.start_trusted()
        goes_on(s, f"{env} {INNER['codex']}")


def test_a_wrapped_inner_agent_is_no_other(start: Start) -> None:
    """Behind ``timeout``, ``env`` and a shell of its own the inner agent is as little the outer one."""
    s = start(ClaudeDriver)
    s.start_trusted()
    inner = "timeout 60 env FOO=1 sh -c \"claude -p 'hello inner'; exit \\$?\""
    goes_on(s, inner)
