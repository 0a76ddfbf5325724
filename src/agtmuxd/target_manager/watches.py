"""The watch over the targets: an observer and an executor for each, and what goes on beside them.

Owns observers and their tasks. What they see goes to the pipeline; what adapters know comes from the registry. Which
targets there are is the manager's.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import TargetAccess
from agtmuxd.actions.buffers import Buffers
from agtmuxd.adapters.registry import Registry
from agtmuxd.config import Settings
from agtmuxd.core.model import Write
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.ingest.redactor import PaneTexts, Redactor
from agtmuxd.ingest.sinks import CleanupSink, RedactingSink, RemoteHooks, RemoteHooksSink
from agtmuxd.repository import Target
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.executor import ExecutorError, TargetExecutor
from agtmuxd.targets.limits import MIB, Bounds
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.targets.observer import ObservationSink, Observer, RoundIntervals
from agtmuxd.targets.same_server import SharedServers
from agtmuxd.tmux.server import socket_path, tmux_argv

HOST = "host"
_LOG = structlog.get_logger("fleet")


class Watches:
    """Runs one observer per target."""

    def __init__(
        self,
        pipeline: Pipeline,
        registry: Registry,
        settings: Callable[[], Settings],
        environ: Mapping[str, str],
        clock: Callable[[], int],
        redact: Redactor | None = None,
    ) -> None:
        self._redact = redact or Redactor()
        self._pipeline = pipeline
        self._registry = registry
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._observers: dict[str, Observer] = {}
        self._executors: dict[str, TargetExecutor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._beside: dict[str, asyncio.Task[None]] = {}
        self._companions: dict[str, RemoteHooks] = {}
        self._twins = SharedServers(self._rank, self._is_down)
        self.accompany: Callable[[Target, TargetExecutor], RemoteHooks] | None = None
        self.ssh_modules = ["agtmuxd.targets.ssh.executor"]
        """What an ssh target needs loaded: with asyncssh, nearly a second of work."""
        self.buffers = Buffers(os.urandom(32))
        self.heard: Callable[[str, Iterable[Agent]], Mapping[str, Write]] = lambda _target, _agents: {}
        pipeline.on_poke = self._poke

    # ---------------------------------------------------------------- one target

    def start(self, group: asyncio.TaskGroup) -> None:
        """Have the tasks of what is watched from now on run in ``group``."""
        self._group = group

    async def load(self, target: Target) -> None:
        """Before ``watch``: load what such a target needs in a thread, for the loop is not to wait for it."""
        if target.kind == "ssh":
            for name in self.ssh_modules:
                await asyncio.to_thread(importlib.import_module, name)

    def watch(self, target: Target) -> None:
        if self._group is None:
            raise RuntimeError("nothing is watched before the start")
        executor = self._executor(target)
        sink: ObservationSink = RedactingSink(self._pipeline, PaneTexts(self._redact))
        sink = CleanupSink(sink, target.target_id, self.buffers.due, self._tidy)
        if target.kind == "ssh" and self.accompany is not None:
            companion = self._companions[target.target_id] = self.accompany(target, executor)
            sink = RemoteHooksSink(sink, companion)
            name = f"hooks of {target.name}"
            self._beside[target.target_id] = self._group.create_task(self._keep(target, companion.run), name=name)
        settings = self._settings()
        observe = settings.observe
        observer = Observer(
            target.target_id,
            executor,
            lambda: self.argv(target, executor),
            self._registry,
            sink,
            self._clock,
            cadence=RoundIntervals(
                active=observe.active_interval, quiet=observe.quiet_interval, empty=observe.empty_interval,
                table=observe.process_interval, active_for=observe.active_for,
                timeout=settings.targets.command_timeout,
            ),
            local=target.kind == "local",
            socket=lambda: self.socket(target),
            status_files=lambda name: self._settings().adapter(name).status_file,
            heard=lambda agents: self.heard(target.target_id, agents) if target.kind == "local" else {},
            twin=lambda server: self._twin(target.target_id, server),
            bounds=self._bounds(),
        )  # fmt: skip
        self._executors[target.target_id] = executor
        self._observers[target.target_id] = observer
        task = self._group.create_task(self._keep(target, observer.run), name=f"observe {target.name}")
        self._tasks[target.target_id] = task

    async def unwatch(self, target_id: str) -> None:
        """Watch this target no more, and leave its machine as if it had never been watched."""
        tasks = [t for some in (self._tasks, self._beside) if (t := some.pop(target_id, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        companion = self._companions.pop(target_id, None)
        if companion is not None:
            await companion.close(forget=True)
        executor = self._executors.pop(target_id, None)
        if executor is not None:
            await executor.close()
        self._observers.pop(target_id, None)
        self._twins.forget(target_id)

    async def stop(self) -> None:
        """Watch nothing any more."""
        tasks = [*self._tasks.values(), *self._beside.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(c.close(forget=False) for c in self._companions.values()), return_exceptions=True)
        for executor in self._executors.values():
            await executor.close()

    def get(self, target_id: str) -> tuple[TargetExecutor, Observer] | None:
        """What watches this target; None where nothing does."""
        executor, observer = self._executors.get(target_id), self._observers.get(target_id)
        return None if executor is None or observer is None else (executor, observer)

    def observer(self, target_id: str) -> Observer | None:
        return self._observers.get(target_id)

    async def _keep(self, target: Target, run: Callable[[], Awaitable[None]]) -> None:
        """Keep one observer going: an error in it is told and it starts over; it never takes the daemon along."""
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 the outermost edge of this task
                known = isinstance(error, AgtmuxError)  # the store, most likely: health tells of it
                _LOG.error("observer failed; restarting it", target=target.name, error=str(error), exc_info=not known)
                self._pipeline.counters["observer_failures"] += 1
                await asyncio.sleep(1.0)

    def _executor(self, target: Target) -> TargetExecutor:
        if target.kind == "local":
            return LocalExecutor(self._environ)
        from agtmuxd.targets.ssh.executor import SshExecutor  # loaded by now: see load

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

    # ---------------------------------------------------------------- its tmux

    def socket(self, target: Target) -> str:
        """The tmux socket of a target of this machine."""
        name = self._settings().host.tmux_socket if target.name == HOST else target.connection_ref
        return socket_path(tmux_argv("tmux", name), self._environ.get("TMUX_TMPDIR"), os.getuid())

    def argv(self, target: Target, executor: TargetExecutor) -> list[str]:
        """The head of every tmux argument list there. Raises ExecutorError."""
        if not isinstance(executor, LocalExecutor):  # what finds a program there is the shell there
            return tmux_argv(target.options.get("tmux_path") or "tmux", target.options.get("tmux_socket"))
        host = self._settings().host
        if target.name == HOST:
            return tmux_argv(executor.find_tmux(host.tmux_path), host.tmux_socket)
        return tmux_argv(executor.find_tmux(target.options.get("tmux_path")), target.connection_ref)

    def reach(self, target_id: str) -> TargetAccess:
        """How an action reaches a target. Raises E_TARGET_NOT_FOUND, E_TARGET_UNREACHABLE."""
        target, executor = self._pipeline.repository.targets.get(target_id), self._executors.get(target_id)
        if target is None or executor is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {target_id}")
        try:
            argv = self.argv(target, executor)
        except ExecutorError as error:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{target.name}: {error}") from error
        timeout = self._settings().targets.command_timeout
        return TargetAccess(target_id, target.name, target.kind, executor, tuple(argv), timeout, self.buffers)

    async def _tidy(self, target_id: str) -> None:
        """Remove the buffers that an action left there. Nobody waits for it: what fails is tried after the next round
        that follows a failure."""
        try:
            reached = self.reach(target_id)
            left = await self.buffers.remove_left(
                lambda command: reached.executor.run([*reached.tmux, *command], timeout=reached.timeout)
            )
        except (AgtmuxError, ExecutorError) as error:
            _LOG.warning("tmux buffers left by an action could not be removed", target=target_id, error=str(error))
        else:
            if left:
                _LOG.info("removed tmux buffers left by an action", target=target_id, buffers=left)

    # ---------------------------------------------------------------- all of them

    def _poke(self, target_id: str, at: int, table: bool) -> None:
        observer = self._observers.get(target_id)
        if observer is not None:
            observer.request_refresh(at, table=table)

    def stir(self, target_id: str) -> None:
        """Have this target's agents looked at now."""
        self._poke(target_id, 0, table=False)

    def local_agents(self) -> Iterator[tuple[str, Agent]]:
        """The agents of this machine, each with the id of its target."""
        for target_id, observer in self._observers.items():
            if isinstance(self._executors.get(target_id), LocalExecutor):
                for agent in observer.roster.agents.values():
                    yield target_id, agent

    def local_revision(self) -> int:
        """Equal to what it was before as long as the agents of this machine are known to be as they were."""
        here = (o for t, o in self._observers.items() if isinstance(self._executors.get(t), LocalExecutor))
        return sum(observer.roster.stirs for observer in here)

    def look_again(self) -> None:
        """The rules are others now: what is on the screens is looked at anew."""
        for observer in self._observers.values():
            observer.roster.forget_looks()
            observer.request_refresh(0, table=True)

    def check_now(self, target_id: str) -> None:
        """The hooks of an ssh target were changed there."""
        companion = self._companions.get(target_id)
        if companion is not None:
            companion.check_now()

    # ---------------------------------------------------------------- one server, two targets

    def _twin(self, target_id: str, server: str | None) -> str | None:
        """The name of the target that watches this server already."""
        other = self._pipeline.repository.targets.get(self._twins.claim(target_id, server) or "")
        return None if other is None else other.name

    def _rank(self, target_id: str) -> tuple[int, ...]:
        """Who keeps a server: the host target, then one of this machine, then the one that was added first."""
        known = list(self._pipeline.repository.targets)
        target = self._pipeline.repository.targets.get(target_id)
        if target is None:
            return (1, 1, len(known))
        return (not target.is_default, target.kind != "local", known.index(target_id))

    def _is_down(self, target_id: str) -> bool:
        observer = self._observers.get(target_id)
        return observer is None or observer.health.level == "down"
