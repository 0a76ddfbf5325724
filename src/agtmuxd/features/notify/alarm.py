"""Decide when a channel that delivers nothing is reported on another one, and on which. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from agtmuxd.features.notify.message_store import ChannelHealth
from agtmuxd.features.notify.model import Delivery, Episode, Kind, Part, Sign, Subject
from agtmuxd.features.notify.quiet import Quiet
from agtmuxd.features.notify.retry import ALARM_AFTER
from agtmuxd.features.notify.rules import Rule

PREFIX: Final = "channel:"


def fails(health: ChannelHealth) -> bool:
    """Whether a channel counts as dead: nothing more is sent on it, or it failed some times in a row."""
    return health.disabled is not None or health.failures >= ALARM_AFTER


def alarm_steps(
    channels: Iterable[str], health: Mapping[str, ChannelHealth], held: Iterable[Episode], now: int, new_id: str
) -> tuple[Episode | None, list[Episode]]:
    """Return the episode to open (at most one at a time), and those to close, as channels fail and work again."""
    names = list(channels)
    alarms = {one.runtime_id: one for one in held if one.kind is Kind.CHANNEL}
    broken = [name for name in names if name in health and fails(health[name])]
    closed = [
        replace(alarm, closed_at=now, close_reason="the channel works again" if name in names else "it is gone")
        for name, alarm in alarms.items()
        if name not in broken
    ]
    fresh = next((name for name in broken if name not in alarms), None)
    if fresh is None:
        return None, closed
    subject = Subject("", f"channel {fresh}", "", "", "", "", asks=health[fresh].last_error)
    return Episode(new_id, Kind.CHANNEL, fresh, f"{PREFIX}{fresh}", now, Sign(now, now, None), subject), closed


def chosen_channel(
    alarm: Episode,
    channels: Iterable[str],
    health: Mapping[str, ChannelHealth],
    deliveries: Mapping[tuple[str, Part], Delivery],
) -> str | None:
    """Return the channel on which the failure of another one is told: the first that works. None: there is none."""
    for channel, _ in deliveries:
        return channel
    for name in channels:
        if name != alarm.runtime_id and not (name in health and fails(health[name])):
            return name
    return None


def alarm_rule(channels: Iterable[str], quiet: Quiet | None) -> Rule:
    """Return the rule by which such failures are told."""
    return Rule(0, frozenset({Kind.CHANNEL}), tuple(channels), dwell=0, cooldown=0, quiet=quiet)
