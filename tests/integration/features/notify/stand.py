"""Notifications on a real database, with rows, time, crashes and channels in the test's hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import ChannelSettings, NotifySettings
from agtmuxd.core.model import NS
from agtmuxd.features.notify.channel_set import ChannelSet
from agtmuxd.features.notify.channels.clients import Terminal
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.message import Message, Outcome
from agtmuxd.features.notify.notifier import Notifier
from agtmuxd.features.notify.service import Notifications
from agtmuxd.repository import Pane, Repository, Target
from agtmuxd.store.db import open_database
from agtmuxd.store.migrate import load, migrate
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import PublishedRows, changes_for
from agtmuxd.stream.subscription import Resync
from tests.fake_services import target
from tests.rig import Clock, pane_row
from tests.rows import Item, by_key, pane

T = TypeVar("T")


class CrashError(BaseException):
    """The daemon ended here."""


class DirectStore:
    """The store without its threads: each piece of work is a transaction, done at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self.connection)
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self.connection)


@dataclass
class Wall:
    """What people saw: every message that reached somebody, by channel, also over restarts."""

    shown: list[tuple[str, Message]] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    answer: dict[str, Outcome] = field(default_factory=dict)
    """What a channel says from now on; without: delivered."""

    def titles(self, channel: str | None = None) -> list[str]:
        return [message.title for name, message in self.shown if channel in (None, name)]

    def parts(self, channel: str) -> list[tuple[str, bool]]:
        """Each (episode, is a reminder) that was shown on a channel."""
        return [(n.episode_id, n.reminder) for name, m in self.shown if name == channel for n in m.notes]


class FakeChannel:
    """Shows messages on the wall. A webhook may repeat, a desktop may take back."""

    repeatable = False

    def __init__(self, settings: ChannelSettings, wall: Wall) -> None:
        self.keeps_trying = settings.kind == "webhook"
        self.name = settings.name
        self.wall = wall
        self.closed = False

    async def send(self, message: Message) -> Outcome:
        outcome = self.wall.answer.get(self.name, Outcome(ok=True, handle=f"h-{message.message_id}"))
        if outcome.ok:
            self.wall.shown.append((self.name, message))
        return outcome

    async def retract(self, handle: str) -> None:
        self.wall.taken_back.append(handle)

    async def close(self) -> None:
        self.closed = True


class FakeWebhook(FakeChannel):
    repeatable = True


class Stand:
    """Notifications over one database. ``restart`` begins a new daemon on it, ``crash_at`` ends it at a point."""

    def __init__(self, folder: Path | None, settings: dict[str, Any] | None = None) -> None:
        """``folder``: where the database is; None: in memory, for tests that make many."""
        if folder is not None:
            self.connection, _ = open_database(str(folder / "n.db"))
        else:
            self.connection = sqlite3.connect(":memory:", isolation_level=None)
            self.connection.execute("PRAGMA foreign_keys=ON")
            migrate(self.connection, load())
        self.clock = Clock()
        self.wall = Wall()
        self.view = PublishedRows("s-1")
        self.repository = Repository()
        self.repository.targets["t-host"] = Target(
            "t-host", "host", "local", None, True, "ok", 0, None, None, None, {}, 0
        )
        self.targets = [target()]
        self.crash_at: str | None = None
        self.terminals: list[Terminal] = []
        self.settings = NotifySettings.model_validate(settings or {"channels": [{"name": "desk", "kind": "desktop"}]})
        self.failpoints: list[str] = []
        self.restart()

    def restart(self) -> None:
        """Forget all that is only in memory."""
        self.crash_at = None
        database: Any = DirectStore(self.connection)
        envelope = Envelope(self.clock, lambda: self.targets)
        tools = Tools({}, self.clock, self._press)
        self.channels = ChannelSet(lambda: self.settings, tools, self._make)
        self.notifier = Notifier(
            database=database, view=self.view, repository=self.repository, envelope=envelope, channels=self.channels,
            settings=lambda: self.settings, annotate=self._annotate, terminals=self._terminals,
            kept_for=lambda: 14 * 86_400 * NS, clock=self.clock, failpoint=self._failpoint,
        )  # fmt: skip
        self.service = Notifications(
            envelope=envelope, notifier=self.notifier, database=database, view=self.view,
            settings=lambda: self.settings, clock=self.clock, press=self._by_code,
        )  # fmt: skip

    def _make(self, settings: ChannelSettings, _tools: Tools) -> FakeChannel:
        return (FakeWebhook if settings.kind in ("webhook", "ntfy") else FakeChannel)(settings, self.wall)

    async def _by_code(self, code: str, verb: str) -> dict[str, Any]:
        raise AgtmuxError("E_UNAUTHORIZED", f"{verb}: {code} is used up")

    async def _press(self, _message_id: str, verb: str) -> str | None:
        return f"{verb} is not possible"

    async def _terminals(self, _wanted: Iterable[str]) -> list[Terminal]:
        return self.terminals

    async def _annotate(self, runtime_id: str, name: str, value: Any) -> bool:
        for key, item in list(self.view.panes.items()):
            if item.get("runtime_id") == runtime_id:
                self.view.panes[key] = {**item, name: value}
        return True

    def _failpoint(self, name: str) -> None:
        self.failpoints.append(name)
        if name == self.crash_at:
            raise CrashError(name)

    # ---------------------------------------------------------------- what happens

    async def start(self) -> None:
        """Read all rows, as a daemon does at its start."""
        await self.notifier.on_resync(Resync.STARTED)

    async def show(self, *rows: Item) -> None:
        """Publish rows."""
        await self.publish(dict(by_key(*rows)))

    async def publish(self, rows: dict[str, Item | None]) -> None:
        changes = changes_for(self.view, rows)
        if not changes:
            return
        sequence = self.view.sequence + 1
        self.view.apply(sequence, changes)
        for item in filter(None, rows.values()):
            identity = item["identity"]
            key = ("t-host", identity["pane_id"])
            self.repository.panes.setdefault(key, Pane("t-host", "900.1", pane_row(key[1]), 0, 0))
        await self.notifier.on_changes(Batch(sequence, self.clock(), changes))

    async def forward(self, seconds: float) -> None:
        """Let time pass, plan, and send until nothing more is due."""
        self.clock.forward(seconds)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(200):
            again = await self.notifier.tick()
            await self.notifier.settle()
            if (again is None or again > self.clock()) and not self.notifier.book.retracts:
                return
        raise AssertionError("it never comes to rest")


def asks(number: int = 1, fingerprint: str = "f-1", since: str = "2026-01-01T00:00:00.000Z", **more: Any) -> Item:
    """A row of an agent that waits for an approval."""
    waiting = {"kind": "approval", "subject": "Bash", "text": "make", "options": [], "fingerprint": fingerprint}
    return pane(f"%{number}", state="waiting_approval", waiting_for=waiting, since=since, **more)
