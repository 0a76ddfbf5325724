"""Define the adapter contract between the daemon and the modules that know one agent each.

Owns the protocols and the contract's version. Adapters import this module and ``core``, and nothing else of the daemon.
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

CONTRACT_VERSION = "1.6"
"""Version of the contract (semver). An adapter with a newer minor version is accepted. One with another major version
is refused with a reason.
"""

ENV_NAMES: Final = (
    "HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "COPILOT_HOME", "OPENCODE_CONFIG_DIR",
    "XDG_CONFIG_HOME", "PI_CODING_AGENT_DIR", "QWEN_HOME",
)  # fmt: skip
"""The environment variables of an agent's process that ``config_home`` may use. No others are read."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A recognised agent process.

    ``headless``: the run never waits for input, and it ends in order when it exits. ``gives_way``: the process is a
    wrapper. If another agent that is not headless runs below it, that agent counts instead.
    """

    agent_type: str
    headless: bool = False
    version: str | None = None
    gives_way: bool = False

    def match(self, innermost: bool, value: T) -> Match[T]:
        """Return this identity as a match for the walk over a pane's processes."""
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
    """What is known after an agent's process has gone and its pane was read once more."""

    sample: Sample
    title_before: str
    session_ended: bool  # a hook reported the end of the session
    status_file_left: bool | None  # None: this agent keeps no status file, or it was never seen
    pane_dead_status: int | None
    own_pane: bool = False  # the agent was the pane's first process, so no shell reports how it ended


@dataclass(frozen=True, slots=True)
class HookPlan:
    """What installing or uninstalling hooks would do to one file. ``after`` None: the file is to be removed."""

    path: Path
    before: str | None
    after: str | None
    notes: tuple[str, ...] = ()  # lines for the user, such as Codex's trust step

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
    command: str | None = None  # the shell command line of one of our hooks, as it stands in the file
    as_argument: bool = False  # the payload comes as the last argument, not on standard input
    void: tuple[str, ...] = ()  # notes of a plan that no longer apply to this file
    switched_off: str | None = None  # the key and file that make the agent run no hooks at all


@runtime_checkable
class Adapter(Protocol):
    """One agent. All methods are pure, except that some read the files that they are given."""

    name: str
    agent_type: str
    version: str
    contract_version: str
    capabilities: Capabilities
    innermost: bool
    """Which process is the runtime if a chain of processes matches (node shim > native binary). True: the innermost
    one. False: the outermost one.
    """

    def identify(self, proc: Proc) -> Identity | None:
        """Return the agent that this process is, judged by comm and argv alone. None for any other program."""

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one event of a hook, of notify or of the wrapper into a signal.

        ``prior``: what is known of the runtime, such as ``agent_session_id``. It may be empty. Raises ValueError for a
        payload of another agent.
        """

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Turn one sample into one claim by the rules file. None: no rule matched. That never means idle.

        ``before``: the claim of the previous sample of this runtime. None for the first sample.
        """

    def status_path(self, proc: Proc, config_home: Path) -> Path | None:
        """Return the file in which this process keeps its own status, or None."""

    def read_status(self, data: Mapping[str, Any], proc: Proc) -> Sequence[Write]:
        """Return the claims in a status file. Empty if the file is not of this process or is not understood."""

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return the agent's configuration folder, given the environment that it runs in."""

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Return True if the agent left in order, False if it vanished, None if nothing shows which."""

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Return what installing (or, with ``remove``, uninstalling) our hooks would change. Raises ValueError for a
        file that cannot be read.
        """

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our hooks are in the agent's settings."""


SESSION: Final = "{session}"
"""Stands for the id of a session in ``Resumable.resume_command``."""


@runtime_checkable
class Resumable(Protocol):
    """An adapter whose agent can continue a session of its own."""

    resume_command: Sequence[str]
    """The words of that command line. One word contains ``SESSION``."""


@runtime_checkable
class Operable(Protocol):
    """An adapter that knows how to operate its agent (since contract 1.1). Without it nothing is typed."""

    def controls(self) -> Controls:
        """Return how to operate the agent: the input field, the keys of dialogs, the keys that interrupt a turn."""


@runtime_checkable
class Rebindable(Protocol):
    """An adapter whose agent lets users choose keys in a settings file (since contract 1.5). Pure."""

    def key_files(self, config_home: Path) -> Sequence[Path]:
        """Return the files that may set keys. A later file overrides an earlier one."""

    def key_overrides(self, texts: Sequence[str], argv: Sequence[str]) -> KeyOverrides:
        """Return the keys that these files set. ``texts``: the files that exist. ``argv``: of the agent's process."""


