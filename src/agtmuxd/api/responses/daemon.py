"""Define the daemon's answers about itself."""

from __future__ import annotations

from typing import Any, Literal

from agtmuxd.api.responses.base import Answer, ResponseModel, Time
from agtmuxd.api.responses.targets import Target


class AgentServer(ResponseModel):
    """A server that agents share and that the user has agtmux ask. ``reason``: why it is not connected."""

    config_home: str
    connected: bool
    reason: str | None
    since: Time


class AdapterHealth(ResponseModel):
    name: str
    agent_type: str
    version: str
    enabled: bool
    errors: int
    last_error: str | None
    contract_version: str | None = None
    oldest_version: str | None = None
    newest_version: str | None = None  # of this agent that was recorded
    servers: list[AgentServer] = []


class StoreHealth(ResponseModel):
    """``bytes``: size of the file. ``used_bytes``: the used part, null until counted. ``failures``: writes given up."""

    bytes: int | None
    used_bytes: int | None
    max_bytes: int
    wal_bytes: int
    failures: int
    checking: bool
    trouble: str | None


class LogHealth(ResponseModel):
    """``lost``: lines that could not be written. ``left_out``: lines dropped from a flood. ``path`` null: standard
    error.
    """

    path: str | None
    max_bytes: int | None
    lost: int
    left_out: int
    trouble: str | None


class Environment(ResponseModel):
    """What the daemon got from its starter. ``service``: systemd or launchd, null if a command started it."""

    service: str | None
    ssh_auth_sock: str | None
    tmux_tmpdir: str | None
    path: str | None


class Health(Answer):
    generated_at: Time
    status: Literal["ok", "degraded"]
    version: str
    pid: int
    uptime_s: float
    socket: str
    database: str
    config: str | None = None
    environment: Environment | None = None
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


class Config(Answer):
    path: str | None
    config: dict[str, Any]
