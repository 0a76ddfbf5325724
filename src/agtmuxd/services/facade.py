"""The daemon as its routes see it: each method is a few lines over the parts that know.

Owns the translation between wire shapes and the daemon's values. Decides nothing.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import structlog

from agtmux import __version__
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.actions.audit import action_item
from agtmuxd.actions.runner import Actions
from agtmuxd.adapters.registry import Fenced, Registry
from agtmuxd.api.connections import Connections
from agtmuxd.api.peer import Peer
from agtmuxd.api.requests import ChainLink, Connecting, HistoryQuery, HookRequest, TargetRequest, WireEvent
from agtmuxd.api.routes.actions import ActionQuery
from agtmuxd.api.routes.rules import CheckRequest, ReplayRequest
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Request
from agtmuxd.core.ids import dedupe_key
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.core.model import Ancestor, RawEvent, Source
from agtmuxd.core.state.resolve import resolve
from agtmuxd.core.versions import older
from agtmuxd.hooks.health import HookCare, changed_here
from agtmuxd.hooks.items import BACKUPS, absent_item, add_status, foreign, hook_item, planned_item
from agtmuxd.ingest.app_servers import Served
from agtmuxd.ingest.pipeline import Door
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.ingest.spool import Spool
from agtmuxd.ingest.transcripts.follower import Transcripts
from agtmuxd.log.sink import Sink
from agtmuxd.remote_hooks.clock_offset import put_right
from agtmuxd.remote_hooks.place_files import left, place
from agtmuxd.remote_hooks.settings import FarSettings
from agtmuxd.repository import PaneKey, StateRow
from agtmuxd.rules.catalog import Rulebook
from agtmuxd.services.health import Vitals
from agtmuxd.store import actions as action_rows
from agtmuxd.store import history
from agtmuxd.store.actions import ActionRow
from agtmuxd.store.db import Store
from agtmuxd.store.migrate import load
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import View
from agtmuxd.target_manager import Fleet
from agtmuxd.targets.apart import chain_of, is_apart

_LOG = structlog.get_logger("services")


class DaemonServices:
    """Implements ``api.services.Services``."""

    def __init__(
        self,
        *,
        view: View,
        hub: Hub,
        door: Door,
        actions: Actions,
        fleet: Fleet,
        store: Store,
        registry: Registry,
        rulebook: Rulebook,
        settings: Callable[[], Settings],
        clock: Callable[[], int],
        paths: dict[str, str],
        reload: Callable[[], None],
        stop: Callable[[], None],
        ahead: Callable[[], int] = lambda: 0,
        log_sink: Sink | None = None,
        redact: Redactor | None = None,
    ) -> None:
        """``ahead``: how far (ns) the clock is ahead of the system's, which hooks on this machine go by."""
        self.view = view
        self.hub = hub
        self.spool: Spool | None = None
        self.troubles: dict[str, str] = {}
        self.connections: Connections | None = None
        self.transcripts: Transcripts | None = None
        self.served: Served | None = None
        self.vitals = Vitals(store, lambda: settings().store.max_bytes, log_sink)
        self._door = door
        self._actions = actions
        self._fleet = fleet
        self._store = store
        self._registry = registry
        self._rulebook = rulebook
        self._hookcare = HookCare(door)
        self._settings_files = asyncio.Lock()
        self._settings = settings
        self._clock = clock
        self._ahead = ahead
        self._paths = paths
        self._reload = reload
        self._stop = stop
        self._began = time.monotonic()
        self._schema = len(load())
        self.redacted = redact or Redactor(lambda: settings().redaction.patterns)

    def now(self) -> int:
        return self._clock()

    def listens_at(self, path: str) -> None:
        """The daemon listens at another socket now."""
        self._paths["socket"] = path

    # ---------------------------------------------------------------- events

    async def ingest(self, events: Sequence[WireEvent], peer: Peer | None = None) -> list[dict[str, Any]]:
        now, ahead = self._clock(), self._ahead()
        apart = peer is not None and is_apart(peer.pid)
        seen = chain_of(peer.pid) if apart and peer is not None else []

        def make(event: WireEvent) -> RawEvent:
            raw = self._raw(_as_seen(event, seen) if apart else event, now)
            raw = replace(raw, apart=True) if apart else raw
            return replace(raw, event_time=min(raw.event_time + ahead, now)) if ahead else raw

        return await self._submit(events, make)

    async def _submit(self, events: Sequence[WireEvent], make: Callable[[WireEvent], RawEvent]) -> list[dict[str, Any]]:
        """Events to the door, but for test events: one result each, in order."""
        tests = {i for i, event in enumerate(events) if self._hookcare.is_test(event)}
        raws = [make(event) for i, event in enumerate(events) if i not in tests]
        posted = iter(await self._door.submit(raws) if raws else ())
        return [
            self._hookcare.arrived_test(event) if i in tests else next(posted).to_json()
            for i, event in enumerate(events)
        ]

    def _target_id(self, name: str) -> str:
        target = self._door.world.target_named(name)
        if target is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {one_line(name)[:80]}")
        return target.target_id

    def _raw(self, event: WireEvent, now: int) -> RawEvent:
        """The event as the core knows it, redacted before anything else sees it."""
        target_id = None if event.target is None else self._target_id(event.target)
        source = Source(event.source)
        chain, env, payload = self.redacted(([link.argv for link in event.chain], event.env, event.payload))
        return RawEvent(
            event_id=event.event_id, event_type=event.event_type, source=source, agent_type=event.agent_type,
            event_time=event.event_time, ingested_at=now,
            dedupe_key=dedupe_key(source, event.source_event_id or event.event_id, event.event_type),
            source_event_id=event.source_event_id, source_seq=event.source_seq, runtime_id=event.runtime_id,
            target_id=target_id, pane_id=event.pane_id,
            tmux_socket=event.tmux.socket if event.tmux else None,
            tmux_server_pid=event.tmux.server_pid if event.tmux else None,
            pid=event.pid, start_hint=event.start_hint,
            chain=tuple(
                Ancestor(link.pid, link.start, tuple(argv), link.comm, link.pgid)
                for link, argv in zip(event.chain, chain, strict=True)
            ),
            spooled=event.spooled, env=env, payload=payload,
        )  # fmt: skip

    async def ingest_from(
        self, target_id: str, events: Sequence[WireEvent], offset: int | None
    ) -> list[dict[str, Any]]:
        """Take in what another machine sent: it is of that target whatever it says, and its time is put right.

        ``offset``: the clock there minus ours in ns, None where it was not measured.
        """
        now = self._clock()

        def make(event: WireEvent) -> RawEvent:
            raw = self._raw(event.model_copy(update={"target": None, "runtime_id": None}), now)
            return put_right(replace(raw, target_id=target_id), offset)

        return await self._submit(events, make)

    async def events(self, query: HistoryQuery, pane: str | None) -> list[dict[str, Any]]:
        ids: list[str] | None = [query.runtime] if query.runtime else None
        if pane is not None:
            target_id, pane_id = self._key(pane)
            ids = await self._store.read(lambda c: history.runtimes_of(c, target_id, pane_id))
        rows = await self._store.read(
            lambda c: history.history(c, runtime_ids=ids, before=query.before, limit=query.limit, action=query.action)
        )
        return [_event_item(row) for row in rows]

    def _key(self, pane: str) -> PaneKey:
        """A view's pane key (target name) as the world's (target id)."""
        name, _, pane_id = pane.rpartition("/")
        target = self._door.world.target_named(name)
        if target is None:
            raise AgtmuxError("E_REF_NOT_FOUND", f"there is no target {name}")
        return target.target_id, pane_id

    async def explain(self, key: str) -> dict[str, Any]:
        where = self._key(key)
        world = self._door.world
        runtime_id = world.active.get(where)
        state = world.states.get(where)
        recent = await self.events(HistoryQuery(limit=20), key)
        if runtime_id is None:
            return {"decided_by": _decided(state), "candidates": [], "marks": {}, "recent_events": recent,
                    "snapshot": self._actions.nonce(where)}  # fmt: skip
        runtime = world.runtimes[runtime_id]
        adapter = self._registry.get(runtime.agent_type)
        oldest = None if adapter is None else adapter.oldest
        now = self._clock()
        registers, marks = self._door.words_of(runtime_id)
        resolution = resolve(registers, marks, self._door.life(runtime), now)
        candidates = []
        for seen in resolution.considered:
            register, entry = seen.register, seen.register.entry
            candidates.append(
                {
                    "source": str(register.source), "subject": register.subject,
                    "claim": None if entry.claim is None else str(entry.claim), "strength": str(entry.strength),
                    "phase": str(entry.phase), "rule": entry.rule, "detail": entry.detail,
                    "since": stamp(entry.since), "last_seen": stamp(register.last_seen),
                    "age_s": round((now - register.last_seen) / 1e9, 1),
                    "retired_at": stamp_or_none(seen.retired_at), "retired_by": seen.retired_by, "fresh": seen.fresh,
                    "used": seen.used, "discarded_because": seen.discarded_because,
                }
            )  # fmt: skip
        candidates.sort(key=lambda c: (not c["used"], c["source"], c["subject"]))
        return {
            "oldest_version": oldest,
            "older": older(runtime.agent_version, oldest),
            "decided_by": [c for c in candidates if c["used"]] or _decided(state),
            "candidates": candidates,
            "marks": {mark: stamp(at) for mark, at in sorted(marks.items())},
            "recent_events": recent,
            "snapshot": self._actions.nonce(where),
        }

    def message(self, key: str) -> dict[str, Any]:
        runtime_id = self._door.world.active.get(self._key(key))
        if runtime_id is None or self.transcripts is None or not self.transcripts.follows(runtime_id):
            return {"runtime_id": runtime_id, "text": None, "said_at": None, "source": None}
        found = self.transcripts.last_message(runtime_id)
        return {
            "runtime_id": runtime_id, "text": None if found is None else found.text,
            "said_at": None if found is None else stamp(found.at), "source": "transcript",
        }  # fmt: skip

    # ---------------------------------------------------------------- actions

    def nonce(self, item: Mapping[str, Any]) -> str:
        """Of a target that was removed while a listing was written: a nonce of nothing, rather than no listing."""
        identity = item["identity"]
        target = self._door.world.target_named(identity["target"])
        where = "" if target is None else target.target_id, str(identity["pane_id"])
        return self._actions.nonce_of(where, item["runtime_id"], item["state_version"])

    async def act(self, request: Request, uid: int | None, pid: int | None) -> dict[str, Any]:
        return await self._actions.perform(request, uid, pid)

    async def permit(self, uid: int | None, pid: int | None) -> None:
        await self._actions.permit(uid, pid)

    async def actions(self, query: ActionQuery, pane: str | None) -> list[dict[str, Any]]:
        where = None if pane is None else self._key(pane)

        def read(connection: sqlite3.Connection) -> tuple[list[ActionRow], dict[str, list[str]]]:
            found = action_rows.listing(
                connection, limit=query.limit, action=query.action, kind=query.kind, runtime=query.runtime, pane=where,
                since=query.since, before=query.before,
            )  # fmt: skip
            return found, action_rows.events_of(connection, [row.action_id for row in found])

        found, events = await self._store.read(read)
        if query.action is not None and not found:
            raise AgtmuxError("E_ACTION_NOT_FOUND", f"there is no action {query.action}: agtmux actions lists them")
        names = {t.target_id: t.name for t in self._door.world.targets.values()}
        return [
            {**action_item(row, names.get(row.target_id or "")), "events": events.get(row.action_id, [])}
            for row in found
        ]

    # ---------------------------------------------------------------- targets, daemon

    def targets(self) -> list[dict[str, Any]]:
        self._fleet.touch(self.view.touch)
        return self._fleet.items()

    async def add_target(self, request: TargetRequest) -> dict[str, Any]:
        return await self._fleet.add(request)

    async def connect_target(self, name: str) -> Connecting:
        return await self._fleet.connect(name)

    async def remove_target(self, name: str) -> None:
        await self._fleet.remove(name)
        if self.vitals.retention is not None:
            self.vitals.retention.wake()

    def health(self) -> dict[str, Any]:
        items = self._fleet.items()
        wrong = [t["target"] for t in items if t["health"] != "ok"]
        errors = list(self.troubles.values())
        troubles = self.vitals.wrong()
        errors += [*troubles, *self.vitals.notes()]
        spool = [] if self.spool is None else [w for w in (self.spool.wrong, self.spool.blocked()) if w is not None]
        errors += [f"spool: {why}" for why in spool]
        errors += self._fleet.complaints()
        if self.connections is not None and (full := self.connections.full()) is not None:
            errors.append(full)
        errors += [f"rules not taken: {why}" for why in self._rulebook.wrong.values()]
        errors += [f"adapter {name}: {why}" for name, why in self._registry.refused.items()]
        drained = asdict(self.spool.drained) if self.spool is not None else {}
        return {
            "status": "degraded" if wrong or troubles or spool or "socket" in self.troubles else "ok",
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._began, 1),
            **self._paths,
            "database_schema": self._schema,
            "stream_id": self.view.stream_id,
            "sequence": self.view.sequence,
            "adapters": [
                {
                    "name": a.name, "agent_type": a.agent_type, "version": a.version,
                    "contract_version": a.contract_version, "oldest_version": a.oldest, "enabled": True,
                    "errors": a.errors,
                    "last_error": a.last_error, "servers": self._servers(a.name),
                }
                for a in self._registry
            ],
            "targets": items,
            "queues": {"ingest": self._door.depth, "store": self._store.depth, "pending_bind": len(self._door.pending),
                       **self._open()},
            "counters": {**dict(sorted(self._door.counters.items())), **self._fleet.figures(),
                         **(self.transcripts.counters if self.transcripts is not None else {}),
                         "watchers": self.hub.watchers},
            "store": self.vitals.store(),
            "log": self.vitals.log(),
            "spool": {"waiting_bytes": self.spool.waiting if self.spool is not None else 0, **drained},
            "last_errors": errors,
        }  # fmt: skip

    def _open(self) -> dict[str, int]:
        """Connections, and how many there may be."""
        held = self.connections
        return {} if held is None else {"connections": len(held.open), "connections_most": held.most}

    def _servers(self, adapter: str) -> list[dict[str, Any]]:
        links = self.served.items(adapter) if self.served is not None else []
        return [{**link, "since": stamp(link["since"])} for link in links]

    def count(self, what: str) -> None:
        self._door.counters[what] += 1

    def config(self) -> dict[str, Any]:
        return {"path": self._paths["config"], "config": self._settings().model_dump(mode="json")}

    async def reload(self) -> None:
        self._reload()

    def request_stop(self) -> None:
        self._stop()

    # ---------------------------------------------------------------- rules, hooks

    def replay(self, asked: ReplayRequest) -> dict[str, Any]:
        return self._rulebook.replay(asked)

    async def check_rules(self, asked: CheckRequest) -> list[dict[str, Any]]:
        return await self._rulebook.check(asked)

    async def hooks(self, request: HookRequest) -> list[dict[str, Any]]:
        adapters = [self._adapter(name) for name in request.agents] if request.agents else list(self._registry)
        if request.target is not None:
            reached = self._fleet.reach(self._target_id(request.target))
            if reached.kind == "ssh":
                far = FarSettings(reached.name, reached.executor)
                items = await far.hooks(adapters, request)
                self._fleet.hurry(reached.target_id)
                changed = await far.changed([str(item["path"]) for item in items if item["installed"]], self._clock)
                for item in items:
                    self._add_deaf(item, changed.get(item["path"]), reached.target_id)
                if request.probe and request.op == "status":
                    await far.probe(items, self._hookcare.arrived, lambda: self._fleet.hurry(reached.target_id))
                return items
        wrong = foreign(request.command) if request.op == "install" else None
        if wrong is not None:
            raise AgtmuxError("E_INVALID_REQUEST", wrong)
        out: list[dict[str, Any]] = []
        for adapter in adapters:
            home = request.config_homes.get(adapter.agent_type)
            where = Path(home) if home else adapter.config_home({}, Path.home())
            if request.op == "install" and request.agents is None and not await asyncio.to_thread(where.is_dir):
                out.append(absent_item(adapter.agent_type, where))
                continue
            try:
                async with self._settings_files:  # one change at a time; not on the loop, for a disk can be slow
                    out += await asyncio.to_thread(_hooks_of, adapter, where, request)
            except (ValueError, OSError) as error:
                out.append({**hook_item(adapter.agent_type, where), "error": str(error)})
        for item in out:
            self._add_deaf(item, await asyncio.to_thread(changed_here, item["path"]))
        return out

    def _add_deaf(self, item: dict[str, Any], changed_at: int | None, target_id: str | None = None) -> None:
        item["deaf_panes"], item["maybe_deaf_panes"] = self._hookcare.deaf_panes(item, changed_at, target_id)

    def _adapter(self, name: str) -> Fenced:
        adapter = self._registry.get(name)
        if adapter is None:
            known = ", ".join(a.agent_type for a in self._registry)
            raise AgtmuxError("E_INVALID_REQUEST", f"no adapter for agent {name}; known: {known}")
        return adapter

    def tests_arrived(self, nonces: Sequence[str]) -> dict[str, str]:
        return self._hookcare.arrived(nonces)


