"""Define the facts that the daemon works with, as frozen values.

Owns the types and terms of the contract: targets, panes, runtimes, signals, claims and states. Knows no agent by name,
no database and no wire format. Times are integer nanoseconds since the epoch, UTC, by the daemon's clock, unless the
name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from agtmuxd.core.screen.style import Spans

NS: Final = 1_000_000_000
MS: Final = 1_000_000


class State(StrEnum):
    """The seven states that a pane can have."""

    ERROR = "error"
    WAITING_APPROVAL = "waiting_approval"
    WAITING_INPUT = "waiting_input"
    RUNNING = "running"
    COMPLETED = "completed"
    IDLE = "idle"
    UNKNOWN = "unknown"


PRECEDENCE: Final[tuple[State, ...]] = tuple(State)
"""Highest first. Rollups pick their top state in this order too."""

WAITING: Final = frozenset({State.WAITING_APPROVAL, State.WAITING_INPUT})


class Claim(StrEnum):
    """What one source can say about one runtime. ``NOT_RUNNING`` says only that no turn is in progress."""

    ERROR = "error"
    WAITING_APPROVAL = "waiting_approval"
    WAITING_INPUT = "waiting_input"
    RUNNING = "running"
    COMPLETED = "completed"
    IDLE = "idle"
    NOT_RUNNING = "not_running"


class Source(StrEnum):
    """Where a signal comes from. ``STATUS`` is a file or socket that the agent keeps about its own state."""

    HOOK = "hook"
    NOTIFY = "notify"
    WRAPPER = "wrapper"
    STATUS = "status"
    TRANSCRIPT = "transcript"
    POLLER = "poller"
    RECONCILER = "reconciler"
    ACTION = "action"


LEVELS: Final = frozenset({Source.POLLER, Source.STATUS})
"""Sources that are read again and again. They are compared by ``last_seen``.

All other sources are edges and are compared by their time.
"""


class Strength(StrEnum):
    """How sure a claim is. A hint counts only if there is no definitive claim."""

    DEFINITIVE = "definitive"
    HINT = "hint"


class Phase(StrEnum):
    """What an edge says about the turn itself, apart from its claim."""

    START = "start"  # a turn began: retires all older claims of that agent
    END = "end"  # the turn is over (completed, error, idle)
    DURING = "during"  # something happened inside a turn
    NONE = "none"


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """What a waiting state waits for. ``fingerprint`` names this one prompt as it stood on the screen."""

    kind: str  # approval | question | dialog
    subject: str | None = None  # the tool or dialog
    text: str | None = None
    options: tuple[str, ...] = ()
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """The new content of one register: what one signal says about one subject.

    ``claim`` None withdraws the earlier claim of this source about the subject. Examples: an approval that was
    answered, a screen that no rule matched. ``rule`` names the hook or the screen rule that made the claim; ``explain``
    prints it.
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
    settle: int = 0  # ns: how long a screen must last if the agent shows it only on the way to another one
    after_wait: int = 0  # ns: how long running must last after a wait, if this agent works on for a while when refused
    late: int = 0  # ns: how much longer than usual this agent's screen lags behind its events
    version: str | None = None  # the agent's version, if the screen or file shows it
    lasting: bool = False  # a sign that stands for the whole turn: when it goes, the turn is over
    hides: bool = False  # a screen on which the agent hides its signs of a turn
    scene: tuple[int, ...] | None = None  # set for a screen that only lacks the signs of a turn: see ``motion``


@dataclass(frozen=True, slots=True)
class Proc:
    """One process, as read from the process table.

    ``start`` is opaque. Together with ``pid`` it names one life of a process.
    """

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
    """One process of the ancestor chain that a hook sends. The nearest parent comes first."""

    pid: int
    start: str
    argv: tuple[str, ...] = ()  # the first words of its command line, if the hook could read them
    comm: str = ""  # the name of its program, if the event has it
    pgid: int | None = None  # its process group, if the event has it


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A signal as it arrived: secrets removed, not yet read by an adapter.

    ``event_time`` is by the source's clock. ``tmux_socket`` and ``tmux_server_pid`` come from the hook's variable
    ``TMUX``.
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
    apart: bool = False  # the sender has its own pids (a container): ``chain`` is as this machine saw it
    action_id: str | None = None  # only for the daemon's own audit events
    env: dict[str, str] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signal:
    """A RawEvent as an adapter understood it. Without writes it goes into history and changes nothing."""

    event_type: str  # canonical: turn_start, turn_end, approval_requested, ... or the agent's own name
    writes: tuple[Write, ...] = ()
    session_id: str | None = None
    transcript_path: str | None = None
    cwd: str | None = None
    task: str | None = None  # what the agent was asked, first line
    message: str | None = None  # what the agent said last, first line
    session_ended: bool = False  # the agent reported that it exits normally
    ambient: bool = False  # sent by a shared daemon: pane, pid and chain prove nothing, bind by session only
    agent_version: str | None = None  # the program's version, if the signal has it
    headless: bool = False  # the agent reports that it runs without a screen


@dataclass(frozen=True, slots=True)
class PaneRow:
    """One pane of one listing.

    ``rows`` and ``cols`` are in cells. Names are for display only. ``pid`` 0: the pane has no process.
    """

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
    other_sessions: tuple[str, ...] = ()  # names of other sessions that show this pane (groups, linked windows)
    declared_agent: str = ""  # the pane option @agtmux-agent: the agent that a program in this pane hides


@dataclass(frozen=True, slots=True)
class Project:
    """What people call a folder. None: not known, or there is none.

    ``name``: of the main folder of its git repository, else of the folder itself. ``branch``: ``@`` and 7 hex digits
    for a detached HEAD. ``worktree``: the name of the linked worktree, if it is one.
    """

    name: str | None = None
    branch: str | None = None
    worktree: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one pane shows at one moment: its title, and the screen's rows from the top (blank rows at the end are cut).

    ``styles``: how each row is drawn, if it was captured with styles; it may have more rows than ``lines``. ``hint``:
    without styles, what is known about the text at the cursor. True: it is drawn as a placeholder. False: it is a
    draft.
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
    """Identifies one tmux server. ``boot_id`` is stable for the server's lifetime; the next server has another one."""

    pid: int
    start_time: int  # seconds, tmux's own #{start_time}
    version: str
    socket_path: str

    @property
    def boot_id(self) -> str:
        """The name of this life of the server: its pid and start time."""
        return f"{self.pid}.{self.start_time}"


@dataclass(frozen=True, slots=True)
class TmuxClient:
    """One terminal that is attached to a tmux server. All texts but the ids come from outside: treat them as data.

    ``session_id``, ``window_id``, ``pane_id``: what it shows; ``pane_id`` is the active pane of that window.
    ``flags``: such as ``attached``, ``focused``, ``control-mode``. ``activity``: seconds since the epoch.
    ``reports_focus``: the server asks terminals for their focus. Without it, every client counts as ``focused``.
    """

    name: str
    tty: str
    session_id: str
    window_id: str
    pane_id: str
    flags: frozenset[str]
    termname: str
    termtype: str
    activity: int
    reports_focus: bool = False
