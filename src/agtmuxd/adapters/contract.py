"""What an adapter is: the contract between the daemon and the modules that know one agent each.

Owns the protocol and its version. Adapters import this and ``core``, nothing else of the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from agtmuxd.core.model import Claim, Proc, RawEvent, Sample, Signal, Write
from agtmuxd.core.process_tree import Match
from agtmuxd.core.screen.controls import Controls, KeyOverrides

T = TypeVar("T")

CONTRACT_VERSION = "1.5"
"""Semver. A newer minor of an adapter is accepted, another major refused with a reason."""

ENV_NAMES: Final = (
    "HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "COPILOT_HOME", "OPENCODE_CONFIG_DIR",
    "XDG_CONFIG_HOME", "PI_CODING_AGENT_DIR", "QWEN_HOME",
)  # fmt: skip
"""The variables of an agent's process that ``config_home`` may ask for; no others are read."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An agent process that was recognised. ``headless`` runs never wait and end in order when they exit. One that
    ``gives_way`` is a wrapper: another agent that runs below it, and is not headless, counts instead.
    """

    agent_type: str
    headless: bool = False
    version: str | None = None
    gives_way: bool = False

    def match(self, innermost: bool, value: T) -> Match[T]:
        """As the walk over a pane's processes takes it."""
        return Match(self.agent_type, innermost, value, self.gives_way, not self.headless)


@dataclass(frozen=True, slots=True)
class Capabilities:
    event_driven: bool
    polling_required: bool
    supports_waiting_approval: bool
    supports_waiting_input: bool
    supports_completed: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known when an agent's process is gone and its pane was read once more."""

    sample: Sample
    title_before: str
    session_ended: bool  # a hook said so
    status_file_left: bool | None  # None: this agent keeps none, or it was never seen
    pane_dead_status: int | None
    own_pane: bool = False  # it was the pane's first process: no shell is there to say how it ended


