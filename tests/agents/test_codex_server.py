"""Codex's app server, the real one: asked only where the user said so, and then only asked."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.codex.app_server import Conversation
from agtmuxd.targets.local.agent_server import clients, connected, find
from tests.agents.conftest import Start
from tests.agents.driver import CodexDriver
from tests.agents.models.codex import FakeCodex
from tests.agents.models.steps import Step
from tests.agents.session import Session

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-016"), pytest.mark.timeout(180)]


def ask_server(s: Session, wanted: bool) -> None:
    """Write the setting and have it read."""
    daemon = s.watch.daemon
    setting = f"[adapters.codex]\napp_server = {json.dumps(wanted)}\n"
    daemon.world.config.write_text(f'[host]\ntmux_socket = "{daemon.world.tmux.socket}"\n{setting}')
    daemon.cli("daemon", "reload")


def servers(s: Session) -> list[dict[str, Any]]:
    health = json.loads(s.watch.daemon.cli("daemon", "status", "--json"))
    return next(list(adapter["servers"]) for adapter in health["adapters"] if adapter["name"] == "codex")


def status_says(s: Session) -> dict[str, Any] | None:
    """The candidate of ``explain`` that the app server is; None where there is none."""
    body = json.loads(s.watch.daemon.cli("explain", s.pane, "--json"))
    return next((dict(c) for c in body["candidates"] if c["source"] == "status"), None)


def until(seen: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 15
    while not seen():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_the_app_server_is_read_only_when_asked_for_and_tells_of_an_approval(start: Start) -> None:
    """No hooks. Off: no connection. On: it tells who waits, and nothing is answered, loaded or begun by being there."""
    s = start(CodexDriver, hooks=False)
    s.start_trusted()
    home, model = s.driver.world.home / ".codex", s.driver.model
    socket = str(home / "app-server-control/app-server-control.sock")
    s.plain_turn()
    assert clients(socket) == 1, "the terminal's alone"
    assert servers(s) == []
    assert status_says(s) is None
    assert all("agtmux" not in name for name in model.user_agents)

    ask_server(s, True)
    until(lambda: any(one["connected"] for one in servers(s)), "it was not connected")
    assert clients(socket) == 2
    s.driver.prompt("bash one")
    s.driver.wait_approval()
    s.expect("running", "waiting_approval")
    s.expect_waiting("approval")
    result = status_says(s)
    assert result is not None
    assert (result["claim"], result["used"]) == ("waiting_approval", True)
    asked = len(model.seen)
    s.watch.expect_quiet(s.pane, 2.5)  # it was asked again meanwhile
    assert s.driver.at.look().has(s.driver.approval_pattern)
    assert len(model.seen) == asked
    assert len(list(home.rglob("rollout-*.jsonl"))) == 1
    s.driver.approve()
    s.expect("running", "completed")
    assert re.search(r" \(agtmux; [\w.]+\)$", model.user_agents[-1]), "what docs/adapters/codex.md says it costs"

    ask_server(s, False)
    until(lambda: clients(socket) == 1, "it was not left")
    until(lambda: (status_says(s) or {}).get("claim") is None, "what it said is still there")
    assert servers(s) == []
    s.watch.expect_quiet(s.pane, 0.5)


class Delegating(FakeCodex):
    """``agent`` has a sub-agent do what needs an approval; what that one is asked does not come as words."""

    def _script(self, word: str, prompt: str) -> list[Step]:
        return super()._script(word if prompt.strip() else "bash", prompt)


class DelegatingDriver(CodexDriver):
    model_type = Delegating


@contextmanager
def conversing(socket: Path) -> Iterator[list[Mapping[str, Any]]]:
    """Every message that comes of a conversation like the daemon's, as long as this lasts."""
    heard: list[Mapping[str, Any]] = []
    over = threading.Event()

    async def converse() -> None:
        async with connected(find(socket)) as wire:
            talk = Conversation("0")
            for question in talk.opening():
                await wire.send(question)
            while not over.is_set():
                try:
                    async with asyncio.timeout(0.2):
                        message = await wire.receive()
                except TimeoutError:
                    continue
                if message is not None:
                    heard.append(message)
                    for answer in talk.receive(message):
                        await wire.send(answer)

    thread = threading.Thread(target=lambda: asyncio.run(converse()))
    thread.start()
    try:
        yield heard
    finally:
        over.set()
        thread.join()


def test_what_a_sub_agent_asks_is_not_put_to_who_only_listens(start: Start) -> None:
    """The server subscribes every client to sub-agents; who left tells of the wait all the same, and may go in it."""
    s = start(DelegatingDriver, hooks=False)
    s.start_trusted("codex -m gpt-6-sol")
    with conversing(s.driver.world.home / ".codex/app-server-control/app-server-control.sock") as heard:
        until(lambda: any("thread" in (m.get("result") or {}) for m in heard), "it was not connected")
        s.driver.prompt("agent please")
        s.driver.wait_approval()
        until(lambda: any("waitingOnApproval" in str(m) for m in heard), "it was not told")
        assert any(m.get("result") == {"status": "unsubscribed"} for m in heard)
        time.sleep(1)
        assert [m for m in heard if "id" in m and "method" in m] == []
    assert s.driver.at.look().has(s.driver.approval_pattern), "that somebody leaves answers nothing"
    s.driver.approve()
    s.driver.wait_ready()
