"""Define a feature: what it gives the daemon, and what it may use.

A feature is a folder ``features/<name>/``, named in ``FEATURES`` in ``daemon.py``. Its module ``feature`` has a
function ``build(context: Context) -> Feature``. It may also have:

- ``model.py``: values and decisions, pure.
- ``store.py``: its SQL.
- ``service.py``: what it does.
- ``routes.py``: its routes and their models.
- ``migrations/NNNN_words.up.sql`` and ``.down.sql``: its tables. All migrations of the daemon share one numbering; take
  the next free number. Never delete a released migration: move it to ``migrations/`` and keep its number.

A feature imports no other feature, and nothing outside ``features`` imports one. It never touches a pane directly: it
acts through ``Context.act``, so that each action is checked, done once and recorded. ``Context.tmux`` reaches tmux
servers, not panes: write to a server only if its user set ``@agtmux on`` there, or asked for exactly this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from agtmuxd.agents.changes import AgentChanges
from agtmuxd.agents.model import Agent, Team
from agtmuxd.agents.teams import Teams
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Caller, Request
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import TmuxClient
from agtmuxd.repository import Repository
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.subscription import Subscriber

T = TypeVar("T")
PublishChange = Callable[[str, str, Mapping[str, Any] | None], None]
"""``publish(kind, id, item)``: publish that an item is new or has changed; ``item`` None: it is gone.

``kind``: one of ``KINDS`` of ``stream.coordination``. Watchers of the scope ``coord`` get it after the commit.
"""


class Write(Protocol):
    """Writes a feature's tables and publishes the change in one transaction."""

    async def __call__(self, work: Callable[[sqlite3.Connection, PublishChange], T]) -> T:
        """Run ``work(connection, publish)`` on the database thread and return its result, once it is committed.

        ``work`` must be short and change nothing but the database: it may run twice if the database was locked. If it
        raises AgtmuxError, nothing of it is stored or published, and the error is raised here. Raises
        E_STORE_UNAVAILABLE.
        """


class Agents(Protocol):
    """The directory of agents by name."""

    def all(self) -> Sequence[Agent]:
        """Return all agents that are not retired, oldest first."""

    def get(self, agent_id: str) -> Agent | None:
        """Return an agent by its id, also a retired one."""

    def of_runtime(self, runtime_id: str) -> Agent | None:
        """Return the agent that this runtime is now."""

    def find(self, text: str) -> Agent:
        """Return the agent that ``text`` names: ``NAME``, ``TEAM/NAME``, ``/NAME`` (without a team) or an id.

        Raises E_AGENT_NOT_FOUND and E_AGENT_AMBIGUOUS, both with ``candidates``.
        """

    def team(self, name: str | None) -> Team | None:
        """Return the team of that name with its agents. ``Team.deliver_to(agent)`` says where messages go."""

    def teams(self) -> Sequence[Team]:
        """Return all teams with their agents, oldest first."""

    def lives(self, agent: Agent) -> bool | None:
        """Return whether the process of an agent's runtime runs. None: it has none, or it is on another machine."""

    def reserved(self) -> frozenset[str]:
        """Return the words that cannot be names."""

    async def refresh(self) -> None:
        """Bind every runtime that has no agent yet. Call it before looking up a runtime that may have just begun."""


class Condition(Protocol):
    """One kind of condition that ``agtmux wait`` can wait for, such as ``msg:``.

    ``wakes_on``: when to check it again: the scope ``panes``, or kinds of coordination.
    """

    @property
    def wakes_on(self) -> frozenset[str]: ...

    async def prepare(self, operand: str, actor: Actor) -> str:
        """Check what stands after the colon, and return it in the form in which it is kept. It survives a restart.

        Raises E_INVALID_REQUEST, or the error of a name that is not found.
        """

    async def check(self, operand: str, agent_id: str | None) -> dict[str, Any] | None:
        """Return JSON that says how it is met, or None if it is not yet. ``agent_id``: who waits; None: a person.

        Raises E_NOT_FOUND if it can never be met any more.
        """


Allow = Callable[[Actor, str, str], None]
"""``allow(actor, verb, object)`` raises E_POLICY_DENIED if a rule or the default refuses it. See ``agtmuxd.policy``."""

Act = Callable[[Request, Caller], Awaitable[dict[str, Any]]]
"""``await act(request, caller)``: ``perform`` of ``actions.runner``. Raises AgtmuxError if the action is refused.

A caller with an ``actor`` is not checked again: set it only for someone whose proof the feature has checked.
"""

Annotate = Callable[[str, str, Any], Awaitable[bool]]
"""``await annotate(runtime_id, name, value)``: the row gets the field ``name`` until the runtime ends.

``value``: JSON, or None to remove it. An object with ``attention`` (``review`` or ``needs_action``) and ``since`` (RFC
3339) gives the row that attention while it has none itself; ``ack`` ends it. Survives a restart. Returns False if the
runtime has ended. Declare the field in ``api.responses.panes.Pane``. Raises E_STORE_UNAVAILABLE.
"""


