"""Answer the routes of notifications."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.requests import MAX_NS
from agtmuxd.config import ChannelSettings, NotifySettings
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.core.model import NS
from agtmuxd.features.notify import message_store, store
from agtmuxd.features.notify.alarm import fails
from agtmuxd.features.notify.message_store import Sending
from agtmuxd.features.notify.model import Delivery, Episode
from agtmuxd.features.notify.notifier import Notifier
from agtmuxd.features.notify.quiet import quiet_of
from agtmuxd.features.notify.routes import LONGEST_MUTE
from agtmuxd.features.notify.store import EVERYTHING, Mute
from agtmuxd.features.notify.trace import delivery_item, episode_item, explain_episode
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows

MOST_DEAD: Final = 100
"""Messages that could not be delivered and are listed, or sent again at once."""


class Notifications:
    """Implements ``NotifyService`` of ``routes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        notifier: Notifier,
        database: Store,
        view: PublishedRows,
        settings: Callable[[], NotifySettings],
        clock: Callable[[], int],
        press: Callable[[str, str], Awaitable[dict[str, Any]]],
    ) -> None:
        """``press``: answers the prompt of a code."""
        self.press = press
        self.envelope = envelope
        self._notifier = notifier
        self._book = notifier.book
        self._database = database
        self._view = view
        self._settings = settings
        self._clock = clock

    async def status(self) -> dict[str, Any]:
        await self._notifier.load()
        now, settings, book = self._clock(), self._settings(), self._book
        dead = await self._database.read(lambda connection: message_store.dead(connection, MOST_DEAD))
        quiet = quiet_of(settings.quiet_hours)
        return {
            "channels": [self._channel_item(channel) for channel in settings.channels],
            "quiet_until": stamp_or_none(quiet.until(now)) if quiet is not None else None,
            "muted_until": stamp_or_none(self._notifier.muted_all(now)),
            "mutes": [
                {"pane": self._ref(mute.pane_key), "until": stamp(mute.until)}
                for mute in book.mutes.values()
                if mute.until > now and (mute.pane_key is None or self._view.panes.get(mute.pane_key) is not None)
            ],
            "episodes": [self._episode_item(one) for one in book.open.values()],
            "dead": [_dead_item(one) for one in dead],
        }

    async def test(self, channel: str | None) -> list[dict[str, Any]]:
        names = [one.name for one in self._settings().channels]
        if not names:
            text = "no channel is configured: add [[notify.channels]] to the configuration, then agtmux daemon reload"
            raise AgtmuxError("E_INVALID_REQUEST", text)
        if channel is not None and channel not in names:
            text = f"there is no channel {one_line(channel)}: use one of {', '.join(names)}"
            raise AgtmuxError("E_INVALID_REQUEST", text)
        chosen = names if channel is None else [channel]
        await self._notifier.load()
        outcomes = await asyncio.gather(*(self._notifier.sender.test(name) for name in chosen))
        self._notifier.wake()
        return [
            {"channel": name, "ok": outcome.ok, "detail": one_line(outcome.detail)}
            for name, outcome in zip(chosen, outcomes, strict=True)
        ]

    async def why(self, pane: str, limit: int) -> tuple[str, list[dict[str, Any]]]:
        key = self._view.resolve(pane)
        await self._notifier.load()

        def read(connection: sqlite3.Connection) -> tuple[list[Episode], list[Delivery]]:
            found = store.episodes_of(connection, key, limit)
            return found, store.deliveries_of(connection, [one.episode_id for one in found])

        episodes, deliveries = await self._database.read(read)
        facts = self._notifier.facts(self._clock())
        items = []
        for episode in episodes:
            made = [one for one in deliveries if one.episode_id == episode.episode_id]
            items.append(
                explain_episode(facts, self._book.open.get(episode.episode_id, episode), made, self._book.sendings)
            )
        return str(self._view.panes[key]["ref"]), items

    async def mute(self, pane: str | None, seconds: float | None, until: int | None) -> dict[str, Any]:
        now = self._clock()
        if seconds is not None:
            until = now + min(round(seconds * NS), MAX_NS - now)
        assert until is not None  # noqa: S101 the model of the body has one of them
        if until <= now:
            raise AgtmuxError("E_INVALID_REQUEST", f"{stamp(until)} is past: give a later time")
        if until > now + LONGEST_MUTE * NS:
            days = LONGEST_MUTE // 86_400
            raise AgtmuxError("E_INVALID_REQUEST", f"a mute may last {days} days at most: give an earlier time")
        key = None if pane is None else self._view.resolve(pane)
        scope = EVERYTHING if key is None else self._notifier.scope_of(key)
        if scope is None:
            raise AgtmuxError("E_REF_NOT_FOUND", "the pane is gone: run agtmux ls to see agents")
        await self._notifier.load()
        async with self._notifier.lock:
            await self._book.mute(Mute(scope, key, until, now))
        self._notifier.wake()
        return {"pane": self._ref(key), "until": stamp(until)}

    async def unmute(self, pane: str | None) -> int:
        await self._notifier.load()
        now = self._clock()
        if pane is None:
            scopes = list(self._book.mutes)
        else:
            scope = self._notifier.scope_of(self._view.resolve(pane))
            scopes = [scope] if scope is not None and scope in self._book.mutes else []
        lifted = sum(self._book.mutes[scope].until > now for scope in scopes)
        async with self._notifier.lock:
            await self._book.unmute(scopes)
        self._notifier.wake()
        return lifted

    async def look(self, panes: list[str]) -> int:
        seen: set[str] = set()
        for pane in panes:
            with suppress(AgtmuxError):  # gone since it was drawn: the others still count
                runtime_id = self._view.panes[self._view.resolve(pane)].get("runtime_id")
                if runtime_id is not None:
                    seen.add(runtime_id)
        self._notifier.note_looks(seen)
        return len(seen)

    async def retry(self, message: str | None) -> int:
        await self._notifier.load()
        wanted = [message] if message is not None else None

        def read(connection: sqlite3.Connection) -> list[Sending]:
            return (
                message_store.dead(connection, MOST_DEAD)
                if wanted is None
                else message_store.of_ids(connection, wanted)
            )

        found = [one for one in await self._database.read(read) if one.state == "dead"]
        if message is not None and not found:
            text = f"there is no failed message {one_line(message)}: agtmux notify status lists them"
            raise AgtmuxError("E_INVALID_REQUEST", text)
        async with self._notifier.lock:
            for one in found:
                await self._book.revive(replace(one, state="retry", next_at=self._clock(), ended_at=None, attempts=0))
        self._notifier.wake()
        return len(found)

    def health(self) -> HealthPart:
        """Report channels that deliver nothing, as problems."""
        names = {one.name for one in self._settings().channels}
        broken = [one for name, one in sorted(self._book.health.items()) if name in names and fails(one)]
        return HealthPart(
            problems=tuple(f"the channel {one.channel} delivers nothing: {one.last_error}" for one in broken),
            counters={"open_episodes": len(self._book.open), "unsent_messages": len(self._book.sendings)},
        )

    # ---------------------------------------------------------------- items

    def _channel_item(self, channel: ChannelSettings) -> dict[str, Any]:
        health = self._book.health.get(channel.name)
        state = "unused"
        if health is not None:
            state = "disabled" if health.disabled is not None else "failing" if health.failures else "ok"
        return {
            "channel": channel.name,
            "kind": channel.kind,
            "body": "full" if channel.full else "names",
            "state": state,
            "last_success": stamp_or_none(health.last_success if health else None),
            "last_failure": stamp_or_none(health.last_failure if health else None),
            "last_error": health.last_error if health else None,
            "failures": health.failures if health else 0,
            "undelivered": sum(one.message.channel == channel.name for one in self._book.sendings.values()),
        }

    def _episode_item(self, episode: Episode) -> dict[str, Any]:
        made = self._book.deliveries.get(episode.episode_id, {}).values()
        return {**episode_item(episode), "deliveries": [delivery_item(one, self._book.sendings) for one in made]}

    def _ref(self, key: str | None) -> str | None:
        item = None if key is None else self._view.panes.get(key)
        return None if item is None else str(item["ref"])


def _dead_item(one: Sending) -> dict[str, Any]:
    return {
        "message": one.message.message_id,
        "channel": one.message.channel,
        "made_at": stamp(one.message.made_at),
        "title": one.message.title,
        "attempts": one.attempts,
        "last_error": one.last_error,
    }
