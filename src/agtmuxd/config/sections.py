"""The sections of the configuration, each setting with its default. What they are used for is not known here."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from agtmuxd.config.base import Days, Duration, Seconds, Table
from agtmuxd.config.notify import NotifySettings
from agtmuxd.config.policies import PolicySettings
from agtmuxd.config.signals import SignalSettings, WaitSettings


class HostSettings(Table):
    """``[host]``: the target that exists from the start, the user's own tmux server."""

    tmux_socket: str | None = Field(None, description="the tmux socket, by name or path; if not set, tmux's default")
    tmux_path: str | None = Field(
        None, description="the tmux program; if not set, the one on PATH or in the usual places"
    )


class ObserveSettings(Table):
    """``[observe]``: how often targets are read, in seconds."""

    active_interval: Seconds = Field(
        0.25, description="between two reads of a target with an agent that runs, waits or changed lately"
    )
    quiet_interval: Seconds = Field(2.0, description="between two reads of a target whose agents are all quiet")
    empty_interval: Seconds = Field(5.0, description="between two reads of a target without agents")
    process_interval: Seconds = Field(
        10.0, description="between two reads of the process table, if nothing asks for one sooner"
    )
    active_for: Seconds = Field(10.0, description="how long a target stays active after a change")


class TargetSettings(Table):
    """``[targets]``: time limits, in seconds, and limits for what the daemon reads from one target."""

    connect_timeout: Seconds = 3.0
    command_timeout: Seconds = 5.0
    max_panes: Annotated[int, Field(ge=1, le=100_000)] = 5000
    max_processes: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000
    max_answer: Annotated[int, Field(ge=1, le=256, description="MiB that one round or one process table may have")] = 16
    spool_rate: Annotated[
        int, Field(ge=1, le=65_536, description="KiB of spooled events to read from a machine behind ssh, per second")
    ] = 256


class SshSettings(Table):
    """``[ssh]``: how to reach machines."""

    config_file: str = Field(
        "~/.ssh/config", description="the ssh config file that names the machines and their known_hosts files"
    )


class EventSettings(Table):
    """``[events]``: how far to believe posted events."""

    skew_budget: Seconds = Field(
        10.0, description="how far an event's own time may differ from its arrival and still be used"
    )


class ApiSettings(Table):
    """``[api]``: how many clients may talk to the daemon at once."""

    connections: Annotated[int, Field(ge=8, le=10_000)] = Field(
        512, description="connections at once; fewer if the process may not open twice as many files"
    )
    watchers: Annotated[int, Field(ge=1, le=10_000)] = Field(256, description="how many of them may read the stream")


class WebSettings(Table):
    """``[web]``: the server of the web page, which ``agtmux web on`` starts."""

    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        0, description="the port on the loopback interface; 0 takes a free one and keeps it"
    )
    hosts: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._\[\]:-]{1,255}$")]] = Field(
        default_factory=list, description="other names under which browsers reach the page, such as those of a proxy"
    )


class TopSettings(Table):
    """``[top]``: the dashboard. The command line reads it, and checks the names of keys and themes."""

    theme: str = Field("auto", description="auto, or a theme of textual's; auto uses the terminal's own colours")
    mouse: bool = Field(True, description="clicks and the wheel are for the dashboard")
    keys: dict[str, str | list[str]] = Field(default_factory=dict, description="other keys, by the id of what they do")


class RetentionSettings(Table):
    """``[retention]``: how long history is kept, in days."""

    payloads: Days = 7
    events: Days = 14
    actions: Days = 90
    views: Days = 7
    messages: Days = 30
    stream: Days = 1
    stream_rows: Annotated[int, Field(ge=1000, le=10_000_000)] = 100_000


class StuckSettings(Table):
    """``[stuck]``: when an agent that runs without progress needs your attention."""

    after: Duration = Field(
        "15m", validate_default=True, description="how long an agent may make no progress; 0 turns this off"
    )


class WorktreeSettings(Table):
    """``[worktrees]``: the search for files that two agents changed. It runs ``git status`` after a turn."""

    radar: bool = Field(True, description="look for files that two agents changed in one repository")
    radar_interval: Duration = Field(
        "30s", validate_default=True, description="at least this long between two looks at the same working tree"
    )


class StoreSettings(Table):
    """``[store]``: how large the database may grow."""

    max_bytes: Annotated[int, Field(ge=10_000_000)] = 1_000_000_000


class RedactionSettings(Table):
    """``[redaction]``: patterns in addition to the built-in ones."""

    patterns: list[str] = Field(default_factory=list, description="regular expressions; what they match is removed")

    @field_validator("patterns")
    @classmethod
    def _compiles(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return value


class AdapterSettings(Table):
    """``[adapters.NAME]``: one agent's adapter."""

    enabled: bool = True
    status_file: bool = Field(True, description="read the status file of the agent, if it keeps one")
    transcript: bool = Field(True, description="read the end of the session file of the agent")
    app_server: bool = Field(
        False,
        description="ask the server that the agent's terminals share for their states. Codex's server then "
        "sends the requests of its terminals to their model with a User-Agent that ends in "
        "'(agtmux; VERSION)', until the next terminal starts. A gateway may refuse that",
    )


_UNSET = AdapterSettings()


class Settings(Table):
    """The whole file."""

    autostart: bool = Field(True, description="let agtmux start the daemon if none answers")
    allow_agent_actions: bool = Field(False, description="let supervised agents act on panes, not only read")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    log_max_bytes: Annotated[int, Field(ge=65_536, le=10_000_000_000)] = 10_000_000
    host: HostSettings = Field(default_factory=HostSettings)
    observe: ObserveSettings = Field(default_factory=ObserveSettings)
    targets: TargetSettings = Field(default_factory=TargetSettings)
    ssh: SshSettings = Field(default_factory=SshSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    top: TopSettings = Field(default_factory=TopSettings)
    events: EventSettings = Field(default_factory=EventSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    stuck: StuckSettings = Field(default_factory=StuckSettings)
    worktrees: WorktreeSettings = Field(default_factory=WorktreeSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    redaction: RedactionSettings = Field(default_factory=RedactionSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    signals: SignalSettings = Field(default_factory=SignalSettings)
    waits: WaitSettings = Field(default_factory=WaitSettings)
    policies: Annotated[list[PolicySettings], Field(max_length=256)] = Field(default_factory=list)
    adapters: dict[str, AdapterSettings] = Field(default_factory=dict)

    def adapter(self, name: str) -> AdapterSettings:
        """Return the settings of one adapter, or the defaults if the file has none."""
        return self.adapters.get(name, _UNSET)
