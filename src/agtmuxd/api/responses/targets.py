"""Define the answers about targets."""

from __future__ import annotations

from typing import Any, Literal

from agtmuxd.api.responses.base import Answer, Health_, ResponseModel, RowsAnswer, Time


class Target(ResponseModel):
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
    server_pid: int | None  # null while its tmux server does not run or cannot be read
    rtt_ms: float | None
    clock_offset_ms: float | None = None  # the clock there minus ours; null: not measured, or this machine
    read: bool  # whether it was read without error since the daemon started
    agents: int
    panes: int
    unread_panes: int  # of those, how many tmux now lists in a form that cannot be read
    options: dict[str, Any]


class TargetSummary(ResponseModel):
    total: int
    by_health: dict[Health_, int]


class Targets(RowsAnswer):
    summary: TargetSummary
    items: list[Target]


class TargetAnswer(Answer):
    item: Target


class Step(ResponseModel):
    step: str
    ok: bool
    message: str | None


class ConnectAnswer(Answer):
    item: Target
    steps: list[Step]


class RemovalAnswer(Answer):
    removed: str