@dataclass(frozen=True, slots=True)
class HookPlan:
    """What installing or uninstalling would do to one file. ``after`` None: the file is to be removed."""

    path: Path
    before: str | None
    after: str | None
    notes: tuple[str, ...] = ()  # lines for the operator, e.g. Codex's trust step

    @property
    def changes(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class HookStatus:
    path: Path
    installed: bool
    outdated: bool
    events: tuple[str, ...]
    notes: tuple[str, ...] = ()
    command: str | None = None  # the shell command line that stands in the file, of one of the hooks
    as_argument: bool = False  # its payload is its last argument, not its standard input
    void: tuple[str, ...] = ()  # notes of a plan that this file needs no more
    switched_off: str | None = None  # the key and the file by which the agent runs no hooks at all


@runtime_checkable
class Adapter(Protocol):
    """One agent. Every method is pure but for the files it is told to read."""

    name: str
    agent_type: str
    version: str
    contract_version: str
    capabilities: Capabilities
    innermost: bool
    """Of a chain of matching processes (node shim > native binary) the runtime is the innermost, else the outermost."""

    def identify(self, proc: Proc) -> Identity | None:
        """The agent that this process is, by its comm and argv alone; None for anything else."""

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Understand one hook, notify or wrapper event. ``prior``: agent_session_id and such, may be empty.

        Raises ValueError for a payload that is not this agent's.
        """

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Fold one sample into one claim by the rules file. None: no rule matched, which is never idle.

        ``before``: the claim of the previous sample of this runtime (None at first).
        """

    def status_path(self, proc: Proc, config_home: Path) -> Path | None:
        """The file in which this process keeps its own status, or None."""

    def read_status(self, data: Mapping[str, Any], proc: Proc) -> Sequence[Write]:
        """Claims of a status file's content; empty if it is not this very process's or not understood."""

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """The agent's configuration folder, by the environment it runs in."""

    def ended_in_order(self, ending: Ending) -> bool | None:
        """True: it left in order. False: it vanished. None: nothing tells."""

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """What (un)installing our hooks would change. Raises ValueError on a file that it cannot read."""

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Whether our hooks are in the agent's settings."""


@runtime_checkable
class Operable(Protocol):
    """An adapter that also says how its agent is operated (since contract 1.1). Without it nothing is typed."""

    def controls(self) -> Controls:
        """The input field, the keys of the dialogs, how a turn is interrupted."""


@runtime_checkable
class Rebindable(Protocol):
    """An adapter whose agent lets its user choose keys in a file of settings (since contract 1.5). Pure."""

    def key_files(self, config_home: Path) -> Sequence[Path]:
        """The files that may say so, in the order in which they are laid over each other."""

    def key_overrides(self, texts: Sequence[str], argv: Sequence[str]) -> KeyOverrides:
        """What they say: ``texts`` of those files that are there, ``argv`` of the agent's process."""


@dataclass(frozen=True, slots=True)
class TranscriptEvent:
    """What one line of an agent's transcript tells. The daemon reads the file; the adapter understands its lines.

    ``event``: the name of an event that ``normalise`` understands when it comes with source ``transcript``; None for a
    line that changes nothing. ``payload`` goes with it and is stored: what kind of line it was, never what was said in
    it, but for ``prompt`` (at most its first line) and what is asked of the user. ``event_id``: the agent's own id of
    that line, if it has one. ``message``: words of the agent to its user, kept in memory only. ``part_of``: lines of
    one such value are one message in pieces. ``begins``: a turn begins here, what lies before it is past. ``asks``: it
    tells of what is asked of somebody, or that it is answered: of several sessions of a process, of which nothing tells
    which one shows, only such lines count, and come with ``beside`` in their payload, the session that they are of.
    ``closes``: it says how the turn ended. ``follows``: the ``event_id`` of the line before it; where that one closes,
    this line is a part of the same end and says nothing.
    """

    at: int  # ns since the epoch, by the line's own time
    event: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    event_id: str | None = None
    message: str | None = None
    part_of: str | None = None
    begins: bool = False
    asks: bool = False
    closes: bool = False
    follows: str | None = None


HASHED: Final = "sha256"


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What the first line of a transcript tells of the session: what finds the agent that writes it.

    ``cwd``: the folder, or ``sha256:`` and the hash of its path where no more is told.
    """

    session_id: str
    cwd: str
    at: int  # ns; when the file began


@runtime_checkable
class TranscriptAdapter(Protocol):
    """An adapter whose agent writes its conversation to a file, line by line (since contract 1.2). All pure.

    The file is named by a hook's ``transcript_path``, else by ``transcript_path``, else found by its opening.
    """

    def transcript_path(self, status: Mapping[str, Any], proc: Proc, config_home: Path) -> Path | None:
        """The file by what the status file of ``proc`` says; None where that does not tell, or is another's."""

    def transcript_tree(self, config_home: Path) -> tuple[Path, int] | None:
        """Where files of sessions lie if they are to be found by their opening, else None: ``(folder, depth)``.

        ``depth``: levels of folders below it; where they are named by numbers (year, month, day) the last ones count.
        """

    def read_opening(self, line: Mapping[str, Any]) -> SessionHeader | None:
        """The first line of a file that a terminal's own main session writes; None for any other."""

    def read_line(self, line: Mapping[str, Any]) -> TranscriptEvent | None:
        """What one line tells; None for what is not understood, a sub-agent's, or of no use."""

    def last_message(self, lines: Sequence[Mapping[str, Any]]) -> str | None:
        """The agent's last message to its user in these lines, oldest first; None where there is none."""


@dataclass(frozen=True, slots=True)
class TranscriptOwner:
    """What the files that a process holds open tell of its session. ``version``: of the program, where they tell."""

    path: Path
    session_id: str
    version: str | None = None


@runtime_checkable
class OpenFileAdapter(Protocol):
    """A ``TranscriptAdapter`` whose agent holds a file open that names its session (since contract 1.3). Pure."""

    def open_transcripts(self, files: Sequence[str], config_home: Path) -> Sequence[TranscriptOwner]:
        """The transcripts by the files that the agent's process holds open, as the system names them (links resolved).

        One goes before what hooks and status file say; of several none is read, for nothing tells which one shows;
        empty where the files do not tell.
        """


class Conversation(Protocol):
    """What is said to one server of an agent, and what it said. Pure: messages (JSON objects) in, messages out."""

    @property
    def ready(self) -> bool:
        """Whether the server said all that is to be known before ``said`` tells anything."""

    def opening(self) -> Sequence[Mapping[str, Any]]:
        """What is said first."""

    def again(self, sessions: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """What asks anew after these sessions, now and then; the server is taken for hung where nothing comes back."""

    def take(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Understand one message; what to say then. Raises ValueError where there is no talking to it, and why."""

    def said(self, session_id: str) -> Write | None:
        """What it says of this session as a level, the same object as long as it is the same; None: not known."""


@runtime_checkable
class AppServerAdapter(Protocol):
    """An adapter whose agent has a server that its terminals share, and that tells what they do (since contract 1.4).

    It is asked only where the user said so (``adapters.NAME.app_server``), and only while others are connected to it.
    """

    def server_socket(self, config_home: Path) -> Path:
        """Where it listens on this machine, whether one runs or not."""

    def converse(self, version: str) -> Conversation:
        """A conversation that begins. ``version``: agtmux's own."""