class Tmux(Protocol):
    """The tmux servers of the connected targets, here and behind ssh.

    It never starts a server, and never returns what a pane shows.
    """

    def targets(self) -> Sequence[str]:
        """Return the ids of the targets whose last round read a running server."""

    def options(self, target_id: str) -> Mapping[str, str]:
        """Return the global user options for agtmux that the last round read, such as ``{"@agtmux": "on"}``.

        Options that are not set or empty are left out. Empty if the target is not connected. Costs nothing. Which
        options a round reads: ``NAMES`` of ``agtmuxd.tmux.user_options``.
        """

    async def clients(self, target_id: str) -> Sequence[TmuxClient]:
        """Return the attached clients of a target's server. Asks tmux each time.

        Raises E_TARGET_NOT_FOUND, and E_TARGET_UNREACHABLE if it is not connected or does not answer in time.
        """

    async def run(self, target_id: str, commands: Sequence[Sequence[str]]) -> None:
        """Run tmux commands, each a list of words, in order. Nothing that they print is returned.

        The words are quoted here. Many commands expand formats in their operands: pass text for them through
        ``message``. A command that fails does not keep the next ones from running. Raises ValueError for an empty
        command or a NUL, E_TARGET_NOT_FOUND, E_PRECONDITION_FAILED if tmux refused a command, and
        E_TARGET_UNREACHABLE if the target is not connected, was restarted since its last round (both: nothing was
        done) or does not answer in time (then nobody knows).
        """

    def command_line(self, target_id: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the words that run a command on the target's machine (none: this one), and the first words of a tmux
        command there. Both are for programs of the user, and work while no server runs.

        Raises E_TARGET_NOT_FOUND, and E_TARGET_UNREACHABLE if tmux was not found.
        """

    def message(self, text: str) -> str:
        """Return text as one line that ``display-message`` shows as it is: no format, date or control character."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a feature may use. ``clock``: ns since the epoch."""

    store: Store
    """Run its SQL here: ``read`` for reads, ``run`` for writes of its own tables."""
    view: PublishedRows
    """The published rows. Read only."""
    repository: Repository
    """The rows in memory. Read only."""
    envelope: Envelope
    """The common fields of answers that list rows."""
    act: Act
    write: Write
    """Write its tables and publish what changed. Use it for all that ``watch --scope coord`` shows."""
    agents: Agents
    """Agents and teams. A column ``agent_id``, or one that ends so, keeps the agent that it names from being forgotten.
    """
    agent_changes: AgentChanges
    team_changes: Teams
    allow: Allow
    conditions: Callable[[], Mapping[str, Condition]]
    """What each feature lets ``agtmux wait`` wait for, by the word before the colon. Empty until it runs."""
    redact: Callable[[Any], Any]
    """Copy a text or a JSON value without secrets. Use it before anything of a user's text is stored."""
    annotate: Annotate
    """Add a field to the row of a runtime's pane, and publish it."""
    tmux: Tmux
    resume: Callable[[str, str], tuple[str, ...] | None]
    """``resume(agent_type, session_id)``: the command line that continues a session. None: not known, or an odd id."""
    program: Callable[[str], str | None]
    """``program(agent_type)``: the program that starts an agent. None: there is no such agent."""
    screen_rows: Callable[[str, str], frozenset[int] | None]
    """``screen_rows(target_id, pane_id)``: a number for the words of each row on an agent's screen, to see it move."""
    routes: Callable[[], Sequence[RouteTable[Any]]]
    """The routes of the whole daemon, for a feature that serves some of them elsewhere. Empty until it runs."""
    clock: Callable[[], int]
    settings: Callable[[], Settings]
    environ: Mapping[str, str] = field(default_factory=dict)
    """The daemon's environment."""
    failpoint: Callable[[str], None] = field(default=lambda _name: None)
    """``failpoint(name)``: a point at which a test may end the daemon as a crash would."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What a feature gives the daemon. Every field is optional."""

    tables: tuple[RouteTable[Any], ...] = ()
    subscriber: Subscriber | None = None
    """Receives published changes after each commit."""
    purge: Callable[[sqlite3.Connection, int], int] | None = None
    """``purge(connection, now)`` deletes old rows of its own tables in one transaction, and returns how many.

    Called at the start and about every ten minutes. ``now``: ns. Delete at most some thousand rows in one call: it is
    called again soon while it deletes any.
    """
    run: Callable[[], Awaitable[None]] | None = None
    """A task that runs until the daemon stops. An exception ends only this task, and health reports it."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """What ``agtmux wait`` can wait for here, by the word before the colon."""
    health: Callable[[], HealthPart] | None = None
    """The feature's part of health. Counters are shown as ``<feature>_<counter>``."""
    reloaded: Callable[[], None] | None = None
    """Called after the configuration was loaded again. Must not wait."""
