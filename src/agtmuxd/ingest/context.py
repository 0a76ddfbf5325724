"""Hold what the ingest keeps in memory: the state of this session, and the context of one transaction.

Contains values only, no decisions.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from agtmuxd.core.model import NS, RawEvent
from agtmuxd.core.state.resolve import RuntimeFacts
from agtmuxd.ingest.unchanged import QuietRuntimes
from agtmuxd.repository import PaneKey, Runtime, UnitOfWork
from agtmuxd.store.current import save_runtime
from agtmuxd.stream.published import Change

PENDING_TTL = 10 * NS
GRACE = 5 * NS
"""How long after the start (ns) a target's stored rows stay unchanged while no round of it was good."""


SessionCopy = tuple[
    set[str], dict[tuple[str, int], str], dict[str, int], set[str], set[str], dict[str, frozenset[str]],
    dict[PaneKey, int], dict[str, int], int | None, dict[str, frozenset[str]], set[str],
]  # fmt: skip
"""The copy that ``SessionState.copy`` makes and ``SessionState.restore`` restores."""


@dataclass(slots=True)
class SessionState:
    """What is known only while the daemon runs, by target or runtime id.

    One thread uses it at a time, as with ``QuietRuntimes``.
    """

    opened_at: int
    pending: dict[int, RawEvent]
    down: set[str]
    servers: dict[tuple[str, int], str] = field(default_factory=dict)
    read_at: dict[str, int] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    suspended: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    looked_at: dict[str, frozenset[str]] = field(default_factory=dict)
    title_at: dict[PaneKey, int] = field(default_factory=dict)
    unread: dict[str, frozenset[str]] = field(default_factory=dict)  # panes of agents that cannot be read, by target
    wakes: dict[str, int] = field(default_factory=dict)
    quiet_runtimes: QuietRuntimes = field(default_factory=QuietRuntimes)
    crash_due: int | None = None

    def runtime_facts(self, runtime: Runtime) -> RuntimeFacts:
        """Give the facts about a runtime that are not claims."""
        return RuntimeFacts(
            started_at=runtime.started_at,
            pane_read_at=self.read_at.get(runtime.target_id, 0),
            target_down=runtime.target_id in self.down,
            suspended=runtime.runtime_id in self.suspended,
            unread=runtime.pane_id in self.unread.get(runtime.target_id, ()),
        )

    def copy(self) -> SessionCopy:
        """Copy everything that a transaction may change."""
        return (
            set(self.down), dict(self.servers), dict(self.read_at), set(self.ready), set(self.suspended),
            dict(self.looked_at), dict(self.title_at), dict(self.wakes), self.crash_due, dict(self.unread),
            set(self.declared),
        )  # fmt: skip

    def restore(self, copy: SessionCopy) -> None:
        """Restore a copy after a rollback. Until a runtime is found unchanged again, each of its rounds is applied."""
        (self.down, servers, self.read_at, self.ready, self.suspended, self.looked_at, self.title_at, self.wakes, due,
         self.unread, self.declared) = copy  # fmt: skip
        self.servers.clear()  # change it in place: other objects refer to it
        self.servers.update(servers)
        self.crash_due = due
        self.quiet_runtimes.clear()

    def forget_runtime(self, runtime_id: str) -> None:
        """Forget a runtime that has ended."""
        self.wakes.pop(runtime_id, None)
        self.suspended.discard(runtime_id)
        self.declared.discard(runtime_id)

    def forget_target(self, target_id: str) -> None:
        """Forget a target that is no longer watched."""
        self.down.discard(target_id)
        self.ready.discard(target_id)
        self.read_at.pop(target_id, None)
        self.looked_at.pop(target_id, None)
        self.unread.pop(target_id, None)
        for server in [server for server, other in self.servers.items() if other == target_id]:
            del self.servers[server]
        for key in [key for key in self.title_at if key[0] == target_id]:
            del self.title_at[key]


@dataclass(slots=True)
class IngestContext:
    """One transaction under way."""

    connection: sqlite3.Connection
    unit: UnitOfWork
    now: int
    pending_added: dict[int, RawEvent] = field(default_factory=dict)
    pending_settled: set[int] = field(default_factory=set)
    counted: Counter[str] = field(default_factory=Counter)
    refresh_targets: set[str] = field(default_factory=set)  # targets to refresh at once
    search_targets: set[str] = field(default_factory=set)  # targets that may run the process of a waiting event
    rebind: bool = False
    removed_targets: dict[str, str] = field(default_factory=dict)
    coordination: list[Change] = field(default_factory=list)  # what features publish with their writes

    def save_new_runtime(self, runtime: Runtime) -> None:
        """Save a runtime that began in this transaction. Its row must exist before its first event is added."""
        for ended in self.unit.ended.values():
            save_runtime(self.connection, ended)
        for other in self.unit.runtimes.over.values():
            if other is not None and other.ended_at is not None:
                save_runtime(self.connection, other)
        save_runtime(self.connection, runtime)


def living(unit: UnitOfWork, target_id: str) -> Iterable[Runtime]:
    """Yield the active runtimes of a target."""
    for key, runtime_id in unit.active.items():
        if key[0] == target_id:
            runtime = unit.runtimes.get(runtime_id)
            if runtime is not None:
                yield runtime


@lru_cache(maxsize=256)
def real_path(path: str) -> str:
    """Resolve the symbolic links in a socket's path."""
    return os.path.realpath(path)
