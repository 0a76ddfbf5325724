"""Episodes, rules and worlds for tests, in few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agtmuxd.core.model import NS
from agtmuxd.features.notify.model import Delivery, Episode, Kind, Part, Sign, State, Subject
from agtmuxd.features.notify.plan import ChannelFacts, Facts
from agtmuxd.features.notify.rules import Rule

T0 = 1_767_225_600 * NS
"""2026-01-01T00:00:00Z"""


def s(seconds: float) -> int:
    """Seconds in ns."""
    return round(seconds * NS)


def subject(number: int = 1, **more: Any) -> Subject:
    values: dict[str, Any] = {
        "ref": f"pane:host/work/@1/%{number}", "agent": "claude", "target": "host", "session": "work",
        "place": f"work:1.{number}", "pane_id": f"%{number}", "cwd": "/src/site", "project": "site",
        "asks": "Bash: make",
    }  # fmt: skip
    return Subject(**{**values, **more})


def episode(number: int = 1, kind: Kind = Kind.WAITING_APPROVAL, at: float = 0.0, **more: Any) -> Episode:
    """Episode ``e<number>`` of the agent in pane ``%<number>``, opened ``at`` seconds after T0."""
    opened = T0 + s(at)
    values: dict[str, Any] = {
        "episode_id": f"e{number}", "kind": kind, "runtime_id": f"rt-{number}", "pane_key": f"host/%{number}",
        "opened_at": opened, "sign": Sign(opened, opened, 1, f"f-{number}"), "subject": subject(number),
        "turn": s(600) if kind is Kind.COMPLETED else None,
    }  # fmt: skip
    return Episode(**{**values, **more})


def rule(*channels: str, number: int = 1, **more: Any) -> Rule:
    """A rule for everything to these channels (``desk`` if none is named), with the usual times."""
    kinds = frozenset(kind for kind in Kind if kind is not Kind.CHANNEL)
    return Rule(**{"number": number, "kinds": kinds, "channels": channels or ("desk",), **more})


def told(
    one: Episode, at: float, channel: str = "desk", state: State = State.SENT, part: Part = Part.FIRST
) -> Delivery:
    return Delivery(one.episode_id, channel, part, state, T0 + s(at), 1, None, "m-1")


def facts(
    at: float, *episodes: Episode, rules: Iterable[Rule] = (), sent: Iterable[Delivery] = (), **more: Any
) -> Facts:
    """The facts ``at`` seconds after T0. ``sent``: what was decided before."""
    some = tuple(rules) or (rule(),)
    deliveries: dict[str, dict[tuple[str, Part], Delivery]] = {}
    for delivery in sent:
        deliveries.setdefault(delivery.episode_id, {})[(delivery.channel, delivery.part)] = delivery
    channels = dict.fromkeys((name for one in some for name in one.channels), ChannelFacts())
    return Facts(**{
        "now": T0 + s(at), "rules": some, "channels": channels, "episodes": episodes, "deliveries": deliveries, **more,
    })  # fmt: skip
