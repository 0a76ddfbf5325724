"""A real tmux server with a program called as an agent, and all that an action passes through above it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import TargetAccess
from agtmuxd.actions.callers import Callers
from agtmuxd.actions.kinds import action_functions
from agtmuxd.actions.ledger import Ledger
from agtmuxd.actions.pane_check import PaneReader, PaneReading, one_pane
from agtmuxd.actions.runner import ActionRunner
from agtmuxd.adapters.discovery import discover
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Caller, Guards, Kind, NoParams, Params, Request, SendParams
from agtmuxd.core.model import PaneRow, Source
from agtmuxd.policy.policy import Policy
from agtmuxd.repository import Runtime
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.executor import LocalExecutor
from tests.conftest import Tmux, until
from tests.rig import QUIET, TARGET, Agent, Rig

KEY = b"k" * 32


SHELL: dict[str, Any] = {"shell": True}


DOWN = SendParams(keys=("Down",))


class Ground:
    """A tmux server, and a program that is called as an agent is and prints what it is told to."""

    def __init__(self, tmux: Tmux, folder: Path) -> None:
        self.tmux = tmux
        self.program = folder / "claude"
        shutil.copy("/bin/dash" if Path("/bin/dash").exists() else "/bin/sh", self.program)
        self.executor = LocalExecutor({"PATH": os.environ["PATH"]})
        argv = (self.executor.find_tmux(), "-u", "-S", str(tmux.socket))
        self.reached = TargetAccess(TARGET, "host", "local", self.executor, argv, 10.0)
        self.reader = PaneReader(discover([]))

    def agent(self, session: str = "main") -> str:
        """A pane in which it runs, with an empty input field on its screen."""
        rule = "─" * 40
        field = f"printf '%s\\n' '{rule}' '❯ ' '{rule}' '  ? for shortcuts'; printf '\\033[2;3H'"
        body = f"{field}; while read -r x; do :; done"
        pane = self.tmux.start(str(self.program), "-c", body, session=session)
        until(lambda: "shortcuts" in self.tmux.run("capture-pane", "-p", "-t", pane))
        return pane

    def life(self, pid: int) -> Runtime:
        proc = process_table.read_one(pid)
        assert proc is not None
        return Runtime(
            "rt-0123456789abcdef", TARGET, "%0", "b", 1, "claude", None, None, None, pid, proc.start, 1, False, None,
            None, 1,
        )  # fmt: skip

    async def read(self, pane: str, runtime: Runtime | None) -> PaneReading:
        return await self.reader.read(self.reached, pane, "b", runtime, None)


class Desk(Ground):
    """All that an action goes through, over a door whose rounds the test tells."""

    def __init__(self, tmux: Tmux, folder: Path) -> None:
        super().__init__(tmux, folder)
        self.at: dict[str, Callable[[], None]] = {}
        self.settings = Settings()
        self.reached_points: list[str] = []

    async def open(self, rig: Rig) -> None:
        self.rig = rig
        self.pane = await asyncio.to_thread(self.agent)
        row = await self._row()
        runtime = self.life(self.tmux.pid(self.pane))
        self.seen = Agent(
            self.pane, pid=runtime.pid or 0, start=runtime.process_start or "", levels={Source.POLLER: QUIET}
        )
        server = (await one_pane(self.reached, self.pane)).server
        assert server is not None
        self.boot, self.server = server.boot_id, server.pid
        self.row = row
        await self.round()
        self.actions = ActionRunner(
            ledger=Ledger(rig.store, rig.pipeline, KEY, rig.clock, self),  # type: ignore[arg-type]
            store=rig.store, repository=rig.pipeline.repository, view=rig.view,
            reader=self.reader, reach=lambda _: self.reached,
            callers=Callers(rig.pipeline.repository, lambda _: self.reached, rig.pipeline.servers),
            policy=Policy(lambda: self.settings),
            acts=action_functions(rig.pipeline), key=KEY, clock=rig.clock, failpoint=self,  # type: ignore[arg-type]
        )  # fmt: skip

    async def _row(self) -> PaneRow:
        read = await one_pane(self.reached, self.pane)
        assert read.row is not None
        return read.row

    async def round(self, *agents: Agent) -> None:
        for _ in range(2):
            self.rig.clock.forward(1)
            await self.rig.round(*(agents or (self.seen,)), panes=(self.row,), boot=self.boot, server=self.server)

    def __call__(self, point: str) -> None:
        """A failpoint: what the test wants to happen there."""
        if point in self.at:
            self.at.pop(point)()

    async def ask(
        self, kind: Kind, params: Params | None = None, name: str = "request-1", pid: int | None = None,
        ref: str | None = None, **guards: Any,
    ) -> Any:  # fmt: skip
        """``pid``: who asks; the test itself where it is not said. ``ref``: the pane's where it is not said."""
        item = self.rig.item(self.pane)
        assert item is not None
        request = Request(kind, name, ref or item["ref"], Guards(**guards), params or NoParams())
        return await self.actions.perform(request, Caller(os.getuid(), pid or os.getpid()))

    async def refused(self, kind: Kind, params: Params | None = None, **more: Any) -> str:
        with pytest.raises(AgtmuxError) as caught:
            await self.ask(kind, params, **more)
        return str(caught.value.details["reason"])
