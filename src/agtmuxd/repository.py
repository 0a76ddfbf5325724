"""Hold the current rows of the database in memory, and collect one transaction's changes to them.

Owns the frozen rows and the overlay. A unit of work collects changes while a transaction runs. They become current only
after the transaction committed. Knows no SQL, no agent and no wire format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import PaneRow, Project, Source, State, WaitingFor
from agtmuxd.core.state.registers import Register

PaneKey = tuple[str, str]
"""``(target_id, pane_id)``"""

FolderKey = tuple[str, str]
"""``(target_id, path)``"""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Target:
    """One tmux server that agtmux watches, with its health. Times are in ns."""

    target_id: str
    name: str
    kind: str
    connection_ref: str | None
    is_default: bool
    health: str
    health_since: int
    reason: str | None
    last_seen_at: int | None
    tmux_version: str | None
    options: dict[str, Any] = field(default_factory=dict)
    updated_at: int = 0


@dataclass(frozen=True, slots=True)
class Pane:
    """A pane as last listed. ``row.title`` is the published title: it follows the real one at most once a second."""

    target_id: str
    boot_id: str
    row: PaneRow
    first_seen_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class AgentText:
    """An agent's own name and its last message. One line each, without secrets.

    ``name``: its own name or the title of its session. ``message``: the first line of its last message.
    ``message_at``: ns.
    """

    name: str | None = None
    message: str | None = None
    message_at: int = 0


@dataclass(frozen=True, slots=True)
class Runtime:
    """One life of one agent process in one pane instance. Times are in ns."""

    runtime_id: str
    target_id: str
    pane_id: str
    boot_id: str
    pane_epoch: int
    agent_type: str
    agent_version: str | None
    agent_session_id: str | None
    transcript_path: str | None
    pid: int | None
    process_start: str | None
    process_started_at: int | None
    headless: bool
    cwd: str | None
    task: str | None
    started_at: int
    ended_at: int | None = None
    end_reason: str | None = None
    last_state_version: int | None = None


@dataclass(frozen=True, slots=True)
class StateRow:
    """The current state of one pane's runtime, and why. Times are in ns."""

    target_id: str
    pane_id: str
    runtime_id: str
    state: State
    reason_code: str | None
    confidence: str
    state_version: int
    since: int
    source: Source | None
    decided_by: tuple[dict[str, Any], ...]
    waiting_for: WaitingFor | None
    accepts_input: bool | None
    background_tasks: int
    last_known: dict[str, Any] | None
    resumed: bool
    attention: str
    attention_since: int | None
    last_seen_at: int
    updated_at: int

    @property
    def detail(self) -> str | None:
        """The detail of an error: the agent's own text, or how a wrapped program ended. None for other states."""
        if self.state is not State.ERROR:
            return None
        return next((by["detail"] for by in self.decided_by if by.get("detail")), None)


NO_TEXT: Final = AgentText()
_ABSENT: Final = object()