@dataclass(frozen=True, slots=True)
class TranscriptEvent:
    """What one line of an agent's transcript reports. The daemon reads the file, and the adapter understands its lines.

    - ``event``: the name of an event that ``normalise`` understands with the source ``transcript``. None for a line
      that changes no state.
    - ``payload``: goes with the event and is stored. It holds the kind of line, never its content, with two exceptions:
      ``prompt`` (at most its first line) and what the user is asked.
    - ``event_id``: the agent's own id of the line, if it has one.
    - ``message``: text from the agent to its user. It is kept in memory only.
    - ``part_of``: lines with the same value are pieces of one message.
    - ``begins``: a turn begins here, and everything before it is past.
    - ``asks``: the line is about a request to the user, or about its answer. If a process has several sessions and
      nothing shows which one is on the screen, only such lines count. Their payload then names their session in
      ``beside``.
    - ``closes``: the line reports how the turn ended.
    - ``follows``: the ``event_id`` of the line before. If that line closes the turn, this line belongs to the same end
      and adds nothing.
    """

    at: int  # ns since the epoch, from the line itself
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
    """The first line of a transcript. It lets the daemon find the agent process that writes the file.

    ``cwd``: the session's folder, or ``sha256:`` and the hash of its path if the file has only the hash.
    """

    session_id: str
    cwd: str
    at: int  # ns since the epoch; when the file began


@runtime_checkable
class TranscriptAdapter(Protocol):
    """An adapter whose agent writes its conversation to a file, line by line (since contract 1.2). All methods are
    pure.

    The file is found by a hook's ``transcript_path``, else by the method ``transcript_path``, else by its first line.
    """

    def transcript_path(self, status: Mapping[str, Any], proc: Proc, config_home: Path) -> Path | None:
        """Return the file that the status file of ``proc`` points to. None if it does not, or if it is of another
        process.
        """

    def transcript_tree(self, config_home: Path) -> tuple[Path, int] | None:
        """Return the folder tree in which to find session files by their first line: ``(folder, depth)``. None: do not
        search.

        ``depth``: how many levels of folders lie below it. If folders have numbers for names (year, month, day), only
        the last ones are read.
        """

    def read_opening(self, line: Mapping[str, Any]) -> SessionHeader | None:
        """Read the first line of a file written by the main session of a terminal. None for any other file."""

    def read_line(self, line: Mapping[str, Any]) -> TranscriptEvent | None:
        """Read one line. None for a line that is not understood, is of a sub-agent, or is of no use."""

    def last_message(self, lines: Sequence[Mapping[str, Any]]) -> str | None:
        """Return the agent's last message to its user in these lines (oldest first), or None."""


@dataclass(frozen=True, slots=True)
class TranscriptOwner:
    """The session that a process's open files point to. ``version``: the program's version, if the files show it."""

    path: Path
    session_id: str
    version: str | None = None


@runtime_checkable
class OpenFileAdapter(Protocol):
    """A ``TranscriptAdapter`` whose agent holds a file open that names its session (since contract 1.3). Pure."""

    def open_transcripts(self, files: Sequence[str], config_home: Path) -> Sequence[TranscriptOwner]:
        """Return the transcripts that these open files point to. ``files``: as the system names them, with links
        resolved.

        One transcript wins over what hooks and the status file name. If there are several, none is read, because
        nothing shows which session is on the screen. Empty if the files name none.
        """


@runtime_checkable
class NamingAdapter(Protocol):
    """An adapter whose agent shows the name of its session in its title or status file (since contract 1.6). Pure."""

    def session_name(self, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """Return the name that the agent, or its user, gave the session. None: it has none, or it is not certain.

        ``title``: of the pane, on one line. ``folder``: the pane's. ``status``: the agent's status file, if it has one.
        """


class Conversation(Protocol):
    """A conversation with one server of an agent. Pure: it takes and returns messages (JSON objects)."""

    @property
    def ready(self) -> bool:
        """Whether the server has answered everything that ``claim_of`` needs."""

    def opening(self) -> Sequence[Mapping[str, Any]]:
        """Return the first messages to send."""

    def ask_again(self, sessions: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Return messages that ask about these sessions again. The daemon sends them now and then. If no answer comes,
        it treats the server as hung.
        """

    def receive(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Read one message and return the messages to send next. Raises ValueError with the reason if the server cannot
        be used.
        """

    def claim_of(self, session_id: str) -> Write | None:
        """Return the server's claim about this session, as a level. None: not known.

        It is the same object for as long as the claim does not change.
        """


@runtime_checkable
class AppServerAdapter(Protocol):
    """An adapter whose agent has a server that its terminals share and that reports what they do (since contract 1.4).

    The daemon connects only if the user enabled it (``adapters.NAME.app_server``), and only while other clients are
    connected.
    """

    def server_socket(self, config_home: Path) -> Path:
        """Return the path of the server's socket on this machine, whether or not a server runs."""

    def converse(self, version: str) -> Conversation:
        """Start a conversation. ``version``: agtmux's own version."""
