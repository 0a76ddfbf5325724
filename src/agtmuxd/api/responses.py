"""What answers look like: the models that the contract (openapi.json) is generated from.

Owns the shapes of answers as documentation; answers are not built from them. A newer minor may add fields, never take
one away or change its meaning.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agtmuxd.core.model import State

Time = str
"""RFC 3339, UTC, milliseconds."""

Attention = Literal["needs_action", "review", "none"]
Health_ = Literal["ok", "degraded", "down"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)  # the contract is asked for now and then


class Versioned(Shape):
    schema_version: str


class ErrorBody(Shape):
    code: str
    message: str
    details: dict[str, Any]
    retryable: bool


class ErrorEnvelope(Versioned):
    error: ErrorBody


class TargetError(Shape):
    target: str
    code: str
    message: str
    reason: str | None
    last_seen_at: Time | None


class Summary(Shape):
    total: int
    by_state: dict[State, int]
    by_agent: dict[str, int]
    by_target: dict[str, int]
    by_attention: dict[Attention, int]


class Read(Versioned):
    generated_at: Time
    filters: dict[str, Any]
    partial: bool
    requested_targets: list[str]
    responded_targets: list[str]
    target_errors: list[TargetError]


class PaneIdentity(Shape):
    target: str
    session_name: str
    window_id: str
    pane_id: str


class WindowIdentity(Shape):
    target: str
    session_name: str
    window_id: str


class SessionIdentity(Shape):
    """``target`` is absent where sessions are merged by name."""

    target: str | None = None
    session_name: str


class WaitingFor(Shape):
    kind: str
    subject: str | None
    text: str | None
    options: list[str]
    fingerprint: str | None


class LastKnown(Shape):
    state: State
    since: Time | None
    at: Time | None


class Pane(Shape):
    """A pane; without an agent (listed with ``all`` only) its agent, runtime and state are null."""

    ref: str
    identity: PaneIdentity
    agent_type: str | None
    agent_version: str | None
    agent_session_id: str | None
    runtime_id: str | None
    pid: int | None
    pane_epoch: int | None
    state: State | None
    reason_code: str | None
    confidence: Literal["high", "medium", "low"] | None
    state_version: int | None
    since: Time | None
    updated_at: Time | None
    last_seen_at: Time | None
    attention: Attention
    attention_since: Time | None
    title: str | None
    task: str | None
    waiting_for: WaitingFor | None
    accepts_input: bool | None
    background_tasks: int
    resumed: bool
    last_known: LastKnown | None
    window_name: str | None
    window_index: int | None
    pane_index: int | None
    session_id: str | None
    cwd: str | None
    command: str | None
    source: str | None
    other_sessions: list[str] = []
    detail: str | None = None  # of an error: what was said of it
    snapshot: str | None = None  # in listings: the nonce of what is told here; an action takes it for 30 s


class Rollup(Shape):
    """``panes``, ``counts`` and ``agents`` count panes with an agent; ``since`` is the oldest one in the top state."""

    state: State | None
    panes: int
    agents: dict[str, int]
    counts: dict[State, int]
    waiting: int
    running: int
    attention: Attention
    since: Time | None
    updated_at: Time | None


class Window(Rollup):
    identity: WindowIdentity
    window_name: str | None
    window_index: int | None


class SessionPart(Shape):
    target: str
    state: State | None
    windows: int
    panes: int
    counts: dict[State, int]
    waiting: int
    running: int
    attention: Attention


class Session(Rollup):
    identity: SessionIdentity
    windows: int
    targets: list[SessionPart] | None = None


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
    read: bool  # whether it was read well since the daemon started
    agents: int
    panes: int
    unread_panes: int  # of those, how many tmux now lists in a way that cannot be read
    options: dict[str, Any]


class Panes(Read):
    summary: Summary
    items: list[Pane]


class Windows(Read):
    summary: Summary
    items: list[Window]


class Sessions(Read):
    summary: Summary
    items: list[Session]


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


class EventItem(Shape):
    event_id: str
    runtime_id: str | None
    event_type: str
    source: str
    event_time: Time
    ingested_at: Time
    applied: str
    dedupe_key: str
    source_event_id: str | None = None
    action_id: str | None = None
    raw_payload: Any = None


class EventSummary(Shape):
    total: int


class Events(Read):
    summary: EventSummary
    items: list[EventItem]


class Action(Shape):
    """One action. ``request`` tells of a text its length, keyed digest and shape; ``caller`` uid, pid and command."""

    action_id: str
    action: str
    request_ref: str
    ref: str | None
    target: str | None
    pane_id: str | None
    runtime_id: str | None
    state_version: int | None
    requested_at: Time
    started_at: Time | None
    completed_at: Time | None
    result_code: Literal["done", "refused", "failed", "indeterminate"] | None
    error_code: str | None
    error_message: str | None
    caller: dict[str, Any] | None
    request: dict[str, Any] | None
    result: dict[str, Any] | None


class ActionDone(Versioned, Action):
    """``replayed``: it was done before, and nothing was done now."""

    generated_at: Time
    replayed: bool


class IngestResult(Shape):
    event_id: str
    status: Literal["bound", "pending_bind", "duplicate", "dropped_unbound", "stale_runtime", "late"]
    runtime_id: str | None
    reason_code: str | None


class Ingested(Versioned):
    results: list[IngestResult]


class Explanation(Versioned):
    generated_at: Time
    ref: str
    item: Pane
    decided_by: list[dict[str, Any]]
    candidates: list[dict[str, Any]]
    marks: dict[str, Any]
    recent_events: list[EventItem]
    oldest_version: str | None = None  # of this agent whose screens are known
    older: bool = False  # the agent's version is older than that
    snapshot: str | None = None  # the nonce of what is told here; an action takes it for 30 s


class LastMessage(Versioned):
    generated_at: Time
    ref: str
    runtime_id: str | None
    text: str | None
    said_at: Time | None
    source: str | None


class HookItem(Shape):
    agent: str
    path: str | None
    changed: bool
    diff: str
    installed: bool
    outdated: bool
    events: list[str]
    notes: list[str]
    error: str | None
    backup: str | None
    command: str | None = None
    as_argument: bool = False
    switched_off: str | None = None  # the key and the file by which the agent runs no hooks at all
    deaf_panes: list[str] = []
    maybe_deaf_panes: list[str] = []  # never heard, and it cannot be told whether they began before


class Hooks(Versioned):
    items: list[HookItem]
    arrived: dict[str, str] = {}


class AgentServer(Shape):
    """A server that agents share and that the user has asked; ``reason``: why it is not connected."""

    config_home: str
    connected: bool
    reason: str | None
    since: Time


class AdapterHealth(Shape):
    name: str
    agent_type: str
    version: str
    enabled: bool
    errors: int
    last_error: str | None
    contract_version: str | None = None
    oldest_version: str | None = None
    servers: list[AgentServer] = []


class StoreHealth(Shape):
    """``bytes`` of the file; ``used_bytes`` of it hold something, null until counted. ``failures``: writes given up."""

    bytes: int | None
    used_bytes: int | None
    max_bytes: int
    wal_bytes: int
    failures: int
    checking: bool
    trouble: str | None


class LogHealth(Shape):
    """``lost`` lines could not be written, ``left_out`` were of a flood. ``path`` null: standard error."""

    path: str | None
    max_bytes: int | None
    lost: int
    left_out: int
    trouble: str | None


class Health(Versioned):
    generated_at: Time
    status: Literal["ok", "degraded"]
    version: str
    pid: int
    uptime_s: float
    socket: str
    database: str
    config: str | None = None
    database_schema: int
    stream_id: str
    sequence: int
    adapters: list[AdapterHealth]
    targets: list[Target]
    queues: dict[str, Any]
    counters: dict[str, Any]
    store: StoreHealth | None = None
    log: LogHealth | None = None
    spool: dict[str, Any]
    last_errors: list[Any]


class Config(Versioned):
    path: str | None
    config: dict[str, Any]


class Done(Versioned):
    ok: bool


class ChangeLine(Shape):
    """``item`` comes with an upsert."""

    op: Literal["upsert", "delete"]
    identity: PaneIdentity | WindowIdentity | SessionIdentity
    item: Pane | Window | Session | None = None


class WatchLine(Versioned):
    """One line of the stream: ``items`` in a snapshot, ``changes`` in a delta, ``reason`` in a reset."""

    generated_at: Time
    emitted_at: Time
    stream_id: str
    cursor: str
    scope: Literal["panes", "windows", "sessions"]
    type: Literal["snapshot", "delta", "reset", "heartbeat"]
    sequence: int
    filters: dict[str, Any]
    summary: Summary
    items: list[Pane] | list[Window] | list[Session] | None = None
    changes: list[ChangeLine] | None = None
    reason: str | None = None
