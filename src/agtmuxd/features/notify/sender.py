"""Send messages: write the intent, try once, write what came out, and know when to try again.

A crash between intent and outcome leaves a message of which nobody knows whether it arrived. Channels whose other side
knows a message by its id send it again. All others do not: they send at most once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.redact import redact
from agtmux.protocol.text import one_line
from agtmuxd.core.ids import uuid7
from agtmuxd.features.notify.book import Book
from agtmuxd.features.notify.channel_set import ChannelSet
from agtmuxd.features.notify.channels.contract import Retracts
from agtmuxd.features.notify.message import Draft, Message, Outcome, message_of, trial_message
from agtmuxd.features.notify.message_store import ChannelHealth, Sending
from agtmuxd.features.notify.model import Delivery, State
from agtmuxd.features.notify.plan import Send
from agtmuxd.features.notify.retry import next_attempt

_LOG = structlog.get_logger("notify")
SECONDS: Final = 40.0
"""How long an attempt may take, whatever the channel. Each channel has a shorter limit."""
STORE_AGAIN: Final = 5.0
"""Seconds until another try to write to a database that failed."""
CUT: Final = 300
"""Characters of an error that are kept."""


class Sender:
    """Sends messages on the channels. ``busy``: names of channels on which one is being sent."""

    def __init__(
        self,
        book: Book,
        channels: ChannelSet,
        clock: Callable[[], int],
        lock: asyncio.Lock,
        failpoint: Callable[[str], None],
    ) -> None:
        """``lock``: held while the book changes."""
        self.busy: set[str] = set()
        self._book = book
        self._channels = channels
        self._clock = clock
        self._lock = lock
        self._failpoint = failpoint

    async def recover(self) -> None:
        """Decide about messages that were being sent when the last daemon ended. Call it once, before anything else."""
        now = self._clock()
        for sending in [one for one in self._book.sendings.values() if one.state == "sending"]:
            if self._is_repeatable(sending.message.channel):
                after = replace(sending, state="retry", next_at=now, attempts=max(0, sending.attempts - 1))
            else:
                after = replace(sending, state="unknown", ended_at=now, last_error="the daemon ended while it was sent")
            await self._book.conclude(after, self._book.health_of(sending.message.channel), now)

    async def intend(self, sends: Iterable[Send]) -> list[Sending]:
        """Write what is sent next. The caller holds the lock, and calls ``attempt`` for each afterwards."""
        now = self._clock()
        made: list[tuple[Sending, list[Delivery]]] = []
        for send in sends:
            settings = self._channels.settings_of(send.channel)
            full = settings is not None and settings.full
            parts = [(episode, part) for episode, part, _ in send.parts]
            message = message_of(Draft(uuid7(now), send.channel, now, full, parts))
            deliveries = [
                Delivery(
                    episode.episode_id, send.channel, part, State.SENDING, now, verdict.rule, None, message.message_id
                )
                for episode, part, verdict in send.parts
            ]
            made.append((Sending(message, "sending", 1), deliveries))
            self.busy.add(send.channel)
        self._failpoint("notify_before_intent")
        try:
            await self._book.intend(made)
        except BaseException:
            self.busy -= {sending.message.channel for sending, _ in made}
            raise
        self._failpoint("notify_after_intent")
        return [sending for sending, _ in made]

    async def again(self, sending: Sending) -> Sending:
        """Write that a message is sent once more. The caller holds the lock, and calls ``attempt`` afterwards."""
        after = replace(sending, state="sending", attempts=sending.attempts + 1, next_at=None)
        self.busy.add(sending.message.channel)
        try:
            await self._book.intend([(after, [])])
        except BaseException:
            self.busy.discard(sending.message.channel)
            raise
        return after

    async def attempt(self, sending: Sending) -> Outcome:
        """Send a message once and write what came out."""
        name = sending.message.channel
        try:
            outcome = await self._try(name, sending.message)
            self._failpoint("notify_after_send")
            await self._keep(sending, outcome)
            self._failpoint("notify_after_outcome")
        finally:
            self.busy.discard(name)
        return outcome

    async def _keep(self, sending: Sending, outcome: Outcome) -> None:
        """Write what came out, as soon as the database takes it. Until then nothing else is sent on this channel."""
        while True:
            try:
                async with self._lock:
                    return await self._conclude(sending, outcome)
            except AgtmuxError as error:
                _LOG.warning("the outcome of a message could not be written", why=error.message)
                await asyncio.sleep(STORE_AGAIN)

    async def _try(self, name: str, message: Message) -> Outcome:
        try:
            channel = self._channels.get(name)
            if channel is None:
                return Outcome(ok=False, detail="the configuration has no such channel any more", final=True)
            async with asyncio.timeout(SECONDS):
                outcome = await channel.send(message)
            return replace(outcome, detail=redact(one_line(outcome.detail))[:CUT])
        except TimeoutError:
            return Outcome(ok=False, detail=f"no answer within {SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 a channel that fails in a new way is a failure like any other
            _LOG.exception("a channel failed", channel=name)
            return Outcome(ok=False, detail=f"{type(error).__name__}: {error}")

    async def _conclude(self, sending: Sending, outcome: Outcome) -> None:
        now, name = self._clock(), sending.message.channel
        health = _health_after(self._book.health_of(name), outcome, now)
        if outcome.ok:
            after = replace(sending, state="sent", ended_at=now, last_error=None, handle=outcome.handle)
        elif outcome.unsure and not self._is_repeatable(name):
            why = f"it may or may not have arrived: {outcome.detail}"[:CUT]
            after = replace(sending, state="unknown", ended_at=now, last_error=why)
        else:
            next_at = next_attempt(sending.attempts, outcome, now)
            state = "dead" if next_at is None else "retry"
            attempts = sending.attempts - 1 if outcome.absent else sending.attempts
            after = replace(
                sending, state=state, attempts=attempts, next_at=next_at, ended_at=now if next_at is None else None,
                last_error=outcome.detail[:CUT],
            )  # fmt: skip
            _LOG.warning("a message was not delivered", channel=name, why=outcome.detail[:CUT], next_attempt=state)
        await self._book.conclude(after, health, now)

    def _is_repeatable(self, name: str) -> bool:
        channel = self._channels.get(name)
        return channel is not None and channel.repeatable

    async def drop(self, sending: Sending, why: str) -> None:
        """Write that a message is not sent again. The caller holds the lock."""
        now = self._clock()
        after = replace(sending, state="dropped", ended_at=now, next_at=None, last_error=why)
        await self._book.conclude(after, self._book.health_of(sending.message.channel), now)

    async def retract(self, sending: Sending) -> None:
        """Take a delivered message back, if its channel can. Tried once: a banner that stays is no harm."""
        channel = self._channels.get(sending.message.channel)
        if isinstance(channel, Retracts) and sending.handle is not None:
            try:
                async with asyncio.timeout(SECONDS):
                    await channel.retract(sending.handle)
            except Exception as error:  # noqa: BLE001 as in _try
                _LOG.info("a message could not be taken back", channel=sending.message.channel, why=str(error)[:CUT])
        async with self._lock:
            await self._book.finish_retract(sending)

    async def test(self, name: str) -> Outcome:
        """Send a test message on a channel. It takes the same way as any other, without rules, mutes or quiet hours."""
        outcome = await self._try(name, trial_message(uuid7(self._clock()), name, self._clock()))
        async with self._lock:
            health = _health_after(self._book.health_of(name), outcome, self._clock())
            await self._book.keep_health(replace(health, disabled=None) if outcome.ok else health)
        return outcome


def _health_after(health: ChannelHealth, outcome: Outcome, now: int) -> ChannelHealth:
    if outcome.ok:
        return replace(health, last_success=now, failures=0)
    why = outcome.detail[:CUT]
    if outcome.absent:
        return replace(health, last_error=why)
    return replace(
        health, last_failure=now, last_error=why, failures=health.failures + 1,
        disabled=why if outcome.gone else health.disabled,
    )  # fmt: skip
