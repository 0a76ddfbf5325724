"""Hold in memory what the tables of notifications say now, and write each change to both.

The database comes first: memory changes only after the commit. The caller makes sure that one change ends before the
next begins.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from agtmuxd.core.model import NS
from agtmuxd.features.notify import message_store, store
from agtmuxd.features.notify.episodes import Steps
from agtmuxd.features.notify.message_store import ChannelHealth, Sending
from agtmuxd.features.notify.model import Delivery, Episode, Kind, Part, State
from agtmuxd.features.notify.store import Mute
from agtmuxd.store.db import Store

REMEMBERED: Final = 7 * 86_400 * NS
"""How far back it matters when somebody was told: the longest cooldown."""
_ENDED: Final = {"sent": State.SENT, "unknown": State.UNKNOWN, "dead": State.DEAD, "dropped": State.SKIPPED}

Deliveries = dict[tuple[str, Part], Delivery]


@dataclass(slots=True)
class StartRows:
    """What a start reads."""

    episodes: list[Episode]
    deliveries: list[Delivery]
    last_sent: dict[tuple[str, Kind, str], int]
    turns: dict[str, int]
    mutes: dict[str, Mute]
    health: dict[str, ChannelHealth]
    sendings: list[Sending]
    retracts: list[Sending]


def read_all(connection: sqlite3.Connection, now: int) -> StartRows:
    """Read what is current at ``now`` (ns)."""
    episodes = store.open_episodes(connection)
    return StartRows(
        episodes, store.deliveries_of(connection, [one.episode_id for one in episodes]),
        store.last_sent(connection, now - REMEMBERED), store.turns(connection), store.mutes(connection),
        message_store.health(connection), message_store.unfinished(connection), message_store.to_retract(connection),
    )  # fmt: skip


@dataclass(slots=True)
class Book:
    """The open episodes and all that belongs to them."""

    database: Store
    open: dict[str, Episode] = field(default_factory=dict)
    deliveries: dict[str, Deliveries] = field(default_factory=dict)
    last_sent: dict[tuple[str, Kind, str], int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    mutes: dict[str, Mute] = field(default_factory=dict)
    health: dict[str, ChannelHealth] = field(default_factory=dict)
    sendings: dict[str, Sending] = field(default_factory=dict)
    """Messages that are being sent or will be sent again."""
    retracts: dict[str, Sending] = field(default_factory=dict)
    """Delivered messages to take back."""

    async def load(self, now: int) -> None:
        """Read everything from the database. Times that lie in the future, after the clock was set back, become now."""
        found = await self.database.read(lambda connection: read_all(connection, now))
        self.open = {one.episode_id: replace(one, opened_at=min(one.opened_at, now)) for one in found.episodes}
        self.deliveries = {}
        for delivery in found.deliveries:
            self._keep(replace(delivery, at=min(delivery.at, now)))
        self.last_sent = {key: min(at, now) for key, at in found.last_sent.items()}
        self.turns, self.mutes, self.health = found.turns, found.mutes, found.health
        self.sendings = {one.message.message_id: one for one in found.sendings}
        self.retracts = {one.message.message_id: one for one in found.retracts}

    def of_pane(self, pane_key: str) -> list[Episode]:
        """List the open episodes of a pane."""
        return [one for one in self.open.values() if one.pane_key == pane_key]

    def pane_keys(self) -> set[str]:
        """Return the panes with open episodes."""
        return {one.pane_key for one in self.open.values() if one.kind is not Kind.CHANNEL}

    def health_of(self, channel: str) -> ChannelHealth:
        return self.health.get(channel) or ChannelHealth(channel)

    # ---------------------------------------------------------------- changes

    async def follow(self, steps: Steps, skipped: Iterable[Delivery]) -> None:
        """Write what rows changed, and why channels did not hear of episodes that ended. Messages about them are to be
        taken back."""
        skips = list(skipped)
        ended = [one.episode_id for one in steps.closed]

        def write(connection: sqlite3.Connection) -> list[Sending]:
            store.write_steps(connection, steps)
            store.put_deliveries(connection, skips)
            return list(_due_back(connection, ended))

        due = await self.database.run(write)
        for one in (*steps.changed, *steps.opened):
            self.open[one.episode_id] = one
        for one in steps.closed:
            self.open.pop(one.episode_id, None)
            self.deliveries.pop(one.episode_id, None)
        for runtime_id, started_at in steps.turns.items():
            if started_at is None:
                self.turns.pop(runtime_id, None)
            else:
                self.turns[runtime_id] = started_at
        self.retracts |= {one.message.message_id: one for one in due}

    async def skip(self, skips: Iterable[Delivery]) -> None:
        """Write that these deliveries will not be made."""
        some = list(skips)
        await self.database.run(lambda connection: store.put_deliveries(connection, some))
        for delivery in some:
            self._keep(delivery)

    async def intend(self, sendings: Iterable[tuple[Sending, list[Delivery]]]) -> None:
        """Write which messages are sent next, before they are sent."""
        some = list(sendings)

        def write(connection: sqlite3.Connection) -> None:
            for sending, deliveries in some:
                message_store.put(connection, sending)
                store.put_deliveries(connection, deliveries)

        await self.database.run(write)
        for sending, deliveries in some:
            self.sendings[sending.message.message_id] = sending
            for delivery in deliveries:
                episode = self.open.get(delivery.episode_id)
                if episode is not None:
                    self._keep(delivery)
                    self.last_sent[(episode.runtime_id, episode.kind, delivery.channel)] = delivery.at

    async def conclude(self, sending: Sending, health: ChannelHealth, now: int) -> None:
        """Write what came out of an attempt. A message about episodes that have all ended is to be taken back."""
        message_id = sending.message.message_id
        state = _ENDED.get(sending.state)

        def write(connection: sqlite3.Connection) -> bool:
            message_store.put(connection, sending)
            message_store.put_health(connection, health)
            if state is not None:
                store.end_deliveries(connection, message_id, state, now, sending.last_error)
            over = sending.state == "sent" and sending.handle is not None and self.all_ended(sending)
            if over:
                message_store.put(connection, replace(sending, retract="due"))
            return over

        over = await self.database.run(write)
        self.health[health.channel] = health
        if state is None:
            self.sendings[message_id] = sending
            return
        self.sendings.pop(message_id, None)
        if over:
            self.retracts[message_id] = replace(sending, retract="due")
        for note in sending.message.notes:
            for key, delivery in self.deliveries.get(note.episode_id, {}).items():
                if delivery.message_id == message_id:
                    self.deliveries[note.episode_id][key] = replace(
                        delivery, state=state, at=now, reason=sending.last_error
                    )

    async def revive(self, sending: Sending) -> None:
        """Write that a message that could not be delivered is sent again."""

        def write(connection: sqlite3.Connection) -> None:
            message_store.put(connection, sending)
            store.end_deliveries(connection, sending.message.message_id, State.SENDING, sending.message.made_at)

        await self.database.run(write)
        self.sendings[sending.message.message_id] = sending

    async def finish_retract(self, sending: Sending) -> None:
        """Write that a message was taken back, or that it cannot be."""
        done = replace(sending, retract="done")
        await self.database.run(lambda connection: message_store.put(connection, done))
        self.retracts.pop(sending.message.message_id, None)

    async def mark_seen(self, episodes: Iterable[Episode], now: int) -> None:
        """Write that somebody looked at the panes of these episodes."""
        some = [replace(one, seen_at=now) for one in episodes]

        def write(connection: sqlite3.Connection) -> None:
            for one in some:
                store.put_episode(connection, one)

        await self.database.run(write)
        self.open |= {one.episode_id: one for one in some}

    async def mute(self, mute: Mute) -> None:
        await self.database.run(lambda connection: store.put_mute(connection, mute))
        self.mutes[mute.scope] = mute

    async def unmute(self, scopes: Iterable[str]) -> None:
        some = list(scopes)
        await self.database.run(lambda connection: store.drop_mutes(connection, some))
        for scope in some:
            self.mutes.pop(scope, None)

    async def keep_health(self, health: ChannelHealth) -> None:
        await self.database.run(lambda connection: message_store.put_health(connection, health))
        self.health[health.channel] = health

    # ---------------------------------------------------------------- helpers

    def _keep(self, delivery: Delivery) -> None:
        self.deliveries.setdefault(delivery.episode_id, {})[(delivery.channel, delivery.part)] = delivery

    def all_ended(self, sending: Sending) -> bool:
        """Whether all episodes of a message have ended."""
        notes = sending.message.notes
        return bool(notes) and not any(note.episode_id in self.open for note in notes)


def _due_back(connection: sqlite3.Connection, ended: Iterable[str]) -> Iterator[Sending]:
    """Mark the delivered messages about these episodes that are to be taken back."""
    seen: set[str] = set()
    for episode_id in ended:
        for sending, over in message_store.delivered_open(connection, episode_id):
            if over and sending.message.message_id not in seen:
                seen.add(sending.message.message_id)
                due = replace(sending, retract="due")
                message_store.put(connection, due)
                yield due
