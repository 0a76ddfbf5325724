"""The composition root: builds the parts, runs them in one TaskGroup, and stops them in order.

Owns the process's life: start, signals, shutdown. Every other module is handed what it needs.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from agtmux import __version__
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import open_regular
from agtmuxd.actions.access import Failpoints
from agtmuxd.actions.audit import load_key
from agtmuxd.actions.buffers import Buffers
from agtmuxd.actions.callers import Callers
from agtmuxd.actions.kinds import acts
from agtmuxd.actions.ledger import Ledger
from agtmuxd.actions.pane_check import Reader
from agtmuxd.actions.runner import Actions
from agtmuxd.adapters.discovery import discover
from agtmuxd.api.app import ApiServer
from agtmuxd.api.connections import Connections, affordable
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.requests import WireEvent
from agtmuxd.api.route import RouteTable
from agtmuxd.api.routes import actions as action_routes
from agtmuxd.api.routes import daemon as daemon_routes
from agtmuxd.api.routes import events as event_routes
from agtmuxd.api.routes import hooks as hook_routes
from agtmuxd.api.routes import panes as pane_routes
from agtmuxd.api.routes import rules as rule_routes
from agtmuxd.api.routes import targets as target_routes
from agtmuxd.api.routes import watch as watch_routes
from agtmuxd.api.routes.contract import with_contract
from agtmuxd.clock import Clock
from agtmuxd.config import Settings, load
from agtmuxd.core.model import NS
from agtmuxd.hooks.health import HookCare
from agtmuxd.ingest.app_servers import Served
from agtmuxd.ingest.pipeline import Door
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.ingest.sinks import Companion
from agtmuxd.ingest.spool import Spool
from agtmuxd.ingest.transcripts.follower import Transcripts
from agtmuxd.log.sink import Sink
from agtmuxd.process import Address, Places, ProcessResources
from agtmuxd.repository import Target
from agtmuxd.rules.catalog import Rulebook
from agtmuxd.services.actions import ActionRequests
from agtmuxd.services.daemon import DaemonStatus, HealthSources
from agtmuxd.services.events import Events
from agtmuxd.services.health import Vitals
from agtmuxd.services.hooks import Hooks
from agtmuxd.services.panes import Panes
from agtmuxd.services.targets import Targets, target_items
from agtmuxd.services.watch import Watch
from agtmuxd.socket_repair import Reachable
from agtmuxd.store import history
from agtmuxd.store.db import Store
from agtmuxd.store.retention import Retention
from agtmuxd.store.startup import load_all
from agtmuxd.stream.history import Batch, LogEntry
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import Change, Changes, View
from agtmuxd.target_manager.manager import Fleet
from agtmuxd.target_manager.watches import HOST
from agtmuxd.targets.apart import is_apart, lives
from agtmuxd.targets.executor import TargetExecutor

_LOG = structlog.get_logger("agtmuxd")
SPOOL_EVERY = 2.0
SWITCH_EVERY = 0.0005
"""Seconds for which one thread may keep the other waiting. The store's gives way at every statement, and with Python's
5 ms it would wait that long for each while requests are being parsed."""


class Daemon:
    """One agtmuxd. ``run`` returns when it has stopped."""

    def __init__(
        self, places: Places, environ: Mapping[str, str], clock: Clock | None = None, log_sink: Sink | None = None
    ) -> None:
        self._places = places
        self._log = log_sink
        self._environ = environ
        self._clock = clock or Clock()
        self._settings = Settings()
        self._stopping = asyncio.Event()
        self._troubles: dict[str, str] = {}
        self._resources = ProcessResources(places, environ)
        self._reachable: Reachable | None = None
        self._gave_way: str | None = None
        self._pointed = ""
        self._read_rules: Callable[[], None] = lambda: None
        self._settings_changed: Callable[[], None] = lambda: None

    def _read_settings(self) -> None:
        self._settings = load(self._places.config)

    def reload(self) -> None:
        """Read the configuration and the rules again. Raises E_INVALID_REQUEST; then the old ones stay, which health
        tells until they are read well."""
        before = self._settings
        try:
            self._read_settings()
            self._read_rules()
            if self._log is not None:
                self._log.bound(self._settings.log_max_bytes)
        except AgtmuxError as error:
            self._settings = before
            self._trouble("configuration", f"configuration not taken: {error.message}")
            raise
        self._trouble("configuration", None)
        self._settings_changed()
        _LOG.info("configuration read again", path=self._places.config)

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Serve until told to stop. Raises AgtmuxError where it cannot start, or has to end for another daemon."""
        self._listen_for_signals()  # first: a stop that comes during the start must leave nothing behind either
        try:
            self._read_settings()
            await self._serve(self._resources.take())
        finally:
            if self._reachable is not None:
                self._reachable.close()
            self._resources.release()
        if self._gave_way is not None:
            raise AgtmuxError("E_PRECONDITION_FAILED", self._gave_way)

    async def _serve(self, first: Address) -> None:
        found = load_all(self._places.database, self._clock())
        if found.set_aside is not None:
            self._trouble(
                "database", f"the database was corrupt and is kept at {found.set_aside}; a fresh one was started"
            )
            _LOG.error("database was corrupt, started a fresh one", kept_at=found.set_aside)
        if found.moved:
            _LOG.warning("the clock was set back since the last daemon ended", seconds=round(found.moved / NS, 3))
        if found.abandoned:
            _LOG.warning("actions were in flight when the last daemon ended: indeterminate", actions=found.abandoned)
        for number, note in enumerate(found.notes):
            self._trouble(f"place {number}", note)
            _LOG.warning("the database lies at an unfit place", why=note)
        store = Store(found.connection)
        store.start()
        try:
            view = View(found.stream_id, found.upcoming - 1, found.published)
            await self._compose(first, store, found.world, view, found.pending)
        finally:
            store.close()

    async def _compose(self, first: Address, store: Store, world: Any, view: View, pending: Any) -> None:
        disabled = [name for name, a in self._settings.adapters.items() if not a.enabled]
        registry = discover(disabled)
        rulebook = Rulebook(registry, Path(self._places.config).parent / "rules")
        for wrong in rulebook.read_what_can_be():
            _LOG.error("rules not taken", why=wrong)

        async def read_log(after: int, scope: str, limit: int) -> list[LogEntry] | None:
            rows = await store.read(lambda c: history.read_batches(c, view.stream_id, after, scope, limit))
            if rows is None:
                return None
            return [(s, at, [Change.from_json(scope, change) for change in made]) for s, at, made in rows]

        hub = Hub(view, now=self._clock, read_log=read_log, most=self._settings.api.watchers)

        def publish(sequence: int, committed_at: int, changes: Changes) -> None:
            hub.publish(Batch(sequence, committed_at, changes))

        door = Door(
            store, world, view, registry, publish, self._clock, pending=pending,
            skew_budget=int(self._settings.events.skew_budget * NS), lives=lives,
        )  # fmt: skip
        redact = Redactor(lambda: self._settings.redaction.patterns)
        registry.redact = redact
        fleet = Fleet(door, registry, lambda: self._settings, self._environ, self._clock, redact)
        key = self._action_key()
        fleet.watches.buffers = Buffers(key)
        failpoint = Failpoints(self._environ.get("AGTMUX_FAILPOINT"))
        actions = Actions(
            ledger=Ledger(store, door, key, self._clock, failpoint),
            store=store, world=world, view=view, reader=Reader(registry), reach=fleet.watches.reach,
            callers=Callers(
                world, fleet.watches.reach, door.servers, lambda: self._settings.allow_agent_actions, registry.kind_of,
                is_apart,
            ),
            acts=acts(door), key=key, clock=self._clock, failpoint=failpoint,
        )  # fmt: skip

        def read_rules() -> None:
            rulebook.read()
            fleet.watches.look_again()

        self._read_rules = read_rules
        envelope = Envelope(self._clock, lambda: target_items(fleet, view))
        hook_tests = HookCare(door)
        events = Events(
            envelope=envelope, view=view, door=door, store=store, redact=redact, hook_tests=hook_tests,
            clock=self._clock, ahead=self._clock.ahead,
        )  # fmt: skip
        retention = Retention(
            store, self._retention, lambda: self._settings.store.max_bytes, lambda: self._clock() - self._clock.ahead()
        )
        transcripts = Transcripts(
            world, registry, fleet.watches.agents_here, door.submit, redact, self._clock,
            wanted=lambda name: self._settings.adapter(name).transcript,
            moved=lambda: (fleet.watches.stirs_here(), door.passes, id(self._settings)),
            ahead=self._clock.ahead,
        )  # fmt: skip
        served = Served(
            world, registry, fleet.watches.agents_here, fleet.watches.stir, self._clock,
            wanted=lambda: [n for n, adapter in self._settings.adapters.items() if adapter.app_server],
            version=__version__,
        )  # fmt: skip
        fleet.watches.heard = served.words

        def settings_changed() -> None:
            self._leave_patterns(redact)
            served.hurry()

        self._settings_changed = settings_changed
        self._leave_patterns(redact)

        def count(what: str) -> None:
            door.counters[what] += 1

        fleet.watches.accompany = self._companions(events, store, redact, count)
        spool = Spool(self._places.spool, store, _taker(events, count))
        connections = Connections(affordable(self._settings.api.connections), count, setting="api.connections")
        vitals = Vitals(store, lambda: self._settings.store.max_bytes, self._log, retention)
        status = DaemonStatus(
            envelope=envelope,
            sources=HealthSources(
                door=door, fleet=fleet, hub=hub, store=store, registry=registry, rulebook=rulebook, spool=spool,
                transcripts=transcripts, served=served, connections=connections, vitals=vitals,
                troubles=self._troubles,
            ),
            settings=lambda: self._settings,
            paths={"socket": first.path, "database": self._places.database, "config": self._places.config},
            reload=self.reload, stop=self.stop,
        )  # fmt: skip
        tables: list[RouteTable[Any]] = [
            RouteTable(daemon_routes.ROUTES, status),
            RouteTable(
                target_routes.ROUTES, Targets(envelope=envelope, fleet=fleet, view=view, removed=retention.wake)
            ),
            RouteTable(
                pane_routes.ROUTES,
                Panes(
                    envelope=envelope, view=view, door=door, registry=registry, actions=actions,
                    transcripts=transcripts, history=events.history, clock=self._clock,
                ),
            ),
            RouteTable(watch_routes.ROUTES, Watch(envelope, hub)),
            RouteTable(event_routes.ROUTES, events),
            RouteTable(
                action_routes.ROUTES,
                ActionRequests(envelope=envelope, view=view, runner=actions, store=store, world=world),
            ),
            RouteTable(
                hook_routes.ROUTES,
                Hooks(world=world, registry=registry, fleet=fleet, hook_tests=hook_tests, clock=self._clock),
            ),
            RouteTable(rule_routes.ROUTES, rulebook),
        ]  # fmt: skip
        server = ApiServer(
            with_contract(tables), first.sock, permit=actions.permit, end_streams=hub.close, connections=connections
        )
        reachable = self._keep_reachable(first, server, status)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(door.run(), name="door"),
                group.create_task(retention.run(), name="retention"),
            ]
            await fleet.start(group)
            self._point(first.path)
            await server.start()
            store.check()
            tasks.append(group.create_task(reachable.run(), name="reachable"))
            tasks.append(group.create_task(self._drain(spool, door), name="spool"))
            tasks.append(group.create_task(self._keep_files(redact), name="files for hooks"))
            tasks.append(group.create_task(transcripts.run(), name="transcripts"))
            tasks.append(group.create_task(served.run(), name="served"))
            tasks.append(group.create_task(rulebook.watch(fleet.watches.look_again), name="rules"))
            _LOG.info("ready", version=__version__, pid=os.getpid(), socket=first.path)
            await self._stopping.wait()
            _LOG.info("stopping")
            store.hurry()
            await fleet.stop()
            await server.stop()
            for task in tasks:
                task.cancel()

    def _keep_reachable(self, first: Address, server: ApiServer, status: DaemonStatus) -> Reachable:
        def moved(path: str) -> None:
            status.listens_at(path)
            try:
                self._point(path)
            except OSError as error:
                _LOG.error("the socket's path cannot be written down", path=paths.pointer_path(), error=str(error))

        def tell(wrong: str | None) -> None:
            self._trouble("socket", wrong)

        def give_way(rival: str) -> None:
            self._gave_way = f"{rival}: this one ends"
            _LOG.error("another daemon is in this one's place", why=self._gave_way)
            self.stop()

        self._reachable = Reachable(
            first, self._resources.locks, self._resources.usual, paths.spare_socket_path(), listen=server.listen,
            leave=server.leave, moved=moved, tell=tell, give_way=give_way,
        )  # fmt: skip
        return self._reachable

    def _trouble(self, topic: str, wrong: str | None) -> None:
        """Tell in health what is wrong now; None: nothing any more."""
        if wrong is None:
            self._troubles.pop(topic, None)
        else:
            self._troubles[topic] = wrong

    def _companions(
        self, events: Events, store: Store, redact: Redactor, count: Callable[[str], None]
    ) -> Callable[[Target, TargetExecutor], Companion]:
        def accompany(target: Target, executor: TargetExecutor) -> Companion:
            from agtmuxd.remote_hooks.link import Home, Outpost  # with asyncssh, as late as that
            from agtmuxd.targets.ssh.executor import SshExecutor

            assert isinstance(executor, SshExecutor)  # noqa: S101 the fleet asks for ssh targets only
            home = Home(
                folder=self._places.runtime_dir, identity=events.view.stream_id, store=store,
                ingest=events.ingest_from, count=count, clock=self._clock,
                timeout=self._settings.targets.command_timeout, patterns=redact.patterns,
                spool_rate=self._settings.targets.spool_rate * 1024.0,
            )  # fmt: skip
            return Outpost(target.target_id, executor, home)

        return accompany

    def _leave_patterns(self, redact: Redactor) -> None:
        """For the hooks of this machine, which write what nobody takes into the spool."""
        try:
            redact.leave(paths.patterns_path())
        except OSError as error:
            wrong = f"{paths.patterns_path()} could not be written: {error.strerror}: hooks lack redaction.patterns"
            if self._troubles.get("patterns") != wrong:
                _LOG.warning("hooks will not know redaction.patterns", error=str(error))
            self._trouble("patterns", wrong)
        else:
            self._trouble("patterns", None)

    def _action_key(self) -> bytes:
        path = os.path.join(self._places.state_dir, "actions.key")
        try:
            return load_key(path)
        except OSError as error:
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"{path} cannot be read or made: {error.strerror}") from error

    def _retention(self) -> history.Retention:
        keep = self._settings.retention
        day = 86_400 * NS
        return history.Retention(
            int(keep.payloads * day), int(keep.events * day), int(keep.actions * day), int(keep.stream * day),
            keep.stream_rows, int(keep.views * day),
        )  # fmt: skip

    def _point(self, path: str) -> None:
        """Leave the socket's path in the state folder: hooks of a tmux server without XDG_RUNTIME_DIR look there."""
        self._pointed = path
        pointer = Path(paths.pointer_path())
        fresh = pointer.with_name(pointer.name + ".new")
        try:
            fresh.unlink(missing_ok=True)
            with open(open_regular(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
                file.write(path + "\n")
            fresh.replace(pointer)
        except OSError as error:  # most hooks find the socket without it
            wrong = f"{pointer} could not be written: {error.strerror}"
            if self._troubles.get("pointer") != wrong:
                _LOG.error("the socket's path could not be noted", path=str(pointer), error=error.strerror)
            self._trouble("pointer", wrong)
        else:
            self._trouble("pointer", None)

    async def _keep_files(self, redact: Redactor) -> None:
        """Write again what hooks read and what could not be written, until it can be."""
        while True:
            await asyncio.sleep(SPOOL_EVERY)
            if "pointer" in self._troubles:
                self._point(self._pointed)
            if "patterns" in self._troubles:
                self._leave_patterns(redact)

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_aloud)

    def _reload_aloud(self) -> None:
        try:
            self.reload()
        except AgtmuxError as error:
            _LOG.error("configuration not taken, the old one stays", error=error.message)

    async def _drain(self, spool: Spool, door: Door) -> None:
        """Take the spool in after the first good round of this machine, then look now and then."""
        await door.first_round(HOST)
        while True:
            try:
                await spool.drain()
            except (OSError, AgtmuxError) as error:
                _LOG.warning("spool not drained, tried again later", error=str(error))
                door.counters["spool_failures"] += 1
            except Exception:  # noqa: BLE001 the outermost edge of this task: what lies in a file never ends the daemon
                _LOG.exception("spool not drained, tried again later")
                door.counters["spool_failures"] += 1
            await asyncio.sleep(SPOOL_EVERY)


def _taker(events: Events, count: Callable[[str], None]) -> Callable[[list[dict[str, Any]]], Awaitable[None]]:
    async def take(lines: list[dict[str, Any]]) -> None:
        good = []
        for line in lines:
            try:
                good.append(WireEvent.model_validate(line))
            except ValidationError:
                count("spool_lines_refused")
        if good:
            await events.ingest(good)

    return take


def main_async(places: Places, log_sink: Sink) -> int:
    """Run a daemon to its end; the exit status. Says in the log why it cannot start."""
    gc.freeze()  # what was imported is no garbage: a quarter of a million objects that need not be looked at
    sys.setswitchinterval(SWITCH_EVERY)
    try:
        asyncio.run(Daemon(places, dict(os.environ), log_sink=log_sink).run())
    except AgtmuxError as error:
        log_sink.write(f"agtmuxd: {error.message} ({error.code})")
        return 1
    finally:
        log_sink.close()
    return 0
