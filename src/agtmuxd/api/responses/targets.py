"""Define the answers about targets."""

from __future__ import annotations

from typing import Any, Literal

from agtmuxd.api.responses.base import Health_, Read, Shape, Time, Versioned


class Target(Shape):
    target: str
    target_id: str
    kind: Literal["local", "ssh"]
    connection_ref: str | None
    is_default: bool
    health: Health_
    health_since: Time | None
    reason: str | None
    last_seen_at: Time | None
    tmux_version: str | None
    rtt_ms: float | None
    read: bool  # whether it was read without error since the daemon started
    agents: int
    panes: int
    unread_panes: int  # of those, how many tmux now lists in a form that cannot be read
    options: dict[str, Any]


class TargetSummary(Shape):
    total: int
    by_health: dict[Health_, int]


class Targets(Read):
    summary: TargetSummary
    items: list[Target]


class TargetAdded(Versioned):
    item: Target


class Step(Shape):
    step: str
    ok: bool
    message: str | None


class TargetConnected(Versioned):
    item: Target
    steps: list[Step]


class TargetRemoved(Versioned):
    removed: str
