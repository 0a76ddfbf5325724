"""The composition root: builds the parts, runs them in one TaskGroup, and stops them in order.

Owns the process's life: locks, the socket, signals, shutdown. Every other module is handed what it needs.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import socket
import stat
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from agtmux import __version__
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters.registry import discover
from agtmuxd.api.app import ApiServer
from agtmuxd.api.models import WireEvent
from agtmuxd.clock import Clock
from agtmuxd.config import Settings, load
from agtmuxd.core.ids import uuid7
from agtmuxd.core.model import NS
from agtmuxd.execute.acts import acts
from agtmuxd.execute.audit import load_key
from agtmuxd.execute.callers import Callers
from agtmuxd.execute.path import Actions
from agtmuxd.execute.reach import Failpoints
from agtmuxd.execute.reading import Reader
from agtmuxd.fleet import HOST, Companion, Fleet
from agtmuxd.hub import Batch, Hub, LogEntry
from agtmuxd.ingest.door import Door
from agtmuxd.ingest.served import Served
from agtmuxd.ingest.transcripts import Transcripts
from agtmuxd.retention import keep_purging
from agtmuxd.rulebook import Rulebook
from agtmuxd.services import DaemonServices
from agtmuxd.spool import Spool
from agtmuxd.store import log
from agtmuxd.store.actions import abandon
from agtmuxd.store.ahead import put_back
from agtmuxd.store.db import Store, open_database
from agtmuxd.store.rows import load_world
from agtmuxd.targets.executor import TargetExecutor
from agtmuxd.view import Change, Changes, View
from agtmuxd.world import Target

_LOG = structlog.get_logger("agtmuxd")
SPOOL_EVERY = 2.0
SOCKET_LIMIT = 104
SWITCH_EVERY = 0.0005
"""Seconds for which one thread may keep the other waiting. The store's gives way at every statement, and with Python's
5 ms it would wait that long for each while requests are being parsed."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where this daemon's files lie."""

    runtime_dir: str
    state_dir: str
    socket: str
    database: str
    spool: str
    config: str

    @classmethod
    def from_environment(cls) -> Places:
        return cls(
            paths.runtime_dir(), paths.state_dir(), os.path.join(paths.runtime_dir(), "agtmuxd.sock"),
            paths.database_path(), paths.spool_path(), paths.config_file(),
        )  # fmt: skip


class Lock:
    """A file lock that names its holder: held by the lock, never by the file's existence."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd: int | None = None

    def take(self, what: str) -> None:
        """Raises E_PRECONDITION_FAILED naming the pid of the daemon that holds it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"agtmuxd runs already for {what}, pid {holder}: agtmux daemon status"
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def activated_socket(environ: Mapping[str, str]) -> socket.socket | None:
    """The socket that systemd passed (LISTEN_FDS), if it was meant for this process."""
    if environ.get("LISTEN_PID") != str(os.getpid()) or environ.get("LISTEN_FDS", "0") == "0":
        return None
    passed = socket.socket(fileno=3)
    if passed.family != socket.AF_UNIX:
        raise AgtmuxError("E_INVALID_REQUEST", "the socket that systemd passed is no Unix socket: check ListenStream=")
    passed.set_inheritable(False)
    return passed


