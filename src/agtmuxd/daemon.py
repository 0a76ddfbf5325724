"""Build the parts of the daemon, run them in one TaskGroup, and stop them in order.

This is the composition root: every other module gets what it needs from here. It owns start, signals and shutdown.

Shutdown goes in this order: stop watching targets; answer open requests and close the streams; cancel the tasks; close
the database; close the sockets; release the locks.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from agtmux import __version__
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints
from agtmuxd.actions.audit import load_key
from agtmuxd.actions.buffers import Buffers
from agtmuxd.actions.callers import Callers
from agtmuxd.actions.kinds import action_functions
from agtmuxd.actions.ledger import Ledger
from agtmuxd.actions.pane_check import PaneReader
from agtmuxd.actions.runner import ActionRunner
from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.registry import Registry
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.store import StoredAgents, load_directory
from agtmuxd.api.app import ApiServer
from agtmuxd.api.connections import Connections, affordable
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.api.routes.contract import with_contract
from agtmuxd.clock import Clock
from agtmuxd.config import Settings, load
from agtmuxd.core.model import NS
from agtmuxd.features.host import FeatureHost
from agtmuxd.hooks.health import HookHealth
from agtmuxd.hooks.lookup_files import LookupFiles
from agtmuxd.ingest.app_servers import AppServers
from agtmuxd.ingest.labelling import Labelling, LabelSources
from agtmuxd.ingest.labels import restore
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.ingest.sinks import RemoteHooks
from agtmuxd.ingest.transcripts.follower import TranscriptFollower
from agtmuxd.log.sink import Sink
from agtmuxd.parts import Engine, Intake
from agtmuxd.policy.policy import Policy
from agtmuxd.process import BoundSocket, DaemonPaths, ProcessResources
from agtmuxd.repository import Target
from agtmuxd.resources import build_features, route_tables
from agtmuxd.rules.catalog import RuleCatalog
from agtmuxd.services.daemon import DaemonStatus, HealthSources
from agtmuxd.services.events import Events
from agtmuxd.services.health import StorageHealth
from agtmuxd.services.spool_intake import SpoolIntake
from agtmuxd.services.targets import target_items
from agtmuxd.socket_repair import SocketRepair
from agtmuxd.store import history
from agtmuxd.store.db import Store
from agtmuxd.store.retention import RetentionTask, limits_of
from agtmuxd.store.startup import StartupState, load_all
from agtmuxd.stream.history import Batch
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import Changes, PublishedRows
from agtmuxd.stream.subscription import Subscriptions
from agtmuxd.target_manager.manager import TargetManager
from agtmuxd.target_manager.watches import HOST
from agtmuxd.targets.apart import in_other_pid_space, is_alive
from agtmuxd.targets.executor import TargetExecutor

_LOG = structlog.get_logger("agtmuxd")
FEATURES: tuple[str, ...] = (
    "audit", "agents", "recap", "stuck", "restore", "spawn",
    "tmux_status",
    "web",
    "notify",
    "loop_lag",
    "messages",
    "leases",
    "signals",
    "waits",
    "policies",
    "worktrees",
)  # fmt: skip
"""The features of this daemon, each a folder of ``features/``. To leave one out, delete its name."""
SWITCH_EVERY = 0.0005
"""Seconds for which one thread may make another wait for the GIL. The store's thread releases the GIL at every
statement. With Python's default of 5 ms, it would wait that long each time while requests are parsed."""