class OverlayTable(Generic[K, V]):
    """A dict with an overlay. Reads fall through to the base; writes stay in the overlay until ``commit``."""

    __slots__ = ("base", "over")

    def __init__(self, base: dict[K, V]) -> None:
        self.base = base
        self.over: dict[K, V | None] = {}

    def get(self, key: K) -> V | None:
        """Return the current value: from the overlay, else from the base. None if there is none."""
        if self.over:
            found = self.over.get(key, _ABSENT)
            if found is not _ABSENT:
                return found  # type: ignore[return-value]
        return self.base.get(key)

    def put(self, key: K, value: V) -> None:
        """Set a value in the overlay."""
        self.over[key] = value

    def drop(self, key: K) -> None:
        """Delete a key in the overlay."""
        self.over[key] = None

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield all current items. Items only in the base come first."""
        for key, value in self.base.items():
            if key not in self.over:
                yield key, value
        for key, changed in self.over.items():
            if changed is not None:
                yield key, changed

    def values(self) -> Iterator[V]:
        """Yield all current values, in the order of ``items``."""
        yield from (value for _, value in self.items())

    def commit(self) -> None:
        """Apply the overlay to the base."""
        for key, value in self.over.items():
            if value is None:
                self.base.pop(key, None)
            else:
                self.base[key] = value


RegisterMap = dict[tuple[Source, str], Register]


@dataclass(slots=True)
class Repository:
    """All current rows. ``runtimes`` holds the active ones and those whose crash is still shown."""

    targets: dict[str, Target] = field(default_factory=dict)
    panes: dict[PaneKey, Pane] = field(default_factory=dict)
    runtimes: dict[str, Runtime] = field(default_factory=dict)
    active: dict[PaneKey, str] = field(default_factory=dict)
    registers: dict[str, RegisterMap] = field(default_factory=dict)
    marks: dict[str, dict[str, int]] = field(default_factory=dict)
    states: dict[PaneKey, StateRow] = field(default_factory=dict)
    annotations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What features add to the row of a pane, by runtime id and name."""
    projects: dict[FolderKey, Project] = field(default_factory=dict)
    agent_texts: dict[str, AgentText] = field(default_factory=dict)
    """By runtime id."""
    epochs: dict[PaneKey, int] = field(default_factory=dict)
    versions: dict[PaneKey, int] = field(default_factory=dict)
    """The state version of a pane whose runtime ended: the next runtime goes on from there."""

    def target_named(self, name: str) -> Target | None:
        """Return the target of that name, or None."""
        return next((target for target in self.targets.values() if target.name == name), None)

    def runtimes_of(self, target_id: str) -> list[Runtime]:
        """Return the active runtimes of a target."""
        ids = (one for key, one in self.active.items() if key[0] == target_id)
        return [self.runtimes[one] for one in ids if one in self.runtimes]

    def pane_key(self, published: str) -> PaneKey:
        """Return the key of a pane by its published key, ``<target name>/<pane id>``. Raises E_REF_NOT_FOUND."""
        name, _, pane_id = published.rpartition("/")
        target = self.target_named(name)
        if target is None:
            raise AgtmuxError("E_REF_NOT_FOUND", f"there is no target {name}")
        return target.target_id, pane_id


class UnitOfWork:
    """One transaction's changes, and what the store has to write."""

    def __init__(self, repository: Repository) -> None:
        self.targets = OverlayTable(repository.targets)
        self.panes = OverlayTable(repository.panes)
        self.runtimes = OverlayTable(repository.runtimes)
        self.active = OverlayTable(repository.active)
        self.registers = OverlayTable(repository.registers)
        self.marks = OverlayTable(repository.marks)
        self.states = OverlayTable(repository.states)
        self.annotations = OverlayTable(repository.annotations)
        self.projects = OverlayTable(repository.projects)
        self.agent_texts = OverlayTable(repository.agent_texts)
        self.epochs = OverlayTable(repository.epochs)
        self.versions = OverlayTable(repository.versions)
        self.changed_registers: set[tuple[str, Source, str]] = set()
        """Registers whose content changed (not those that were only read again)."""
        self.marked: set[str] = set()
        """Runtimes whose marks changed."""
        self.touched: set[str] = set()
        """Runtimes whose state may have changed."""
        self.used: dict[str, int] = {}
        """By runtime: the version of a waiting state whose prompt received keys.

        That version allows no further action.
        """
        self.shown: set[PaneKey] = set()
        """Panes whose published row may have changed."""
        self.ended: dict[str, Runtime] = {}
        """Runtimes that ended and are no longer kept in memory."""

    def active_runtime(self, key: PaneKey) -> Runtime | None:
        """Return the active runtime of a pane, or None."""
        runtime_id = self.active.get(key)
        return self.runtimes.get(runtime_id) if runtime_id is not None else None

    def commit(self) -> None:
        """Apply all overlays to the repository. Call it after the database has committed."""
        for table in (
            self.targets, self.panes, self.runtimes, self.active, self.registers, self.marks, self.states, self.epochs,
            self.versions, self.annotations, self.projects, self.agent_texts,
        ):  # fmt: skip
            table.commit()