def _hooks_of(adapter: Fenced, home: Path, request: HookRequest) -> list[dict[str, Any]]:
    command = request.command  # each adapter puts its own name behind it
    done: dict[str, dict[str, Any]] = {}
    remove = request.op == "uninstall"
    if request.op != "status":
        for plan in adapter.plan_hooks(home, command, remove=remove):
            changes, path = plan.changes and not request.dry_run, str(plan.path)
            backup = place(path, plan.before, plan.after, BACKUPS, remove) if changes else None
            stay = left(path) if changes and remove else ()
            done[path] = planned_item(adapter.agent_type, plan, backup, stay)
    for status in adapter.hook_status(home, command):
        add_status(done, adapter.agent_type, status, leaving=remove)
    return list(done.values())


def _decided(state: StateRow | None) -> list[dict[str, Any]]:
    return [dict(by) for by in state.decided_by] if state is not None else []


def _as_seen(event: WireEvent, seen: Sequence[Mapping[str, Any]]) -> WireEvent:
    """An event of a process in a container, with this machine's numbers for those that it told.

    ``seen``: that process and its ancestors. A hook tells of those above it, a wrapper of itself too.
    """
    links = seen if event.source == "wrapper" else seen[1:]
    return event.model_copy(update={"chain": [ChainLink.model_validate(link) for link in links], "pid": None})


def _event_item(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "event_time": stamp(row["event_time"]), "ingested_at": stamp(row["ingested_at"])}