def bind_socket(path: str) -> socket.socket:
    """A socket at ``path``, 0600 from its first moment; a stale one is replaced (the lock says that it is stale)."""
    if len(os.fsencode(path)) > SOCKET_LIMIT:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"socket path {path} is longer than {SOCKET_LIMIT} bytes: set AGTMUX_RUNTIME_DIR"
        )
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise AgtmuxError("E_FORBIDDEN", f"{path} is there and is no socket: move it away")
        os.unlink(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(path)
    finally:
        os.umask(before)
    bound.listen(128)
    return bound


class Daemon:
    """One agtmuxd. ``run`` returns when it has stopped."""

    def __init__(self, places: Places, environ: Mapping[str, str], clock: Clock | None = None) -> None:
        self._places = places
        self._environ = environ
        self._clock = clock or Clock()
        self._settings = Settings()
        self._stopping = asyncio.Event()
        self._troubles: list[str] = []
        self._locks: list[Lock] = []
        self._socket: socket.socket | None = None
        self._own_socket = True
        self._read_rules: Callable[[], None] = lambda: None
        self._settings_changed: Callable[[], None] = lambda: None

    def _read_settings(self) -> None:
        self._settings = load(self._places.config)

    def reload(self) -> None:
        """Read the configuration and the rules again. Raises E_INVALID_REQUEST; then the old ones stay."""
        before = self._settings
        self._read_settings()
        try:
            self._read_rules()
        except AgtmuxError:
            self._settings = before
            raise
        self._settings_changed()
        _LOG.info("configuration read again", path=self._places.config)

    def stop(self) -> None:
        self._stopping.set()

    def _prepare(self) -> None:
        """Directories, locks, socket: everything that another daemon would have, before anything is served."""
        paths.ensure_private_dir(self._places.state_dir)
        paths.ensure_private_dir(self._places.runtime_dir)
        self._read_settings()
        for path, what in (
            (os.path.join(self._places.runtime_dir, "agtmuxd.lock"), self._places.runtime_dir),
            (self._places.database + ".lock", self._places.database),
        ):
            lock = Lock(path)
            lock.take(what)
            self._locks.append(lock)
        passed = activated_socket(self._environ)
        self._own_socket = passed is None
        if passed is not None:
            self._places = replace(self._places, socket=os.fsdecode(passed.getsockname()))
        self._socket = passed or bind_socket(self._places.socket)

    async def run(self) -> None:
        """Serve until told to stop. Raises AgtmuxError where it cannot start."""
        self._listen_for_signals()  # first: a stop that comes during the start must leave nothing behind either
        self._prepare()
        try:
            await self._serve()
        finally:
            if self._socket is not None:
                self._socket.close()
            if self._own_socket:
                Path(self._places.socket).unlink(missing_ok=True)
            for lock in self._locks:
                lock.release()

    async def _serve(self) -> None:
        connection, set_aside = open_database(self._places.database)
        if set_aside is not None:
            self._troubles.append(f"the database was corrupt and is kept at {set_aside}; a fresh one was started")
            _LOG.error("database was corrupt, started a fresh one", kept_at=set_aside)
        now = self._clock()
        stream_id, upcoming = log.load_stream(connection, "s-" + uuid7(now).replace("-", "")[:20], now)
        moved = put_back(connection, now)
        if moved:
            _LOG.warning("the clock was set back since the last daemon ended", seconds=round(moved / NS, 3))
        world = load_world(connection)
        view = View(stream_id, upcoming - 1, log.load_published(connection))
        pending = log.load_pending(connection)
        lost = abandon(connection, now)  # before the socket opens: a replay must find that nobody knows
        if lost:
            _LOG.warning("actions were in flight when the last daemon ended: indeterminate", actions=lost)
        store = Store(connection)
        store.start()
        try:
            await self._compose(store, world, view, pending)
        finally:
            store.close()

    async def _compose(self, store: Store, world: Any, view: View, pending: Any) -> None:
        disabled = [name for name, a in self._settings.adapters.items() if not a.enabled]
        registry = discover(disabled)
        rulebook = Rulebook(registry, Path(self._places.config).parent / "rules")
        for wrong in rulebook.read_what_can_be():
            _LOG.error("rules not taken", why=wrong)

        async def read_log(after: int, scope: str, limit: int) -> list[LogEntry] | None:
            rows = await store.run(lambda c: log.read_batches(c, view.stream_id, after, scope, limit))
            if rows is None:
                return None
            return [(s, at, [Change.from_json(scope, change) for change in made]) for s, at, made in rows]

        hub = Hub(view, now=self._clock, read_log=read_log)

        def publish(sequence: int, committed_at: int, changes: Changes) -> None:
            hub.publish(Batch(sequence, committed_at, changes))

        door = Door(
            store, world, view, registry, publish, self._clock, pending=pending,
            skew_budget=int(self._settings.events.skew_budget * NS),
        )  # fmt: skip
        fleet = Fleet(door, registry, lambda: self._settings, self._environ, self._clock)
        actions = Actions(
            store=store, door=door, view=view, reader=Reader(registry), reach=fleet.reach,
            callers=Callers(world, fleet.reach, door.servers, lambda: self._settings.allow_agent_actions),
            acts=acts(door), key=self._action_key(), clock=self._clock,
            failpoint=Failpoints(self._environ.get("AGTMUX_FAILPOINT")),
        )  # fmt: skip

        def read_rules() -> None:
            rulebook.read()
            fleet.look_again()

        self._read_rules = read_rules
        services = DaemonServices(
            view=view, hub=hub, door=door, actions=actions, fleet=fleet, store=store, registry=registry,
            rulebook=rulebook, settings=lambda: self._settings, clock=self._clock, ahead=self._clock.ahead,
            paths={"socket": self._places.socket, "database": self._places.database, "config": self._places.config},
            reload=self.reload, stop=self.stop,
        )  # fmt: skip
        services.troubles = self._troubles
        transcripts = Transcripts(
            world, registry, fleet.agents_here, door.submit, services.redacted, self._clock,
            wanted=lambda name: self._settings.adapter(name).transcript,
            moved=lambda: (fleet.stirs_here(), door.passes, id(self._settings)),
            ahead=self._clock.ahead,
        )  # fmt: skip
        services.transcripts = transcripts
        served = Served(
            world, registry, fleet.agents_here, fleet.stir, self._clock,
            wanted=lambda: [n for n, adapter in self._settings.adapters.items() if adapter.app_server],
            version=__version__,
        )  # fmt: skip
        services.served, fleet.heard, self._settings_changed = served, served.words, served.hurry
        fleet.accompany = self._companions(services, store)
        spool = Spool(self._places.spool, store, _taker(services))
        services.spool = spool
        assert self._socket is not None  # noqa: S101 made by _prepare
        server = ApiServer(services, self._socket)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(door.run(), name="door"),
                group.create_task(keep_purging(store, self._retention, self._clock), name="retention"),
            ]
            await fleet.start(group)
            self._point(self._places.socket)
            await server.start()
            tasks.append(group.create_task(self._drain(spool, door), name="spool"))
            tasks.append(group.create_task(transcripts.run(), name="transcripts"))
            tasks.append(group.create_task(served.run(), name="served"))
            tasks.append(group.create_task(rulebook.watch(fleet.look_again), name="rules"))
            _LOG.info("ready", version=__version__, pid=os.getpid(), socket=self._places.socket)
            await self._stopping.wait()
            _LOG.info("stopping")
            await fleet.stop()
            await server.stop()
            for task in tasks:
                task.cancel()

    def _companions(self, services: DaemonServices, store: Store) -> Callable[[Target, TargetExecutor], Companion]:
        def accompany(target: Target, executor: TargetExecutor) -> Companion:
            from agtmuxd.remote.outpost import Home, Outpost  # with asyncssh, as late as that
            from agtmuxd.targets.ssh import SshExecutor

            assert isinstance(executor, SshExecutor)  # noqa: S101 the fleet asks for ssh targets only
            home = Home(
                folder=self._places.runtime_dir, identity=services.view.stream_id, store=store,
                ingest=services.ingest_from, count=services.count, clock=self._clock,
                timeout=self._settings.targets.command_timeout,
            )  # fmt: skip
            return Outpost(target.target_id, executor, home)

        return accompany

    def _action_key(self) -> bytes:
        path = os.path.join(self._places.state_dir, "actions.key")
        try:
            return load_key(path)
        except OSError as error:
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"{path} cannot be read or made: {error.strerror}") from error

    def _retention(self) -> log.Retention:
        keep = self._settings.retention
        day = 86_400 * NS
        return log.Retention(
            int(keep.payloads * day), int(keep.events * day), int(keep.actions * day), int(keep.stream * day),
            keep.stream_rows,
        )  # fmt: skip

    def _point(self, path: str) -> None:
        """Leave the socket's path in the state folder: hooks of a tmux server without XDG_RUNTIME_DIR look there."""
        pointer = Path(paths.pointer_path())
        fresh = pointer.with_name(pointer.name + ".new")
        fresh.write_text(path + "\n", encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(pointer)

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_aloud)

    def _reload_aloud(self) -> None:
        try:
            self.reload()
        except AgtmuxError as error:
            self._troubles.append(f"configuration not taken: {error.message}")
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


def _taker(services: DaemonServices) -> Callable[[list[dict[str, Any]]], Awaitable[None]]:
    async def take(events: list[dict[str, Any]]) -> None:
        good = []
        for event in events:
            try:
                good.append(WireEvent.model_validate(event))
            except ValidationError:
                services.count("spool_lines_refused")
        if good:
            await services.ingest(good)

    return take


def main_async(places: Places) -> int:
    """Run a daemon to its end; the exit status. Says on stderr why it cannot start."""
    gc.freeze()  # what was imported is no garbage: a quarter of a million objects that need not be looked at
    sys.setswitchinterval(SWITCH_EVERY)
    try:
        asyncio.run(Daemon(places, dict(os.environ)).run())
    except AgtmuxError as error:
        sys.stderr.write(f"agtmuxd: {error.message} ({error.code})\n")
        return 1
    return 0
