"""Add, connect, remove and list targets.

Owns the list of targets and their items in the API. Runs one change of the list at a time. ``watches`` owns the
observer of each target.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.adapters.registry import Registry
from agtmuxd.api.requests import ConnectResult, TargetRequest
from agtmuxd.config import Settings
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.repository import Target
from agtmuxd.target_manager.watches import HOST, Watches
from agtmuxd.targets.diagnose import tmux_steps
from agtmuxd.targets.executor import TargetExecutor
from agtmuxd.targets.local.executor import LocalExecutor

T = TypeVar("T")


class TargetManager:
    """Add, connect, remove and list targets. ``watches`` watches them."""

    def __init__(
        self,
        pipeline: Pipeline,
        registry: Registry,
        settings: Callable[[], Settings],
        environ: Mapping[str, str],
        clock: Callable[[], int],
        redact: Redactor | None = None,
    ) -> None:
        self.watches = Watches(pipeline, registry, settings, environ, clock, redact)
        self._pipeline = pipeline
        self._settings = settings
        self._clock = clock
        self._changing = asyncio.Lock()
        """Held while a target is added or removed, and while the manager stops."""
        self._changes: set[asyncio.Task[Any]] = set()
        self._ended = False

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Watch every known target. The first start also adds the host target."""
        self.watches.start(group)
        if self._pipeline.repository.target_named(HOST) is None:
            now = self._clock()
            await self._pipeline.add_target(
                Target(HOST, HOST, "local", None, True, "ok", now, None, None, None, {}, now)
            )
        for target in list(self._pipeline.repository.targets.values()):
            await self.watches.load(target)
            self.watches.watch(target)

    async def stop(self) -> None:
        """Stop watching all targets for good, after a change that is under way has ended."""
        self._ended = True
        async with self._changing:
            await self.watches.stop()

    # ---------------------------------------------------------------- changes

    def _named(self, name: str) -> Target:
        target = self._pipeline.repository.target_named(name)
        if target is not None:
            return target
        known = ", ".join(sorted(t.name for t in self._pipeline.repository.targets.values()))
        raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {one_line(name)[:80]}: use one of {known}")

    async def add(self, request: TargetRequest) -> dict[str, Any]:
        """Add a target and watch it.

        Raises E_TARGET_EXISTS, E_INVALID_REQUEST, and E_PRECONDITION_FAILED while the daemon is stopping.
        """
        return await self._one_at_a_time(lambda: self._add(request))

    async def _one_at_a_time(self, change: Callable[[], Awaitable[T]]) -> T:
        """Run one change of the targets after the other. It goes on even if its caller is cancelled."""

        async def body() -> T:
            async with self._changing:
                if self._ended:
                    raise AgtmuxError("E_PRECONDITION_FAILED", "agtmuxd is stopping: run this again when it is back")
                return await change()

        task = asyncio.create_task(body(), name="change of the targets")
        self._changes.add(task)
        task.add_done_callback(self._change_done)
        return await asyncio.shield(task)

    def _change_done(self, task: asyncio.Task[Any]) -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # mark it as retrieved: the waiting caller gets it

    async def _add(self, request: TargetRequest) -> dict[str, Any]:
        if self._pipeline.repository.target_named(request.name) is not None:
            raise AgtmuxError(
                "E_TARGET_EXISTS",
                f"target {request.name} already exists: to replace it, run agtmux target remove {request.name}",
            )
        target = self._new(request)
        for other in self._pipeline.repository.targets.values():
            if self._endpoint(other) == self._endpoint(target):
                where = f"tmux socket {self._endpoint(target)[2]}"
                if target.kind == "ssh":
                    where += f" of {target.connection_ref}"
                raise AgtmuxError("E_TARGET_EXISTS", f"target {other.name} already watches {where}")
        await self.watches.load(target)
        await self._pipeline.add_target(target)
        self.watches.watch(target)
        return self._item(target)

    def _new(self, request: TargetRequest) -> Target:
        socket, options = request.tmux_socket, {"tmux_path": request.tmux_path}
        ref = request.ssh_target
        if request.kind == "ssh":
            if socket is not None and "/" in socket and not socket.startswith("/"):
                raise AgtmuxError(
                    "E_INVALID_REQUEST", f"tmux_socket: {socket} is on another machine: give the full path, from /"
                )
            options["tmux_socket"] = socket
        else:
            ref = socket or request.name
            if "/" in ref:
                ref = os.path.abspath(Path(ref).expanduser())
        now = self._clock()
        return Target(
            f"{request.kind}:{request.name}", request.name, request.kind, ref, False, "ok", now, None, None, None,
            options, now,
        )  # fmt: skip

    async def connect(self, name: str) -> ConnectResult:
        """Connect to a target now, step by step. A failed step ends the list and raises nothing.

        Raises E_TARGET_NOT_FOUND.
        """
        target = self._named(name)
        watch = self.watches.get(target.target_id)
        if watch is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"target {name} is being removed: wait a moment, then add it again")
        executor, observer = watch
        steps = await executor.dial_steps()
        if all(step["ok"] for step in steps):
            timeout = self._settings().targets.command_timeout
            steps += await tmux_steps(executor, lambda: self._find_tmux(target, executor), observer, timeout)
        return ConnectResult(self._item(self._named(name)), steps)

    async def _find_tmux(self, target: Target, executor: TargetExecutor) -> str:
        """Return the path of tmux on the target. Raises ExecutorError."""
        program = self.watches.argv(target, executor)[0]
        return program if isinstance(executor, LocalExecutor) else await executor.which(program)

    async def remove(self, name: str) -> None:
        """Stop watching a target and delete it.

        Raises E_TARGET_NOT_FOUND, E_INVALID_REQUEST for the host target, and E_STORE_UNAVAILABLE if the database
        refuses. Then the target is watched as before.
        """
        await self._one_at_a_time(lambda: self._remove(name))

    async def _remove(self, name: str) -> None:
        target = self._named(name)
        if target.is_default:
            raise AgtmuxError("E_INVALID_REQUEST", f"target {name} is your own tmux server and cannot be removed")
        await self.watches.unwatch(target.target_id)
        try:
            await self._pipeline.remove_target(target.target_id)
        except BaseException:
            if not self._ended:
                self.watches.watch(target)
            raise

    def _endpoint(self, target: Target) -> tuple[str, str | None, str]:
        """Return what two targets may not share: kind, ssh host and tmux socket (here its real path)."""
        if target.kind == "ssh":
            return target.kind, target.connection_ref, target.options.get("tmux_socket") or "default"
        return target.kind, None, os.path.realpath(self.watches.socket(target))

    # ---------------------------------------------------------------- reports

    def items(self) -> list[dict[str, Any]]:
        """Return the target items of the API, sorted by name."""
        return [self._item(t) for t in sorted(self._pipeline.repository.targets.values(), key=lambda t: t.name)]

    def _item(self, target: Target) -> dict[str, Any]:
        observer = self.watches.observer(target.target_id)
        seen = observer.health.last_good if observer is not None else None
        socket = self._settings().host.tmux_socket if target.name == HOST else target.connection_ref
        offset = self.watches.clock_offset(target.target_id)
        return {
            "target": target.name,
            "target_id": target.target_id,
            "kind": target.kind,
            "connection_ref": socket,
            "is_default": target.is_default,
            "health": target.health,
            "health_since": stamp(target.health_since),
            "reason": target.reason,
            "last_seen_at": stamp_or_none(seen or target.last_seen_at),
            "tmux_version": target.tmux_version,
            "server_pid": observer.server.pid if observer is not None and observer.server is not None else None,
            "rtt_ms": round(observer.rtt_ms, 1) if observer is not None and observer.rtt_ms is not None else None,
            "read": observer is not None and observer.health.last_good is not None,
            "clock_offset_ms": None if offset is None else round(offset / 1e6, 1),
            "agents": observer.agents if observer is not None else 0,
            "panes": sum(1 for key in self._pipeline.repository.panes if key[0] == target.target_id),
            "unread_panes": observer.unread.rows if observer is not None else 0,
            "options": {k: v for k, v in target.options.items() if v is not None},
        }

    def touch(self, report: Callable[[str, int], None]) -> None:
        """Call ``report`` with each target's name and the time (ns) of its last good round."""
        for target in self._pipeline.repository.targets.values():
            observer = self.watches.observer(target.target_id)
            if observer is not None and observer.health.last_good is not None:
                report(target.name, observer.health.last_good)

    def counters(self) -> dict[str, int]:
        """Return counters for the daemon's health: rounds, process tables and unread rows per target."""
        out = {}
        for target in self._pipeline.repository.targets.values():
            observer = self.watches.observer(target.target_id)
            if observer is not None:
                out[f"rounds_{target.name}"] = observer.rounds
                out[f"process_tables_{target.name}"] = observer.tables
                if observer.unread.count:
                    out[f"unread_rows_{target.name}"] = observer.unread.count
        return out

    def unreadable_panes(self) -> list[str]:
        """Return a message per target that has panes that cannot be read now."""
        out = []
        for target in self._pipeline.repository.targets.values():
            observer = self.watches.observer(target.target_id)
            if observer is not None and observer.unread.now:
                (pane, why), *more = observer.unread.now.items()
                others = f", and {len(more)} more" if more else ""
                out.append(
                    f"target {target.name}: tmux lists {pane or 'a pane'} in a way that cannot be read: {why}{others}"
                )
        return out
