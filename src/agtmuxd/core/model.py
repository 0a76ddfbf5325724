"""The facts that the daemon reasons about, as frozen values.

Owns the shapes and words of the contract (targets, panes, runtimes, signals, claims, states). Knows no agent by name,
no database, no wire format. Times are integer nanoseconds since the epoch, UTC, by the daemon's clock unless the name
says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from agtmuxd.core.screen.style import Spans

NS: Final = 1_000_000_000
MS: Final = 1_000_000


class State(StrEnum):
    """The seven states a pane can be shown in."""

    ERROR = "error"
    WAITING_APPROVAL = "waiting_approval"
    WAITING_INPUT = "waiting_input"
    RUNNING = "running"
    COMPLETED = "completed"
    IDLE = "idle"
    UNKNOWN = "unknown"


PRECEDENCE: Final[tuple[State, ...]] = tuple(State)
"""Highest first; also the order in which rollups pick their top state."""

WAITING: Final = frozenset({State.WAITING_APPROVAL, State.WAITING_INPUT})


class Claim(StrEnum):
    """What one source may say of one runtime. ``NOT_RUNNING`` says only that no turn is in progress."""

    ERROR = "error"
    WAITING_APPROVAL = "waiting_approval"
    WAITING_INPUT = "waiting_input"
    RUNNING = "running"
    COMPLETED = "completed"
    IDLE = "idle"
    NOT_RUNNING = "not_running"


class Source(StrEnum):
    """Where a signal came from. ``STATUS`` is a file or socket that the agent itself keeps."""

    HOOK = "hook"
    NOTIFY = "notify"
    WRAPPER = "wrapper"
    STATUS = "status"
    TRANSCRIPT = "transcript"
    POLLER = "poller"
    RECONCILER = "reconciler"
    ACTION = "action"


LEVELS: Final = frozenset({Source.POLLER, Source.STATUS})
"""Sources read again and again, which compare by ``last_seen``; the others are edges and compare by their time."""


class Strength(StrEnum):
    DEFINITIVE = "definitive"
    HINT = "hint"


class Phase(StrEnum):
    """What an edge says about the turn itself, apart from its claim."""

    START = "start"  # a turn began: retires everything older of that agent
    END = "end"  # the turn is over (completed, error, idle)
    DURING = "during"  # something happened inside a turn
    NONE = "none"


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """What a waiting state waits for. ``fingerprint`` names this very prompt as it stood on the screen."""

    kind: str  # approval | question | dialog
    subject: str | None = None  # the tool or dialog
    text: str | None = None
    options: tuple[str, ...] = ()
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """What one signal says about one subject: the new content of one register.

    ``claim`` None withdraws what this source said about the subject (an approval that was answered, a screen that no
    rule matched). ``rule`` names the hook or screen rule that spoke; it is what ``explain`` prints.
    """

    claim: Claim | None
    rule: str
    subject: str = "turn"
    phase: Phase = Phase.NONE
    strength: Strength = Strength.DEFINITIVE
    waiting_for: WaitingFor | None = None
    accepts_input: bool | None = None
    background_tasks: int | None = None
    detail: str | None = None  # one short line for explain, never secret
    settle: int = 0  # ns: of a screen that passes through this on its way to other words; how long it must last
    late: int = 0  # ns: of a screen that lags behind its agent's events longer than others do, by how much
    version: str | None = None  # of the agent, where what was read tells it
    lasting: bool = False  # the sign of a turn that stands for as long as the turn does: when it goes, the turn is over
    hides: bool = False  # of a screen on which the agent hides its signs of a turn
    scene: tuple[int, ...] | None = None  # of a screen on which only the signs of a turn are missing: see ``motion``


@dataclass(frozen=True, slots=True)
class Proc:
    """One process of one process-table read. ``start`` is opaque and, with ``pid``, names one life of a process."""

    pid: int
    ppid: int
    pgid: int
    tpgid: int  # foreground process group of its terminal, -1 without one
    tty: int  # terminal number, 0 without one
    state: str  # one letter, T = stopped
    start: str  # Linux: field 22 of /proc/PID/stat
    comm: str
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One link of the ancestor chain that a hook sends: nearest parent first."""

    pid: int
    start: str
    argv: tuple[str, ...] = ()  # its first words, where the hook could read them
    comm: str = ""  # the name of its program, where that was told
    pgid: int | None = None  # its process group, where that was told


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A signal as it came in, already redacted and not yet understood by an adapter.

    ``event_time`` is the source's clock; ``tmux_socket`` and ``tmux_server_pid`` come out of the hook's ``TMUX``.
    """

    event_id: str
    event_type: str  # the agent's own name of the event, e.g. "Stop"
    source: Source
    agent_type: str
    event_time: int
    ingested_at: int
    dedupe_key: str
    source_event_id: str | None = None
    source_seq: int | None = None
    runtime_id: str | None = None
    target_id: str | None = None
    pane_id: str | None = None
    tmux_socket: str | None = None
    tmux_server_pid: int | None = None
    pid: int | None = None
    start_hint: int | None = None
    chain: tuple[Ancestor, ...] = ()
    spooled: bool = False
    apart: bool = False  # its sender numbers processes otherwise (a container): ``chain`` is what this machine saw
    action_id: str | None = None  # of the daemon's own audit events
    env: dict[str, str] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signal:
    """A RawEvent as an adapter understood it. No writes: kept in history, changes nothing."""

    event_type: str  # canonical: turn_start, turn_end, approval_requested, ... or the agent's own name
    writes: tuple[Write, ...] = ()
    session_id: str | None = None
    transcript_path: str | None = None
    cwd: str | None = None
    task: str | None = None  # what the agent was asked, first line
    session_ended: bool = False  # the agent said that it leaves in order
    ambient: bool = False  # pane, pid and chain prove nothing (a shared daemon sent it): bind by session only
    agent_version: str | None = None  # of the program, where the signal tells it
    headless: bool = False  # the agent itself says that it runs without a screen


@dataclass(frozen=True, slots=True)
class PaneRow:
    """One pane of one listing. ``rows``/``cols`` in cells; names are display only. ``pid`` 0: it has no process."""

    pane_id: str
    session_id: str
    session_name: str
    window_id: str
    window_index: int
    window_name: str
    pane_index: int
    title: str
    command: str
    cwd: str
    pid: int
    tty: str
    active: bool  # active pane of the active window of its session
    attached: int  # clients attached to that session
    dead: bool
    dead_status: int | None
    dead_signal: int | None
    in_mode: bool
    alternate_on: bool
    cursor_visible: bool
    cursor_x: int
    cursor_y: int
    cols: int
    rows: int
    other_sessions: tuple[str, ...] = ()  # names of further sessions that show this pane (groups, linked windows)
    declared_agent: str = ""  # the pane option @agtmux-agent: the agent that a program in this pane hides


@dataclass(frozen=True, slots=True)
class Sample:
    """What a pane shows at one moment: the screen's rows from the top (trailing blank rows cut) and its title.

    ``styles``: how each row is drawn, where that was captured; it may have more rows than ``lines``. ``hint``: where it
    was not, what is known of the text at the cursor all the same: True is drawn as a placeholder, False is a draft.
    """

    lines: tuple[str, ...]
    title: str
    alternate_on: bool
    cursor_visible: bool
    cursor_x: int
    cursor_y: int
    cols: int
    rows: int
    styles: Spans | None = None
    hint: bool | None = None


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A tmux server's identity: ``boot_id`` is stable for its lifetime and differs for the next one."""

    pid: int
    start_time: int  # seconds, tmux's own #{start_time}
    version: str
    socket_path: str

    @property
    def boot_id(self) -> str:
        return f"{self.pid}.{self.start_time}"
