"""Follow the published rows, plan what to send, and have it sent. Owns the order of all changes to the book.

``on_changes`` and ``on_resync`` open and close episodes. ``run`` sends. One lock makes sure that one change to the book
ends before the next begins; it is not held while something is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import NotifySettings
from agtmuxd.core.ids import uuid7
from agtmuxd.core.model import NS
from agtmuxd.core.state.registers import TURN_START
from agtmuxd.features.contract import Annotate
from agtmuxd.features.notify.alarm import alarm_rule, alarm_steps, chosen_channel
from agtmuxd.features.notify.book import Book
from agtmuxd.features.notify.channel_set import ChannelSet
from agtmuxd.features.notify.channels.clients import Terminal
from agtmuxd.features.notify.episodes import Steps, follow
from agtmuxd.features.notify.looks import EVERY, FRESH, SELDOM, RecentLooks, looked_at
from agtmuxd.features.notify.message_store import Sending
from agtmuxd.features.notify.model import Episode, Item, Kind, Part
from agtmuxd.features.notify.mute_marks import FIELD, changed_marks
from agtmuxd.features.notify.plan import ChannelFacts, Do, Facts, judge, plan, unsent_at_end
from agtmuxd.features.notify.quiet import quiet_of
from agtmuxd.features.notify.rules import rules_of
from agtmuxd.features.notify.sender import Sender
from agtmuxd.features.notify.store import EVERYTHING, purge
from agtmuxd.repository import Repository
from agtmuxd.store.db import Store
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.subscription import Resync

_LOG = structlog.get_logger("notify")
LONGEST_SLEEP: Final = 30.0
"""Seconds after which it looks again even if nothing is due: the clock may have been set."""
UNREAD_AGAIN: Final = NS
"""After how long (ns) it looks again whether a target was read: that is no change of a row."""
FORGET_EVERY: Final = 3600 * NS
BATCH: Final = 500
"""Rows that are deleted in one transaction."""
PAUSE: Final = 0.05
"""Seconds between two of them."""
STOP_WITHIN: Final = 1.5
"""Seconds for messages that are being sent when the daemon stops."""
AGAIN_AFTER: Final = 5.0
"""Seconds until another try after the database failed."""


class Notifier:
    """Tells people what needs them."""

    def __init__(
        self,
        *,
        database: Store,
        view: PublishedRows,
        repository: Repository,
        envelope: Envelope,
        channels: ChannelSet,
        settings: Callable[[], NotifySettings],
        annotate: Annotate,
        terminals: Callable[[Iterable[str]], Awaitable[Iterable[Terminal]]],
        kept_for: Callable[[], int],
        clock: Callable[[], int],
        failpoint: Callable[[str], None],
    ) -> None:
        """``terminals``: lists those that are attached to these targets, by id. ``kept_for``: ns for which to keep what
        ended.
        """
        self.book = Book(database)
        self.channels = channels
        self.lock = asyncio.Lock()
        self.sender = Sender(self.book, channels, clock, self.lock, failpoint)
        self._view = view
        self._repository = repository
        self._envelope = envelope
        self._settings = settings
        self._annotate = annotate
        self._terminals = terminals
        self._looked_at: frozenset[str] = frozenset()
        self._in_tmux: frozenset[str] = frozenset()
        self._reported = RecentLooks()
        self._asked_at = 0
        self._forgot_at = 0
        self._kept_for = kept_for
        self._look_again: int | None = None
        self._marks = True
        self._clock = clock
        self._sequence = -1
        self._loaded = False
        self._behind = False
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._taken_back: set[str] = set()

    # ---------------------------------------------------------------- what happens

    async def load(self) -> None:
        """Read the database. Decide about messages that were being sent when the last daemon ended."""
        async with self.lock:
            if self._loaded:
                return
            await self.book.load(self._clock())
            await self.sender.recover()
            self._loaded = True

    async def on_resync(self, reason: Resync) -> None:
        """Read all rows again."""
        try:
            await self._read_rows()
        except AgtmuxError as error:
            self._fall_behind(error)

    async def on_changes(self, batch: Batch) -> None:
        """Follow the changes of one publication."""
        try:
            async with self.lock:
                if batch.sequence > self._sequence:
                    await self._follow({change.key: change.item for change in batch.changes.get("panes", ())})
                    self._sequence = batch.sequence
        except AgtmuxError as error:
            self._fall_behind(error)

    async def _read_rows(self) -> None:
        """Read all rows of the view."""
        await self.load()
        async with self.lock:
            sequence = self._view.sequence
            keys = self._view.panes.keys() | self.book.pane_keys()
            await self._follow({key: self._view.panes.get(key) for key in keys})
            self._sequence, self._behind = sequence, False

    def _fall_behind(self, error: AgtmuxError) -> None:
        """Note that changes could not be written. The next round reads all rows, also if nothing changes any more."""
        _LOG.warning("notifications wait for the database", why=error.message)
        self._behind = True
        self.wake()

    async def _follow(self, rows: Mapping[str, Item | None]) -> None:
        """Write what these rows change. The caller holds the lock."""
        now, steps = self._clock(), Steps()
        for key, item in rows.items():
            held = [one for one in self.book.of_pane(key) if one.kind is not Kind.CHANNEL]
            follow(key, item, held, self.book.turns, self._turn_mark, now, lambda: uuid7(now), steps)
        if steps:
            await self._write(steps, now)
        if steps or self._lacks_marks(rows, now):
            self.wake()

    def _lacks_marks(self, rows: Mapping[str, Item | None], now: int) -> bool:
        """Whether some of these rows must show a mute, or another one: an agent began in a muted pane."""
        if not self.book.mutes:
            return False
        there = {key: item for key, item in rows.items() if item is not None}
        return bool(changed_marks(there, self.muted(now), self.muted_all(now)))

    async def _write(self, steps: Steps, now: int) -> None:
        skipped = []
        if steps.closed:
            facts = self.facts(now)
            skipped = [
                one for episode in steps.closed for one in unsent_at_end(facts, self.book.open[episode.episode_id])
            ]
        await self.book.follow(steps, skipped)

    def _turn_mark(self, runtime_id: str) -> int | None:
        return self._repository.marks.get(runtime_id, {}).get(TURN_START)

    def wake(self) -> None:
        """Plan again at once: something changed."""
        self._wake.set()

    # ---------------------------------------------------------------- what is done

    async def run(self) -> None:
        """Plan and send until cancelled."""
        try:
            while True:
                self._wake.clear()
                wait = await self._round()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
        finally:
            if self._sending:  # what is nearly done need not count as lost
                await asyncio.wait(self._sending, timeout=STOP_WITHIN)
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            await self.channels.close()

    async def _round(self) -> float:
        """Plan once and start what is due. Return for how many seconds nothing else is."""
        try:
            await self.load()
            if self._behind:
                await self._read_rows()
            again = await self.tick()
            await self._mark_mutes()
            await self._forget_old()
            await self.channels.close_old()
        except AgtmuxError as error:
            _LOG.warning("notifications wait for the database", why=error.message)
            return AGAIN_AFTER
        except Exception:  # noqa: BLE001 the outermost edge of this task: notifications go on
            _LOG.exception("notifications could not be planned")
            return AGAIN_AFTER
        if again is None:
            return LONGEST_SLEEP
        return min(LONGEST_SLEEP, max(0.0, (again - self._clock()) / NS))

    async def tick(self) -> int | None:
        """Plan once and start sending what is due now. Return when to plan again by time (ns)."""
        await self._look()
        async with self.lock:
            now = self._clock()
            await self._mark_seen(now)
            await self._alarms(now)
            facts = self.facts(now)
            chosen = plan(facts)
            if chosen.skips:
                await self.book.skip(chosen.skips)
            due = await self.sender.intend(chosen.sends) if chosen.sends else []
            retries, soonest = await self._retries(now)
        for sending in [*due, *retries]:
            self._start(self._attempt(sending))
        for sending in list(self.book.retracts.values()):
            if sending.message.message_id not in self._taken_back:
                self._start(self._retract(sending))
        times = [time for time in (chosen.look_again, soonest) if time is not None]
        times += [mute.until for mute in self.book.mutes.values() if mute.until > now]
        if any(one.subject.target in facts.unread for one in self.book.open.values()):
            times.append(now + UNREAD_AGAIN)
        if self._look_again is not None:
            times.append(self._look_again)
        return min(times, default=None)

    # ---------------------------------------------------------------- who looks

    def _matters(self, now: int) -> list[Episode]:
        """List the open episodes for which it matters now whether somebody looks."""
        facts = self.facts(now)
        found = []
        for one in self.book.open.values():
            if one.kind is Kind.CHANNEL:
                continue
            verdicts = [(part, judge(facts, one, channel, part)) for channel in facts.channels for part in Part]
            if any(v is not None and (part is Part.FIRST or v.do is not Do.WAIT) for part, v in verdicts):
                found.append(one)
        return found

    async def _look(self) -> None:
        """Ask which panes somebody looks at, if that matters now, and not more often than it is worth."""
        now = self._clock()
        some = self._matters(now)
        self._look_again = None
        if not some:
            self._looked_at = self._in_tmux = frozenset()
            return
        every = EVERY if any(now - one.opened_at < FRESH for one in some) else SELDOM
        if now - self._asked_at >= every or self._asked_at > now:
            self._asked_at = now
            ids = {target.name: target.target_id for target in self._repository.targets.values()}
            panes = {one.pane_key: item for one in some if (item := self._view.panes.get(one.pane_key)) is not None}
            wanted = {ids[name] for item in panes.values() if (name := item["identity"]["target"]) in ids}
            self._in_tmux = looked_at(await self._terminals(sorted(wanted)), panes, ids, now)
        reported = self._reported.current(now)
        self._looked_at = self._in_tmux | {one.pane_key for one in some if one.runtime_id in reported}
        self._look_again = self._asked_at + every

    def note_looks(self, runtime_ids: Collection[str]) -> None:
        """Count these agents as looked at for a while: a person sees them in the dashboard or on the web page."""
        self._reported.note(runtime_ids, self._clock())
        if any(one.runtime_id in runtime_ids for one in self.book.open.values()):
            self.wake()

    async def _mark_seen(self, now: int) -> None:
        fresh = [one for one in self.book.open.values() if one.seen_at is None and one.pane_key in self._looked_at]
        if fresh:
            await self.book.mark_seen(fresh, now)

    # ---------------------------------------------------------------- what is sent again

    async def _retries(self, now: int) -> tuple[list[Sending], int | None]:
        """Choose what is sent again now. Return it, and when the next one is due."""
        found: list[Sending] = []
        later: list[int] = []
        for sending in sorted(self.book.sendings.values(), key=lambda one: one.next_at or 0):
            name = sending.message.channel
            if sending.state != "retry" or name in self.sender.busy:
                continue
            channel = self.channels.get(name)
            if channel is None:
                await self.sender.drop(sending, "the configuration has no such channel any more")
            elif self.book.all_ended(sending) and not channel.keeps_trying:
                await self.sender.drop(sending, "it ended before it could be delivered")
            elif sending.next_at is not None and sending.next_at > now:
                later.append(sending.next_at)
            else:
                found.append(await self.sender.again(sending))
        return found, min(later, default=None)

    async def _alarms(self, now: int) -> None:
        """Open or close the episodes of channels that fail."""
        names = [channel.name for channel in self.channels]
        opened, closed = alarm_steps(names, self.book.health, self.book.open.values(), now, uuid7(now))
        if opened is not None or closed:
            await self._write(Steps(opened=[opened] if opened else [], closed=closed), now)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="notification")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _attempt(self, sending: Sending) -> None:
        try:
            await self.sender.attempt(sending)
        finally:
            self.wake()

    async def _retract(self, sending: Sending) -> None:
        message_id = sending.message.message_id
        self._taken_back.add(message_id)
        try:
            await self.sender.retract(sending)
        finally:
            self._taken_back.discard(message_id)

    async def _mark_mutes(self) -> None:
        """Let the rows of muted panes show it. ``_marks``: some row may show a mute, so they are compared."""
        now = self._clock()
        muted, muted_all = self.muted(now), self.muted_all(now)
        if not (muted or muted_all or self._marks):
            return
        for runtime_id, until in changed_marks(self._view.panes, muted, muted_all).items():
            await self._annotate(runtime_id, FIELD, until)
        self._marks = bool(muted or muted_all)
        ended = [scope for scope, mute in self.book.mutes.items() if mute.until <= now]
        if ended:
            async with self.lock:
                await self.book.unmute(ended)

    async def _forget_old(self) -> None:
        """Delete what ended longer ago than events are kept, in small batches."""
        now = self._clock()
        if now - self._forgot_at < FORGET_EVERY and self._forgot_at <= now:
            return
        self._forgot_at = now
        before = now - self._kept_for()
        while True:
            if await self.book.database.run(lambda connection: purge(connection, before, BATCH)) < BATCH:
                return
            await asyncio.sleep(PAUSE)

    async def settle(self) -> None:
        """Wait until nothing is being sent. For tests."""
        while self._sending:
            await asyncio.gather(*self._sending)

    # ---------------------------------------------------------------- what is known

    def facts(self, now: int) -> Facts:
        """Return the facts on which a plan rests."""
        settings = self._settings()
        names = [channel.name for channel in settings.channels]
        health = self.book.health
        alarms = {
            one.episode_id: chosen
            for one in self.book.open.values()
            if one.kind is Kind.CHANNEL
            and (chosen := chosen_channel(one, names, health, self.book.deliveries.get(one.episode_id, {})))
        }
        rules = (*rules_of(settings), alarm_rule(names, quiet_of(settings.quiet_hours)))
        return Facts(
            now=now,
            rules=rules,
            channels={
                name: ChannelFacts(name in self.sender.busy, self.book.health_of(name).disabled) for name in names
            },
            episodes=list(self.book.open.values()),
            deliveries=self.book.deliveries,
            last_sent=self.book.last_sent,
            muted=self.muted(now),
            muted_all=self.muted_all(now),
            looked_at=self._looked_at,
            unread=self._unread(),
            alarms=alarms,
        )

    def muted_all(self, now: int) -> int | None:
        """Until when everything is muted, in ns. None: it is not."""
        mute = self.book.mutes.get(EVERYTHING)
        return mute.until if mute is not None and mute.until > now else None

    def muted(self, now: int) -> dict[str, int]:
        """Until when single panes are muted, by pane key. A mute is for a pane of one life of its tmux server."""
        out = {}
        for mute in self.book.mutes.values():
            if mute.pane_key is not None and mute.until > now and self.scope_of(mute.pane_key) == mute.scope:
                out[mute.pane_key] = mute.until
        return out

    def scope_of(self, pane_key: str) -> str | None:
        """Name a pane of this life of its tmux server. None if there is no such pane."""
        try:
            key = self._repository.pane_key(pane_key)
        except AgtmuxError:
            return None
        pane = self._repository.panes.get(key)
        return None if pane is None else f"{key[0]}/{key[1]}/{pane.boot_id}"

    def _unread(self) -> frozenset[str]:
        """Return the targets that were not read since the daemon started: their rows are those of before."""
        if not self.book.open:
            return frozenset()
        _, _, errors = self._envelope.answering()
        return frozenset(str(error["target"]) for error in errors if error["reason"] == "not_read_yet")
