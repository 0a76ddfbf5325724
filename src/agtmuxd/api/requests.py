"""Define the request models: bodies and query strings, checked once when they arrive.

Owns the models (unknown fields are refused, except in what hooks send) and the reading of query strings. Knows no
route.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, model_validator

from agtmuxd.core import ref
from agtmuxd.core.listing import SORTS, Filter
from agtmuxd.core.model import State

MAX_NS = 2**63 - 1
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", re.ASCII)
_SSH_ALIAS = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:%-]*", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}

Nanoseconds = Annotated[StrictInt, Field(ge=0, le=MAX_NS)]
Pid = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
PaneId = Annotated[str, Field(pattern=r"^%[0-9]{1,10}$")]
TargetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Named = Annotated[str, Field(min_length=1)]
"""The name of something that may not exist. A name that nothing can have gives the same error as one that
nothing has.
"""
Short = Annotated[str, Field(min_length=1, max_length=256)]
Path = Annotated[str, Field(min_length=1, max_length=4096)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # each daemon uses few of them


class HookModel(Model):
    """What a hook sends. Unknown fields are ignored, because the hook may be newer than this daemon."""

    model_config = ConfigDict(extra="ignore")  # the rest as in Model


class ConnectResult(NamedTuple):
    """The result of connecting to a target: its item, and steps ``{"step", "ok", "message"}`` in order."""

    item: dict[str, Any]
    steps: list[dict[str, Any]]


class TmuxHint(HookModel):
    """The tmux server that a hook ran under, from its ``TMUX`` variable."""

    socket: Path
    server_pid: Pid | None = None


class ChainLink(HookModel):
    """One ancestor of the hook's process. The nearest one comes first."""

    pid: Pid
    start: Annotated[str, Field(max_length=64)]
    argv: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=4, default_factory=list)]
    comm: Annotated[str, Field(max_length=64)] = ""
    pgid: Pid | None = None


class WireEvent(HookModel):
    """One event as a hook, a wrapper or a third party sends it. The daemon's own sources cannot be sent."""

    event_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
    event_type: Short
    source: Literal["hook", "notify", "wrapper", "status", "transcript"]
    agent_type: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    event_time: Nanoseconds
    source_event_id: Short | None = None
    source_seq: Annotated[StrictInt, Field(ge=0, le=MAX_NS)] | None = None
    runtime_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{16,128}$")] | None = None
    target: TargetName | None = None
    pane_id: PaneId | None = None
    tmux: TmuxHint | None = None
    pid: Pid | None = None
    start_hint: Nanoseconds | None = None
    chain: Annotated[list[ChainLink], Field(max_length=64, default_factory=list)]
    spooled: StrictBool = False
    pid_space: Short | None = None
    env: Annotated[dict[str, str], Field(max_length=32, default_factory=dict)]
    payload: Annotated[dict[str, Any], Field(default_factory=dict)]


class EventBatch(HookModel):
    events: Annotated[list[WireEvent], Field(min_length=1, max_length=1000)]


class TargetRequest(Model):
    """A target to add: a local tmux server by socket name or path, or a machine behind ssh."""

    name: TargetName
    kind: Literal["local", "ssh"]
    tmux_socket: Path | None = None
    tmux_path: Path | None = None
    ssh_target: Short | None = None

    @model_validator(mode="after")
    def _fits_kind(self) -> TargetRequest:
        if self.kind == "ssh" and not self.ssh_target:
            raise ValueError("ssh_target: required for a target of kind ssh")
        if self.kind == "local" and self.ssh_target:
            raise ValueError("ssh_target: not allowed for a local target")
        if self.ssh_target and not _SSH_ALIAS.fullmatch(self.ssh_target):
            raise ValueError("ssh_target: expected a host of your ssh config, like build-box")
        return self


