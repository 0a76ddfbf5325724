"""Define the answers about panes, windows and sessions."""

from __future__ import annotations

from typing import Any, Literal

from agtmuxd.api.responses.base import Answer, Attention, ResponseModel, RowsAnswer, Time, WaitingFor
from agtmuxd.api.responses.events import EventItem
from agtmuxd.core.model import State


class Summary(ResponseModel):
    total: int
    by_state: dict[State, int]
    by_agent: dict[str, int]
    by_target: dict[str, int]
    by_attention: dict[Attention, int]


class PaneIdentity(ResponseModel):
    target: str
    session_name: str
    window_id: str
    pane_id: str


class WindowIdentity(ResponseModel):
    target: str
    session_name: str
    window_id: str


class SessionIdentity(ResponseModel):
    """``target`` is absent if sessions are merged by name."""

    target: str | None = None
    session_name: str


class LastKnownState(ResponseModel):
    state: State
    since: Time | None
    at: Time | None


class StuckAlarm(ResponseModel):
    """The agent runs but makes no progress. ``since``: its last progress. ``seen``: somebody acknowledged it."""

    since: Time
    reason: str
    attention: Literal["review"]
    seen: bool = False


class AgentName(ResponseModel):
    """The name that a person gave to an agent."""

    agent_id: str
    name: str
    team: str | None


class Mail(ResponseModel):
    """``unread``: messages in the agent's inbox. ``dead``: messages to or from it that could not be delivered.

    ``unconfirmed``: those of which nothing shows that they arrived. ``failed_at``: when the last of both failed.
    ``since``: when the newest of all came. ``seen``, ``failed_seen``: somebody acknowledged all, or those that failed.
    """

    unread: int
    dead: int
    since: Time
    attention: Literal["review"]
    unconfirmed: int = 0
    failed_at: Time | None = None
    failed_seen: bool = False
    seen: bool = False


class Asks(ResponseModel):
    """What the agent asks of people by messages. ``count``: messages. ``seen``: somebody acknowledged it."""

    since: Time
    attention: Literal["review", "needs_action"]
    message_id: str
    kind: str
    overdue: bool
    count: int
    seen: bool = False


class Pane(ResponseModel):
    """A pane. Without an agent (listed only with ``all``) its agent, runtime and state are null."""

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
    last_known: LastKnownState | None
    window_name: str | None
    window_index: int | None
    pane_index: int | None
    session_id: str | None
    cwd: str | None
    project: str | None  # name of the repository's main folder, else of the folder
    branch: str | None  # "@" and 7 hex digits: a detached HEAD
    worktree: str | None  # name of the linked worktree, where it is one
    command: str | None
    agent_name: str | None  # the agent's own name of itself or of its session
    message: str | None  # first line of the agent's last message
    message_at: Time | None
    source: str | None
    other_sessions: list[str] = []
    detail: str | None = None  # of an error: its message
    agent: AgentName | None = None  # left out unless a person named the agent
    asks: Asks | None = None  # left out unless it asks something
    stuck: StuckAlarm | None = None  # left out unless it is stuck
    muted_until: Time | None = None  # left out unless its notifications are held back
    mail: Mail | None = None  # left out unless messages wait to be read, or could not be delivered
    snapshot: str | None = None  # in listings: the nonce of the pane as shown here; an action takes it for 30 s


class Rollup(ResponseModel):
    """``panes``, ``counts`` and ``agents`` count panes with an agent. ``since``: of the oldest one in the top state.

    ``project``: the project of all its agents; null if they have several, or one that is not known.
    """

    state: State | None
    project: str | None
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


class SessionPart(ResponseModel):
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


class Panes(RowsAnswer):
    summary: Summary
    items: list[Pane]


class Windows(RowsAnswer):
    summary: Summary
    items: list[Window]


class Sessions(RowsAnswer):
    summary: Summary
    items: list[Session]


class Explanation(Answer):
    generated_at: Time
    ref: str
    item: Pane
    decided_by: list[dict[str, Any]]
    candidates: list[dict[str, Any]]
    marks: dict[str, Any]
    recent_events: list[EventItem]
    oldest_version: str | None = None  # of this agent whose screens are known
    older: bool = False  # the agent's version is older than that
    snapshot: str | None = None  # the nonce of the pane as shown here; an action takes it for 30 s


class LastMessage(Answer):
    generated_at: Time
    ref: str
    runtime_id: str | None
    text: str | None
    said_at: Time | None
    source: str | None
