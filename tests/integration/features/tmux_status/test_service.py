"""The feature in the daemon: one server never waits for another, and what fails is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.core.model import NS, TmuxClient
from agtmuxd.features.contract import Context
from agtmuxd.features.tmux_status.routes import ROUTES
from agtmuxd.features.tmux_status.service import StatusLines
from agtmuxd.stream.published import PublishedRows, changes_for
from agtmuxd.stream.subscription import Resync
from tests.fake_services import FakeServices, eventually, serving, target
from tests.unit.daemon_stub import pane

pytestmark = pytest.mark.tc("TC-364")


class Servers:
    """Stands for the tmux servers of targets: what is written there, and how they answer."""

    def __init__(self) -> None:
        self.wishes: dict[str, dict[str, str]] = {}
        self.written: dict[str, list[str]] = {}
        self.hangs: set[str] = set()
        self.fails: set[str] = set()

    def targets(self) -> Sequence[str]:
        return list(self.wishes)

    def options(self, target_id: str) -> Mapping[str, str]:
        return self.wishes[target_id]

    async def clients(self, target_id: str) -> Sequence[TmuxClient]:
        return ()

    async def run(self, target_id: str, commands: Sequence[Sequence[str]]) -> None:
        if target_id in self.hangs:
            await asyncio.Event().wait()
        if target_id in self.fails:
            raise AgtmuxError("E_TARGET_UNREACHABLE", "gone")
        self.written.setdefault(target_id, []).extend(c[3] for c in commands if c[2] == "@agtmux_status")

    def message(self, text: str) -> str:
        return text


class Time:
    now = 1_000_000 * NS

    def __call__(self) -> int:
        return self.now


class Stage:
    def __init__(self) -> None:
        self.servers, self.time, self.view = Servers(), Time(), PublishedRows("stream")
        envelope = Envelope(self.time, lambda: [target(), target("gone", "down", "timeout")])
        context = SimpleNamespace(envelope=envelope, view=self.view, tmux=self.servers, clock=self.time)
        self.lines = StatusLines(cast(Context, context))

    async def show(self, **panes: dict[str, Any]) -> None:
        self.view.apply(self.view.sequence + 1, changes_for(self.view, {f"host/%{n}": p for n, p in panes.items()}))
        await self.lines.on_resync(Resync.STARTED)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    task = asyncio.create_task(made.lines.run())
    yield made
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_server_that_hangs_delays_no_other(stage: Stage) -> None:
    stage.servers.hangs = {"slow"}
    stage.servers.wishes = {"slow": {"@agtmux": "on"}, "quick": {"@agtmux": "on"}, "calm": {}}
    await eventually(lambda: stage.servers.written == {"quick": [""]})
    stage.time.now += 2 * NS
    await stage.show(one=pane("%1", state="running"))
    await eventually(lambda: stage.servers.written == {"quick": ["", "#[fg=green]1●#[fg=default]"]})


async def test_a_failure_is_counted_and_tried_again(stage: Stage) -> None:
    stage.servers.fails = {"a"}
    stage.servers.wishes = {"a": {"@agtmux": "on"}}
    await eventually(lambda: stage.lines.health().counters == {"writes": 0, "failures": 1})
    stage.servers.fails = set()
    stage.time.now += 10 * NS
    await stage.show()
    await eventually(lambda: stage.servers.written == {"a": [""]})


async def test_health_says_that_another_daemon_writes_there(stage: Stage) -> None:
    stage.servers.wishes = {"a": {"@agtmux": "on", "@agtmux_by": "other", "@agtmux_at": "1"}}
    await eventually(lambda: stage.lines.health().notes)
    assert stage.lines.health().notes == (
        "another agtmux daemon writes the status line of target a: this one does not",
    )
    stage.servers.wishes = {}
    await eventually(lambda: not stage.lines.health().notes)


@pytest.mark.tc("TC-363")
async def test_the_counts_are_answered_with_how_many_targets_they_lack(stage: Stage, short_dir: Path) -> None:
    await stage.show(one=pane("%1", state="waiting_input", attention="needs_action"), two=pane("%2"))
    async with serving(short_dir, FakeServices(), tables=[RouteTable(ROUTES, stage.lines)]) as api:
        body = await api.get("/v1/status")
    del body["generated_at"]
    assert body == {
        "schema_version": "1.0", "agents": 2, "needs_action": 1, "error": 0, "review": 0, "running": 1,
        "unanswered_targets": 1,
    }  # fmt: skip
