"""Run an observer and an executor for each target.

Owns the observers, the executors, the remote hooks links of ssh targets, and their tasks. Observations go to the
pipeline. The adapters come from the registry. ``manager`` decides which targets there are.
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
_LOG = structlog.get_logger("targets")


class Watches:
    """Run one observer per target."""

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
        self._link_tasks: dict[str, asyncio.Task[None]] = {}
        self._links: dict[str, RemoteHooks] = {}
        self._shared = SharedServers(self._rank, self._is_down)
        self.make_remote_hooks: Callable[[Target, TargetExecutor], RemoteHooks] | None = None
        self.ssh_modules = ["agtmuxd.targets.ssh.executor"]
        """Modules that an ssh target needs. Loading them, with asyncssh, takes nearly a second."""
        self.buffers = Buffers(os.urandom(32))
        self.server_claims: Callable[[str, Iterable[Agent]], Mapping[str, Write]] = lambda _target, _agents: {}
        pipeline.on_refresh_request = self._request_refresh

    # ---------------------------------------------------------------- one target

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run the tasks of all observers in ``group``."""
        self._group = group

    async def load(self, target: Target) -> None:
        """Load the modules that the target needs, in a thread. Call before ``watch``."""
        if target.kind == "ssh":
            for name in self.ssh_modules:
                await asyncio.to_thread(importlib.import_module, name)

    def watch(self, target: Target) -> None:
        """Start to observe a target. Raises RuntimeError before ``start``."""
        if self._group is None:
            raise RuntimeError("nothing is watched before the start")
        executor = self._executor(target)
        sink: ObservationSink = RedactingSink(self._pipeline, PaneTexts(self._redact))
        sink = CleanupSink(sink, target.target_id, self.buffers.due, self._remove_buffers)
        if target.kind == "ssh" and self.make_remote_hooks is not None:
            link = self._links[target.target_id] = self.make_remote_hooks(target, executor)
            sink = RemoteHooksSink(sink, link)
            name = f"hooks of {target.name}"
            self._link_tasks[target.target_id] = self._group.create_task(
                self._keep_running(target, link.run), name=name
            )
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
            server_claims=lambda agents: self.server_claims(target.target_id, agents) if target.kind == "local" else {},
            twin=lambda server: self._other_target(target.target_id, server),
            bounds=self._bounds(),
        )  # fmt: skip
        self._executors[target.target_id] = executor
        self._observers[target.target_id] = observer
        task = self._group.create_task(self._keep_running(target, observer.run), name=f"observe {target.name}")
        self._tasks[target.target_id] = task

    async def unwatch(self, target_id: str) -> None:
        """Stop watching a target, and remove what agtmux left on its machine."""
        tasks = [t for some in (self._tasks, self._link_tasks) if (t := some.pop(target_id, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        link = self._links.pop(target_id, None)
        if link is not None:
            await link.close(forget=True)
        executor = self._executors.pop(target_id, None)
        if executor is not None:
            await executor.close()
        self._observers.pop(target_id, None)
        self._shared.forget(target_id)

    async def stop(self) -> None:
        """Stop watching all targets."""
        tasks = [*self._tasks.values(), *self._link_tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(c.close(forget=False) for c in self._links.values()), return_exceptions=True)
        for executor in self._executors.values():
            await executor.close()

    def get(self, target_id: str) -> tuple[TargetExecutor, Observer] | None:
        """Return the executor and observer of a target, None if it is not watched."""
        executor, observer = self._executors.get(target_id), self._observers.get(target_id)
        return None if executor is None or observer is None else (executor, observer)

    def executor(self, target_id: str) -> TargetExecutor | None:
        """Return the executor of a target, None if it is not watched."""
        return self._executors.get(target_id)

    def target(self, target_id: str) -> Target | None:
        return self._pipeline.repository.targets.get(target_id)

    def observer(self, target_id: str) -> Observer | None:
        return self._observers.get(target_id)

    def observers(self) -> list[tuple[str, Observer]]:
        """Return the observers of all targets, each with the id of its target."""
        return list(self._observers.items())

    async def _keep_running(self, target: Target, run: Callable[[], Awaitable[None]]) -> None:
        """Run an observer. After an error, log it and start again: an error here must not end the daemon."""
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 the outermost edge of this task
                known = isinstance(error, AgtmuxError)  # most likely the store; health reports it
                _LOG.error("observer failed; restarting it", target=target.name, error=str(error), exc_info=not known)
                self._pipeline.counters["observer_failures"] += 1
                await asyncio.sleep(1.0)

    def _executor(self, target: Target) -> TargetExecutor:
        if target.kind == "local":
            return LocalExecutor(self._environ)
        from agtmuxd.targets.ssh.executor import SshExecutor  # ``load`` has loaded it by now

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
        """Return the tmux socket of a target of this machine."""
        name = self._settings().host.tmux_socket if target.name == HOST else target.connection_ref
        return socket_path(tmux_argv("tmux", name), self._environ.get("TMUX_TMPDIR"), os.getuid())

    def argv(self, target: Target, executor: TargetExecutor) -> list[str]:
        """Return the first words of every tmux command line on the target. Raises ExecutorError."""
        if not isinstance(executor, LocalExecutor):  # the shell there finds the program
            return tmux_argv(target.options.get("tmux_path") or "tmux", target.options.get("tmux_socket"))
        host = self._settings().host
        if target.name == HOST:
            return tmux_argv(executor.find_tmux(host.tmux_path), host.tmux_socket)
        return tmux_argv(executor.find_tmux(target.options.get("tmux_path")), target.connection_ref)

    def reach(self, target_id: str) -> TargetAccess:
        """Return what an action needs to reach a target. Raises E_TARGET_NOT_FOUND, E_TARGET_UNREACHABLE."""
        target, executor = self._pipeline.repository.targets.get(target_id), self._executors.get(target_id)
        if target is None or executor is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {target_id}")
        try:
            argv = self.argv(target, executor)
        except ExecutorError as error:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{target.name}: {error}") from error
        timeout = self._settings().targets.command_timeout
        return TargetAccess(target_id, target.name, target.kind, executor, tuple(argv), timeout, self.buffers)

    async def _remove_buffers(self, target_id: str) -> None:
        """Remove the tmux buffers that an action left on the target.

        A failure is only logged: it is tried again after a later round.
        """
        try:
            reached = self.reach(target_id)
            left = await self.buffers.remove_leftovers(
                lambda command: reached.executor.run([*reached.tmux, *command], timeout=reached.timeout)
            )
        except (AgtmuxError, ExecutorError) as error:
            _LOG.warning("tmux buffers left by an action could not be removed", target=target_id, error=str(error))
        else:
            if left:
                _LOG.info("removed tmux buffers left by an action", target=target_id, buffers=left)

    # ---------------------------------------------------------------- all of them

    def _request_refresh(self, target_id: str, at: int, table: bool) -> None:
        observer = self._observers.get(target_id)
        if observer is not None:
            observer.request_refresh(at, table=table)

    def refresh_now(self, target_id: str) -> None:
        """Request a round of this target now."""
        self._request_refresh(target_id, 0, table=False)

    def local_agents(self) -> Iterator[tuple[str, Agent]]:
        """Yield the agents of this machine, each with the id of its target."""
        for target_id, observer in self._observers.items():
            if isinstance(self._executors.get(target_id), LocalExecutor):
                for agent in observer.roster.agents.values():
                    yield target_id, agent

    def local_revision(self) -> int:
        """Return a number that stays the same as long as nothing changed for the agents of this machine."""
        here = (o for t, o in self._observers.items() if isinstance(self._executors.get(t), LocalExecutor))
        return sum(observer.roster.revision for observer in here)

    def look_again(self) -> None:
        """Read all screens again with the rules that are now in use, and request a round of every target."""
        for observer in self._observers.values():
            observer.roster.forget_looks()
            observer.request_refresh(0, table=True)

    def check_now(self, target_id: str) -> None:
        """Have the remote hooks link of an ssh target check the machine now: its hooks were changed."""
        link = self._links.get(target_id)
        if link is not None:
            link.check_now()

    def clock_offset(self, target_id: str) -> int | None:
        """Return the clock of an ssh target's machine minus ours in ns. None if it was not measured."""
        link = self._links.get(target_id)
        return None if link is None else link.offset

    # ---------------------------------------------------------------- one server, two targets

    def _other_target(self, target_id: str, server: str | None) -> str | None:
        """Return the name of the target that already watches this server, None if none does."""
        other = self._pipeline.repository.targets.get(self._shared.claim(target_id, server) or "")
        return None if other is None else other.name

    def _rank(self, target_id: str) -> tuple[int, ...]:
        """Return the rank of a target. Of two targets with one server, the lower rank watches it.

        The host target comes first, then targets of this machine, then the one that was added first.
        """
        known = list(self._pipeline.repository.targets)
        target = self._pipeline.repository.targets.get(target_id)
        if target is None:
            return (1, 1, len(known))
        return (not target.is_default, target.kind != "local", known.index(target_id))

    def _is_down(self, target_id: str) -> bool:
        observer = self._observers.get(target_id)
        return observer is None or observer.health.level == "down"