class Daemon:
    """One agtmuxd. ``run`` returns when it has stopped."""

    def __init__(
        self, places: DaemonPaths, environ: Mapping[str, str], clock: Clock | None = None, log_sink: Sink | None = None
    ) -> None:
        self._places = places
        self._log = log_sink
        self._environ = environ
        self._clock = clock or Clock()
        self._settings = Settings()
        self._policy = Policy(lambda: self._settings)
        self._stopping = asyncio.Event()
        self._troubles: dict[str, str] = {}
        self._resources = ProcessResources(places, environ)
        self._socket_repair: SocketRepair | None = None
        self._stop_reason: str | None = None
        self._tables: list[RouteTable[Any]] = []
        self._agents: AgentDirectory | None = None
        self._read_rules: Callable[[], None] = lambda: None
        self._settings_changed: Callable[[], None] = lambda: None

    # ---------------------------------------------------------------- start and stop

    async def run(self) -> None:
        """Serve until ``stop`` or a signal. Raises AgtmuxError if it cannot start, or if another daemon replaced it."""
        self._handle_signals()  # first, so that a stop during the start cleans up too
        try:
            self._read_settings()
            await self._serve(self._resources.take())
        finally:
            if self._socket_repair is not None:
                self._socket_repair.close()
            self._resources.release()
        if self._stop_reason is not None:
            raise AgtmuxError("E_PRECONDITION_FAILED", self._stop_reason)

    async def _serve(self, first: BoundSocket) -> None:
        """Open the database, build and run the parts, and always close the database at the end."""
        found = load_all(self._places.database, self._clock(), load_directory)
        self._report_start(found)
        store = Store(found.connection)
        store.start()
        try:
            engine = self._engine(store, found)
            files = LookupFiles(engine.redact, self._report_problem)
            envelope = Envelope(self._clock, lambda: target_items(engine.target_manager, engine.view))
            intake = self._intake(engine, envelope)
            features, agents = self._features(engine, envelope, found.also)
            self._agents = agents
            self._on_reload(engine, intake, files, features)
            connections = Connections(
                affordable(self._settings.api.connections), engine.count, setting="api.connections"
            )
            status = self._status(engine, intake, envelope, features, connections, first.path)
            self._tables = with_contract(route_tables(engine, intake, envelope, status, self._clock) + features.tables)
            server = ApiServer(
                self._tables, first.sock, permit=engine.actions.permit, identify=agents.identify,
                end_streams=engine.hub.close, connections=connections,
            )  # fmt: skip
            self._socket_repair = self._repair(first, server, status, files)
            await self._until_stopped(first, engine, intake, features, files, server, self._socket_repair)
        finally:
            store.close()

    async def _until_stopped(
        self,
        first: BoundSocket,
        engine: Engine,
        intake: Intake,
        features: FeatureHost,
        files: LookupFiles,
        server: ApiServer,
        socket_repair: SocketRepair,
    ) -> None:
        """Start the parts, wait for the stop, and stop them in order: targets, then API, then tasks."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(engine.pipeline.run(), name="pipeline"),
                group.create_task(engine.retention.run(), name="retention"),
            ]
            await engine.target_manager.start(group)
            files.write_socket_path(first.path)
            await server.start()
            engine.store.check()
            tasks += [
                group.create_task(socket_repair.run(), name="socket repair"),
                group.create_task(intake.spool.run(), name="spool"),
                group.create_task(files.run(), name="files for hooks"),
                group.create_task(intake.transcripts.run(), name="transcripts"),
                group.create_task(intake.app_servers.run(), name="app servers"),
                group.create_task(intake.labelling.run(), name="labels"),
                group.create_task(engine.rule_catalog.watch(engine.target_manager.watches.look_again), name="rules"),
                *features.start(group),
            ]
            _LOG.info("ready", version=__version__, pid=os.getpid(), socket=first.path)
            await self._stopping.wait()
            _LOG.info("stopping")
            engine.store.check_now()
            await engine.target_manager.stop()
            await server.stop()
            for task in tasks:
                task.cancel()

    def _report_start(self, found: StartupState[Any]) -> None:
        if found.set_aside is not None:
            self._report_problem(
                "database", f"the database was corrupt and is kept at {found.set_aside}; a new one was started"
            )
            _LOG.error("the database was corrupt: started a new one", kept_at=found.set_aside)
        if found.moved:
            _LOG.warning("the clock was set back since the last daemon ended", seconds=round(found.moved / NS, 3))
        if found.abandoned:
            _LOG.warning(
                "actions were running when the last daemon ended; their results are unknown", actions=found.abandoned
            )
        for number, note in enumerate(found.notes):
            self._report_problem(f"place {number}", note)
            _LOG.warning("the database is in an unsuitable folder", why=note)

    def stop(self) -> None:
        """Stop the daemon. ``run`` returns when it has stopped."""
        self._stopping.set()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_or_log)

    def _reload_or_log(self) -> None:
        try:
            self.reload()
        except AgtmuxError as error:
            _LOG.error("configuration not loaded; the old one stays in use", error=error.message)

    def _report_problem(self, topic: str, wrong: str | None) -> None:
        """Report a current problem in health, by topic. ``wrong`` None: the problem is over."""
        if wrong is None:
            self._troubles.pop(topic, None)
        else:
            self._troubles[topic] = wrong

    # ---------------------------------------------------------------- settings

    def _read_settings(self) -> None:
        self._settings = load(self._places.config)

    def reload(self) -> None:
        """Read the configuration and the rules again.

        Raises E_INVALID_REQUEST if they are wrong. Then the old ones stay in use, and health reports it until a later
        reload succeeds.
        """
        before = self._settings
        try:
            self._read_settings()
            self._read_rules()
            if self._log is not None:
                self._log.bound(self._settings.log_max_bytes)
        except AgtmuxError as error:
            self._settings = before
            self._report_problem("configuration", f"configuration not loaded: {error.message}")
            raise
        self._report_problem("configuration", None)
        self._settings_changed()
        _LOG.info("configuration reloaded", path=self._places.config)

    def _on_reload(self, engine: Engine, intake: Intake, files: LookupFiles, features: FeatureHost) -> None:
        """Set what a reload must update, and write the configured patterns for hooks now."""

        def read_rules() -> None:
            engine.rule_catalog.read()
            engine.target_manager.watches.look_again()

        def settings_changed() -> None:
            files.write_patterns()
            intake.app_servers.check_now()
            features.reloaded()

        self._read_rules, self._settings_changed = read_rules, settings_changed
        files.write_patterns()

    # ---------------------------------------------------------------- builders

    def _engine(self, store: Store, found: StartupState[Any]) -> Engine:
        repository, view = found.repository, PublishedRows(found.stream_id, found.upcoming - 1, found.published)
        restore(repository, found.published)
        redact = Redactor(lambda: self._settings.redaction.patterns)
        registry, rule_catalog = self._adapters(redact)
        hub = Hub(
            view, now=self._clock, read_log=history.log_of(store, view.stream_id), most=self._settings.api.watchers
        )

        subscriptions = Subscriptions()

        def publish(sequence: int, committed_at: int, changes: Changes) -> None:
            batch = Batch(sequence, committed_at, changes)
            hub.publish(batch)
            subscriptions.publish(batch)

        pipeline = Pipeline(
            store, repository, view, registry, publish, self._clock, pending=found.pending,
            skew_budget=int(self._settings.events.skew_budget * NS), lives=is_alive,
        )  # fmt: skip
        target_manager = TargetManager(pipeline, registry, lambda: self._settings, self._environ, self._clock, redact)
        actions = self._actions(store, view, pipeline, registry, target_manager)
        retention = RetentionTask(
            store,
            lambda: limits_of(self._settings.retention),
            lambda: self._settings.store.max_bytes,
            lambda: self._clock() - self._clock.ahead(),
        )
        return Engine(
            store,
            repository,
            view,
            registry,
            rule_catalog,
            redact,
            hub,
            pipeline,
            target_manager,
            actions,
            retention,
            subscriptions,
        )

    def _adapters(self, redact: Redactor) -> tuple[Registry, RuleCatalog]:
        """Build the registry of enabled adapters, with the user's rules on top of theirs."""
        registry = discover([name for name, adapter in self._settings.adapters.items() if not adapter.enabled])
        registry.redact = redact
        rule_catalog = RuleCatalog(registry, Path(self._places.config).parent / "rules")
        for wrong in rule_catalog.read_good_files():
            _LOG.error("rules not loaded", why=wrong)
        return registry, rule_catalog

    def _actions(
        self, store: Store, view: PublishedRows, pipeline: Pipeline, registry: Registry, target_manager: TargetManager
    ) -> ActionRunner:
        """Build the action runner, with the key for its digests, nonces and buffers."""
        key = self._action_key()
        target_manager.watches.buffers = Buffers(key)
        reach, failpoint = target_manager.watches.reach, Failpoints(self._environ.get("AGTMUX_FAILPOINT"))
        return ActionRunner(
            ledger=Ledger(store, pipeline, key, self._clock, failpoint),
            store=store, repository=pipeline.repository, view=view, reader=PaneReader(registry), reach=reach,
            callers=Callers(
                pipeline.repository, reach, pipeline.servers,
                registry.kind_of, in_other_pid_space,
            ),
            policy=self._policy,
            acts=action_functions(pipeline), key=key, clock=self._clock, failpoint=failpoint,
        )  # fmt: skip

    def _action_key(self) -> bytes:
        path = os.path.join(self._places.state_dir, "actions.key")
        try:
            return load_key(path)
        except OSError as error:
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"{path} cannot be read or made: {error.strerror}") from error

    def _intake(self, engine: Engine, envelope: Envelope) -> Intake:
        """Build the parts that post events: API, spool, transcripts and app servers of this machine's agents."""
        repository, registry, pipeline, watches = (
            engine.repository,
            engine.registry,
            engine.pipeline,
            engine.target_manager.watches,
        )
        hook_tests = HookHealth(pipeline)
        events = Events(
            envelope=envelope, view=engine.view, pipeline=pipeline, store=engine.store, redact=engine.redact,
            hook_tests=hook_tests, clock=self._clock, ahead=self._clock.ahead,
        )  # fmt: skip
        transcripts = TranscriptFollower(
            repository, registry, watches.local_agents, pipeline.submit, engine.redact, self._clock,
            wanted=lambda name: self._settings.adapter(name).transcript,
            moved=lambda: (watches.local_revision(), pipeline.passes, id(self._settings)),
            ahead=self._clock.ahead,
        )  # fmt: skip
        app_servers = AppServers(
            repository, registry, watches.local_agents, watches.refresh_now, self._clock,
            wanted=lambda: [n for n, adapter in self._settings.adapters.items() if adapter.app_server],
            version=__version__,
        )  # fmt: skip
        watches.server_claims = app_servers.claims
        watches.make_remote_hooks = self._remote_hooks_factory(engine, events)
        watches.ssh_modules.append("agtmuxd.remote_hooks.link")
        spool = SpoolIntake(
            self._places.spool, engine.store, events, engine.count, ready=lambda: pipeline.first_round(HOST)
        )
        return Intake(events, hook_tests, spool, transcripts, app_servers, self._labelling(engine, transcripts))

    def _labelling(self, engine: Engine, transcripts: TranscriptFollower) -> Labelling:
        """Build the part that finds out what people recognise panes by."""
        watches = engine.target_manager.watches
        sources = LabelSources(
            engine.registry, watches.local_agents, watches.executor, transcripts.headline,
            lambda: engine.pipeline.passes,
        )  # fmt: skip
        labelling = Labelling(
            engine.repository, sources, engine.pipeline.label, engine.redact, engine.count,
            lambda wrong: self._report_problem("folders", wrong),
        )  # fmt: skip
        engine.pipeline.on_changes = labelling.on_changes
        transcripts.on_message = labelling.look_soon
        return labelling

    def _remote_hooks_factory(self, engine: Engine, events: Events) -> Callable[[Target, TargetExecutor], RemoteHooks]:
        """Give a function that makes the link to the hooks of an ssh target."""

        def make_remote_hooks(target: Target, executor: TargetExecutor) -> RemoteHooks:
            # late: ``Watches.load`` has loaded it for ssh targets
            from agtmuxd.remote_hooks.agent_calls import CallAccess
            from agtmuxd.remote_hooks.link import DaemonAccess, RemoteHooksLink
            from agtmuxd.targets.ssh.executor import SshExecutor

            assert isinstance(executor, SshExecutor)  # noqa: S101 the target manager calls this for ssh targets only
            assert self._agents is not None  # noqa: S101 targets are watched once the features are built
            home = DaemonAccess(
                folder=self._places.runtime_dir, identity=engine.view.stream_id, store=engine.store,
                ingest=events.ingest_from, count=engine.count, clock=self._clock,
                timeout=self._settings.targets.command_timeout, patterns=engine.redact.patterns,
                spool_rate=self._settings.targets.spool_rate * 1024.0,
                calls=CallAccess(lambda: self._tables, engine.repository.runtimes_of, self._agents.actor_of),
            )  # fmt: skip
            return RemoteHooksLink(target.target_id, executor, home)

        return make_remote_hooks

    def _features(self, engine: Engine, envelope: Envelope, agents: StoredAgents) -> tuple[FeatureHost, AgentDirectory]:
        return build_features(
            FEATURES, engine, envelope, agents, clock=self._clock, settings=lambda: self._settings,
            routes=lambda: self._tables, environ=self._environ,
        )  # fmt: skip

    def _status(
        self,
        engine: Engine,
        intake: Intake,
        envelope: Envelope,
        features: FeatureHost,
        connections: Connections,
        socket: str,
    ) -> DaemonStatus:
        """Build the service for health and configuration."""
        sources = HealthSources(
            pipeline=engine.pipeline, target_manager=engine.target_manager, hub=engine.hub,
            store=engine.store, registry=engine.registry,
            rule_catalog=engine.rule_catalog, spool=intake.spool.spool,
            transcripts=intake.transcripts, app_servers=intake.app_servers,
            connections=connections, troubles=self._troubles,
            storage_health=StorageHealth(
                engine.store, lambda: self._settings.store.max_bytes, self._log, engine.retention
            ),
        )  # fmt: skip
        return DaemonStatus(
            envelope=envelope, sources=sources, settings=lambda: self._settings,
            paths={"socket": socket, "database": self._places.database, "config": self._places.config},
            reload=self.reload, stop=self.stop, features=features.health, environ=self._environ,
        )  # fmt: skip

    def _repair(self, first: BoundSocket, server: ApiServer, status: DaemonStatus, files: LookupFiles) -> SocketRepair:
        """Build the part that restores a missing socket or lock, and stops this daemon if another one replaced it."""

        def moved(path: str) -> None:
            status.listens_at(path)
            files.write_socket_path(path)

        def report(wrong: str | None) -> None:
            self._report_problem("socket", wrong)

        def give_way(rival: str) -> None:
            self._stop_reason = f"{rival}: this daemon stops"
            _LOG.error("another daemon has taken over", why=self._stop_reason)
            self.stop()

        return SocketRepair(
            first, self._resources.locks, self._resources.usual, paths.spare_socket_path(), listen=server.listen,
            leave=server.stop_listening, moved=moved, report=report, give_way=give_way,
        )  # fmt: skip


def main_async(places: DaemonPaths, log_sink: Sink) -> int:
    """Run a daemon until it stops. Return the exit status. Log why it cannot start."""
    gc.freeze()  # the garbage collector need not check the 250 000 objects of the imported modules
    sys.setswitchinterval(SWITCH_EVERY)
    try:
        asyncio.run(Daemon(places, dict(os.environ), log_sink=log_sink).run())
    except AgtmuxError as error:
        log_sink.write(f"agtmuxd: {error.message} ({error.code})")
        return 1
    finally:
        log_sink.close()
    return 0