class HookRequest(Model):
    """Hooks to install, remove or check. ``command`` is the absolute command line without the agent's name."""

    op: Literal["install", "uninstall", "status"]
    agents: list[Short] | None = None
    dry_run: StrictBool = False
    command: Path
    target: Named | None = None  # another machine: ``command`` is not used, the daemon places its hook program there
    config_homes: dict[str, Path] = {}
    probe: StrictBool = False  # status of another machine: send a test event through each installed command there
    tests: Annotated[list[Short], Field(max_length=32)] = []  # test events that were sent: did they arrive?

    @model_validator(mode="after")
    def _absolute(self) -> HookRequest:
        """Refuse a relative path: the daemon would resolve it in its own working directory."""
        for agent, home in self.config_homes.items():
            if not home.startswith("/"):
                raise ValueError(f"config_homes.{agent}: {home!r} is not an absolute path (is HOME set?)")
        return self


class NoBody(Model):
    """A request whose path says everything."""


def _several(value: object) -> list[str]:
    """Return the values of a query parameter. It may be repeated, and each may hold several values separated
    by commas.
    """
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, Iterable):
        raise ValueError("expected text")  # noqa: TRY004 - pydantic turns ValueError into a message that names the field
    return [piece for part in parts for piece in str(part).split(",")]


def _flag(value: object) -> bool:
    known = {"true": True, "1": True, "yes": True, "": True, "false": False, "0": False, "no": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in known:
        raise ValueError("expected true or false")
    return known[str(value).lower()]


def seconds(value: object) -> float:
    """Parse a duration like ``2s``, ``500ms``, ``1m`` or plain seconds. Raises ValueError."""
    match = _DURATION.fullmatch(str(value))
    if match is None:
        raise ValueError("expected a duration like 2s or 500ms")
    return float(match[1]) * _SECONDS[match[2]]


def moment(value: object) -> int:
    """Parse a moment: RFC 3339, or ns since the epoch. Raises ValueError."""
    text = str(value)
    if text.isdecimal():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("expected a time with its zone, like 2026-01-02T03:04:05Z")
    return int(at.timestamp() * 1000) * 1_000_000


Several = Annotated[list[Annotated[str, Field(min_length=1, max_length=1024)]], BeforeValidator(_several)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=86400)]


class FilterQuery(Model):
    """The filters that listings and watch share.

    ``target``, ``session``, ``state`` and ``agent`` may be repeated or comma-separated. For a session whose name holds
    a comma use ``target_session``, which can only be repeated.
    """

    target: Annotated[list[Named], BeforeValidator(_several)] = []
    target_session: list[str] = []
    session: Several = []
    state: Annotated[list[State], BeforeValidator(_several)] = []
    agent: Several = []
    needs_action: Flag = False
    all: Flag = False

    def filter(self) -> Filter:
        """Return the filter. Raises E_REF_INVALID or E_REF_INVALID_ENCODING for a ``target_session`` that cannot be
        read.
        """
        return Filter(
            targets=tuple(self.target),
            target_sessions=tuple(ref.parse_session(text) for text in self.target_session),
            sessions=tuple(self.session),
            states=tuple(str(state) for state in self.state),
            agents=tuple(self.agent),
            needs_action=self.needs_action,
            everything=self.all,
        )


class ListingQuery(FilterQuery):
    sort: Literal[SORTS] = "attention"  # type: ignore[valid-type]


class SessionQuery(ListingQuery):
    group_by: Literal["target-session", "session-name"] = "target-session"


class WatchQuery(FilterQuery):
    scope: Literal["panes", "windows", "sessions", "coord", "all"] = "panes"
    cursor: str | None = None
    interval: Duration = 0.0
    heartbeat: Annotated[float, BeforeValidator(seconds), Field(ge=0.05, le=86400)] | None = None
    once: Flag = False


class HistoryQuery(Model):
    """Events of one pane, one runtime or one action. Without any of them: all events."""

    pane: str | None = None
    action: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")] | None = None
    runtime: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{16,128}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")] | None = None


class NoQuery(Model):
    """A request without parameters."""
