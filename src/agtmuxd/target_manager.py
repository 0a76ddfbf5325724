"""The targets under watch: which there are, the observer of each, adding, reaching and removing them.

Owns observers and their tasks. What they see goes to the door; what adapters know comes from the registry.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.actions.access import Reached
from agtmuxd.actions.buffers import Buffers
from agtmuxd.adapters.registry import Registry
from agtmuxd.api.requests import Connecting, TargetRequest
from agtmuxd.config import Settings
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.core.model import Write
from agtmuxd.ingest.pipeline import Door
from agtmuxd.ingest.redactor import PaneTexts, Redactor
from agtmuxd.ingest.sinks import Accompanied, Companion, Tidied, WithoutSecrets
from agtmuxd.repository import Target
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.diagnose import tmux_steps
from agtmuxd.targets.executor import ExecutorError, TargetExecutor
from agtmuxd.targets.limits import MIB, Bounds
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.targets.observer import Cadence, Observer, Sink
from agtmuxd.targets.same_server import Twins
from agtmuxd.tmux.server import socket_path, tmux_argv

T = TypeVar("T")

HOST = "host"
_LOG = structlog.get_logger("fleet")


class Fleet:
    """Runs one observer per target."""

    def __init__(
        self,
        door: Door,
        registry: Registry,
        settings: Callable[[], Settings],
        environ: Mapping[str, str],
        clock: Callable[[], int],
        redact: Redactor | None = None,
    ) -> None:
        self._redact = redact or Redactor()
        self._door = door
        self._registry = registry
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._observers: dict[str, Observer] = {}
        self._executors: dict[str, TargetExecutor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._beside: dict[str, asyncio.Task[None]] = {}
        self._companions: dict[str, Companion] = {}
        self._changing = asyncio.Lock()
        """Adding, removing and the end check, wait and act: one after the other."""
        self._changes: set[asyncio.Task[Any]] = set()
        self._ended = False
        self._twins = Twins(self._rank, self._is_down)
        self.accompany: Callable[[Target, TargetExecutor], Companion] | None = None
        self.buffers = Buffers(os.urandom(32))
        self.heard: Callable[[str, Iterable[Agent]], Mapping[str, Write]] = lambda _target, _agents: {}
        door.on_poke = self._poke

    def _poke(self, target_id: str, at: int, table: bool) -> None:
        observer = self._observers.get(target_id)
        if observer is not None:
            observer.poke(at, table=table)

    def stir(self, target_id: str) -> None:
        """Have this target's agents looked at now."""
        self._poke(target_id, 0, table=False)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Begin watching every known target; the host target is made on the first start."""
        self._group = group
        if self._door.world.target_named(HOST) is None:
            now = self._clock()
            await self._door.add_target(Target(HOST, HOST, "local", None, True, "ok", now, None, None, None, {}, now))
        for target in list(self._door.world.targets.values()):
            self._watch(target)

    def _watch(self, target: Target) -> None:
        if self._group is None:
            raise RuntimeError("the fleet has not started")
        executor = self._executor(target)
        sink: Sink = WithoutSecrets(self._door, PaneTexts(self._redact))
        sink = Tidied(sink, target.target_id, self.buffers.due, self._tidy)
        if target.kind == "ssh" and self.accompany is not None:
            companion = self._companions[target.target_id] = self.accompany(target, executor)
            sink = Accompanied(sink, companion)
            name = f"hooks of {target.name}"
            self._beside[target.target_id] = self._group.create_task(self._keep(target, companion.run), name=name)
        settings = self._settings()
        observe = settings.observe
        observer = Observer(
            target.target_id,
            executor,
            lambda: self._argv(target, executor),
            self._registry,
            sink,
            self._clock,
            cadence=Cadence(
                active=observe.active_interval, quiet=observe.quiet_interval, empty=observe.empty_interval,
                table=observe.process_interval, active_for=observe.active_for,
                timeout=settings.targets.command_timeout,
            ),
            local=target.kind == "local",
            socket=lambda: self._socket(target),
            status_files=lambda name: self._settings().adapter(name).status_file,
            heard=lambda agents: self.heard(target.target_id, agents) if target.kind == "local" else {},
            twin=lambda server: self._twin(target.target_id, server),
            bounds=self._bounds(),
        )  # fmt: skip
        self._executors[target.target_id] = executor
        self._observers[target.target_id] = observer
        task = self._group.create_task(self._keep(target, observer.run), name=f"observe {target.name}")
        self._tasks[target.target_id] = task

    def _executor(self, target: Target) -> TargetExecutor:
        if target.kind == "local":
            return LocalExecutor(self._environ)
        from agtmuxd.targets.ssh.executor import (
            SshExecutor,  # asyncssh is not small: who has no ssh target does not load it
        )

        settings = self._settings()
        return SshExecutor(
            target.connection_ref or target.name,
            config_file=settings.ssh.config_file,
            tmux=target.options.get("tmux_path") or "tmux",
            connect_timeout=settings.targets.connect_timeout,
            command_timeout=settings.targets.command_timeout,
            bounds=self._bounds(),
        )

    def _bounds(self) -> Bounds:
        limits = self._settings().targets
        return Bounds(limits.max_panes, limits.max_processes, limits.max_answer * MIB)

    async def _keep(self, target: Target, run: Callable[[], Awaitable[None]]) -> None:
        """Keep one observer going: an error in it is told and it starts over; it never takes the daemon along."""
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 the outermost edge of this task
                known = isinstance(error, AgtmuxError)  # the store, most likely: health tells of it
                _LOG.error("observer failed, starts over", target=target.name, error=str(error), exc_info=not known)
                self._door.counters["observer_failures"] += 1
                await asyncio.sleep(1.0)

    def _socket(self, target: Target) -> str:
        name = self._settings().host.tmux_socket if target.name == HOST else target.connection_ref
        return socket_path(tmux_argv("tmux", name), self._environ.get("TMUX_TMPDIR"), os.getuid())

    def _argv(self, target: Target, executor: TargetExecutor) -> list[str]:
        if not isinstance(executor, LocalExecutor):  # what finds a program there is the shell there
            return tmux_argv(target.options.get("tmux_path") or "tmux", target.options.get("tmux_socket"))
        host = self._settings().host
        if target.name == HOST:
            return tmux_argv(executor.find_tmux(host.tmux_path), host.tmux_socket)
        return tmux_argv(executor.find_tmux(target.options.get("tmux_path")), target.connection_ref)

    def reach(self, target_id: str) -> Reached:
        """How an action reaches a target. Raises E_TARGET_NOT_FOUND, E_TARGET_UNREACHABLE."""
        target, executor = self._door.world.targets.get(target_id), self._executors.get(target_id)
        if target is None or executor is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {target_id}")
        try:
            argv = self._argv(target, executor)
        except ExecutorError as error:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{target.name}: {error}") from error
        timeout = self._settings().targets.command_timeout
        return Reached(target_id, target.name, target.kind, executor, tuple(argv), timeout, self.buffers)

    async def _tidy(self, target_id: str) -> None:
        """Remove the buffers that an action left there. Nobody waits for it: what fails is tried after the next round
        that follows a failure."""
        try:
            reached = self.reach(target_id)
            left = await self.buffers.remove_left(
                lambda command: reached.executor.run([*reached.tmux, *command], timeout=reached.timeout)
            )
        except (AgtmuxError, ExecutorError) as error:
            _LOG.warning("buffers that an action left may still be there", target=target_id, error=str(error))
        else:
            if left:
                _LOG.info("buffers that an action left were removed", target=target_id, buffers=left)

    def agents_here(self) -> Iterator[tuple[str, Agent]]:
        """The agents of this machine, each with the id of its target."""
        for target_id, observer in self._observers.items():
            if isinstance(self._executors.get(target_id), LocalExecutor):
                for agent in observer.roster.agents.values():
                    yield target_id, agent

    def stirs_here(self) -> int:
        """Equal to what it was before as long as the agents of this machine are known to be as they were."""
        here = (o for t, o in self._observers.items() if isinstance(self._executors.get(t), LocalExecutor))
        return sum(observer.roster.stirs for observer in here)

    def look_again(self) -> None:
        """The rules are others now: what is on the screens is looked at anew."""
        for observer in self._observers.values():
            observer.roster.forget_looks()
            observer.poke(0, table=True)

    def hurry(self, target_id: str) -> None:
        """The hooks of an ssh target were changed there."""
        companion = self._companions.get(target_id)
        if companion is not None:
            companion.hurry()

    async def stop(self) -> None:
        """Watch nothing any more, for good; what is being added or removed comes to its end first."""
        self._ended = True
        async with self._changing:
            await self._stop()

    async def _stop(self) -> None:
        tasks = [*self._tasks.values(), *self._beside.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(c.close(forget=False) for c in self._companions.values()), return_exceptions=True)
        for executor in self._executors.values():
            await executor.close()

    # ---------------------------------------------------------------- the target manager

    def items(self) -> list[dict[str, Any]]:
        """Target items of the API, by name."""
        return [self._item(t) for t in sorted(self._door.world.targets.values(), key=lambda t: t.name)]

    def _item(self, target: Target) -> dict[str, Any]:
        observer = self._observers.get(target.target_id)
        seen = observer.health.last_good if observer is not None else None
        socket = self._settings().host.tmux_socket if target.name == HOST else target.connection_ref
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
            "rtt_ms": round(observer.rtt_ms, 1) if observer is not None and observer.rtt_ms is not None else None,
            "read": observer is not None and observer.health.last_good is not None,
            "agents": observer.agents if observer is not None else 0,
            "panes": sum(1 for key in self._door.world.panes if key[0] == target.target_id),
            "unread_panes": observer.unread.rows if observer is not None else 0,
            "options": {k: v for k, v in target.options.items() if v is not None},
        }

    def _named(self, name: str) -> Target:
        target = self._door.world.target_named(name)
        if target is not None:
            return target
        known = ", ".join(sorted(t.name for t in self._door.world.targets.values()))
        raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {one_line(name)[:80]}; known: {known}")

    async def add(self, request: TargetRequest) -> dict[str, Any]:
        """Add a target and watch it. Raises E_TARGET_EXISTS, E_INVALID_REQUEST; E_PRECONDITION_FAILED at the end."""
        return await self._in_turn(lambda: self._add(request))

    async def _in_turn(self, change: Callable[[], Awaitable[T]]) -> T:
        """One change of the targets after the other. Once begun it goes on, also where nobody waits for it any more."""

        async def body() -> T:
            async with self._changing:
                if self._ended:
                    raise AgtmuxError("E_PRECONDITION_FAILED", "agtmuxd is stopping: type this again when it runs")
                return await change()

        task = asyncio.create_task(body(), name="change of the targets")
        self._changes.add(task)
        task.add_done_callback(self._changed)
        return await asyncio.shield(task)

    def _changed(self, task: asyncio.Task[Any]) -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waited

    async def _add(self, request: TargetRequest) -> dict[str, Any]:
        if self._door.world.target_named(request.name) is not None:
            raise AgtmuxError(
                "E_TARGET_EXISTS", f"target {request.name} is there already: agtmux target remove {request.name}"
            )
        target = self._new(request)
        for other in self._door.world.targets.values():
            if self._place(other) == self._place(target):
                where = f"tmux socket {self._place(target)[2]}"
                if target.kind == "ssh":
                    where += f" of {target.connection_ref}"
                raise AgtmuxError("E_TARGET_EXISTS", f"target {other.name} watches {where} already")
        await self._door.add_target(target)
        self._watch(target)
        return self._item(target)

    def _new(self, request: TargetRequest) -> Target:
        socket, options = request.tmux_socket, {"tmux_path": request.tmux_path}
        ref = request.ssh_target
        if request.kind == "ssh":
            if socket is not None and "/" in socket and not socket.startswith("/"):
                raise AgtmuxError(
                    "E_INVALID_REQUEST", f"tmux_socket: {socket} is a path on another machine: give it whole, from /"
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

    async def connect(self, name: str) -> Connecting:
        """Reach for a target now, step by step. A failed step ends the list; it is no error."""
        target = self._named(name)
        executor, observer = self._executors.get(target.target_id), self._observers.get(target.target_id)
        if executor is None or observer is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"target {name} is being removed")
        steps = await executor.dial_steps()
        if all(step["ok"] for step in steps):
            timeout = self._settings().targets.command_timeout
            steps += await tmux_steps(executor, lambda: self._find(target, executor), observer, timeout)
        return Connecting(self._item(self._named(name)), steps)

    async def _find(self, target: Target, executor: TargetExecutor) -> str:
        """Where tmux is. Raises ExecutorError."""
        program = self._argv(target, executor)[0]
        return program if isinstance(executor, LocalExecutor) else await executor.which(program)

    async def remove(self, name: str) -> None:
        """Stop watching and forget. Raises E_TARGET_NOT_FOUND, E_INVALID_REQUEST for the host target.

        Where it cannot be forgotten (E_STORE_UNAVAILABLE) it is watched as before.
        """
        await self._in_turn(lambda: self._remove(name))

    async def _remove(self, name: str) -> None:
        target = self._named(name)
        if target.is_default:
            raise AgtmuxError("E_INVALID_REQUEST", f"target {name} is your own tmux server and always there")
        tasks = [t for some in (self._tasks, self._beside) if (t := some.pop(target.target_id, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        companion = self._companions.pop(target.target_id, None)
        if companion is not None:
            await companion.close(forget=True)
        executor = self._executors.pop(target.target_id, None)
        if executor is not None:
            await executor.close()
        self._observers.pop(target.target_id, None)
        self._twins.forget(target.target_id)
        try:
            await self._door.remove_target(target.target_id)
        except BaseException:
            if not self._ended:
                self._watch(target)
            raise

    # ---------------------------------------------------------------- one server, two targets

    def _twin(self, target_id: str, server: str | None) -> str | None:
        """The name of the target that watches this server already."""
        other = self._door.world.targets.get(self._twins.claim(target_id, server) or "")
        return None if other is None else other.name

    def _rank(self, target_id: str) -> tuple[int, ...]:
        """Who keeps a server: the host target, then one of this machine, then the one that was added first."""
        known = list(self._door.world.targets)
        target = self._door.world.targets.get(target_id)
        if target is None:
            return (1, 1, len(known))
        return (not target.is_default, target.kind != "local", known.index(target_id))

    def _is_down(self, target_id: str) -> bool:
        observer = self._observers.get(target_id)
        return observer is None or observer.health.level == "down"

    def _place(self, target: Target) -> tuple[str, str | None, str]:
        """What two targets may not have in common: of this machine the socket itself, however it is spelled."""
        if target.kind == "ssh":
            return target.kind, target.connection_ref, target.options.get("tmux_socket") or "default"
        return target.kind, None, os.path.realpath(self._socket(target))

    def touch(self, tell: Callable[[str, int], None]) -> None:
        """Say of each target when it was last read well."""
        for target in self._door.world.targets.values():
            observer = self._observers.get(target.target_id)
            if observer is not None and observer.health.last_good is not None:
                tell(target.name, observer.health.last_good)

    def figures(self) -> dict[str, int]:
        """Counters for health: rounds and process tables per target."""
        out = {}
        for target in self._door.world.targets.values():
            observer = self._observers.get(target.target_id)
            if observer is not None:
                out[f"rounds_{target.name}"] = observer.rounds
                out[f"process_tables_{target.name}"] = observer.tables
                if observer.unread.count:
                    out[f"unread_rows_{target.name}"] = observer.unread.count
        return out

    def complaints(self) -> list[str]:
        """Panes that cannot be read now, for people: a line per target."""
        out = []
        for target in self._door.world.targets.values():
            observer = self._observers.get(target.target_id)
            if observer is not None and observer.unread.now:
                (pane, why), *more = observer.unread.now.items()
                others = f", and {len(more)} more" if more else ""
                out.append(
                    f"target {target.name}: tmux lists {pane or 'a pane'} in a way that cannot be read: {why}{others}"
                )
        return out
