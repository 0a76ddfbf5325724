"""Read the configuration: every setting with its default, from one TOML file. The only reader of that file.

An error names the wrong key or value and its line. Does not know what the settings are used for.
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular

MOST = 1 << 20
"""The largest size of the file, in bytes."""


def _duration(value: object) -> object:
    """Convert ``"15m"`` to seconds. Numbers stay as they are. Raises ValueError."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|d)", value.strip(), re.ASCII)
    if match is None:
        raise ValueError(f"{value!r} is not a duration: write it like 30s, 10m or 2h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Duration = Annotated[float, BeforeValidator(_duration), Field(ge=0, le=86_400 * 366)]
"""Seconds, written as ``"90s"``, ``"15m"``, ``"2h"``, ``"1d"`` or a number."""
Days = Annotated[float, Field(gt=0, le=3650)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HostSettings(_Table):
    """``[host]``: the target that exists from the start, the user's own tmux server."""

    tmux_socket: str | None = Field(None, description="socket name or path; unset: tmux's own default")
    tmux_path: str | None = Field(None, description="the tmux program; unset: found on PATH or in the usual places")


class ObserveSettings(_Table):
    """``[observe]``: how often targets are read, in seconds."""

    active_interval: Seconds = Field(0.25, description="a target with an agent that runs, waits or changed lately")
    quiet_interval: Seconds = Field(2.0, description="a target whose agents are quiet")
    empty_interval: Seconds = Field(5.0, description="a target without agents")
    process_interval: Seconds = Field(10.0, description="the process table, when nothing points to it sooner")
    active_for: Seconds = Field(10.0, description="how long a change keeps a target active")


class TargetSettings(_Table):
    """``[targets]``: time limits, in seconds, and limits for what the daemon reads from one target."""

    connect_timeout: Seconds = 3.0
    command_timeout: Seconds = 5.0
    max_panes: Annotated[int, Field(ge=1, le=100_000)] = 5000
    max_processes: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000
    max_answer: Annotated[int, Field(ge=1, le=256, description="MiB of one round or one process table")] = 16
    spool_rate: Annotated[
        int, Field(ge=1, le=65_536, description="KiB a second of events that a machine behind ssh spooled")
    ] = 256


class SshSettings(_Table):
    """``[ssh]``: how to reach machines."""

    config_file: str = Field(
        "~/.ssh/config", description="the ssh configuration that names them, and their known_hosts"
    )


class EventSettings(_Table):
    """``[events]``: how far to believe posted events."""

    skew_budget: Seconds = Field(10.0, description="an event's own time is believed within this of its arrival")


class ApiSettings(_Table):
    """``[api]``: how many clients may talk to the daemon at once."""

    connections: Annotated[int, Field(ge=8, le=10_000)] = Field(
        512, description="connections; fewer where the process may not open twice as many files"
    )
    watchers: Annotated[int, Field(ge=1, le=10_000)] = Field(256, description="readers of the stream among them")


class WebSettings(_Table):
    """``[web]``: the server of the web page, which ``agtmux web on`` starts."""

    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        0, description="the port on the loopback interface; 0: a free one, kept from then on"
    )
    hosts: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._\[\]:-]{1,255}$")]] = Field(
        default_factory=list, description="further names by which browsers reach the page, such as those of a proxy"
    )


class RetentionSettings(_Table):
    """``[retention]``: how long history is kept, in days."""

    payloads: Days = 7
    events: Days = 14
    actions: Days = 90
    views: Days = 7
    stream: Days = 1
    stream_rows: Annotated[int, Field(ge=1000, le=10_000_000)] = 100_000


class StuckSettings(_Table):
    """``[stuck]``: when an agent that runs without progress needs your attention."""

    after: Duration = Field("15m", validate_default=True, description="time without progress; 0 turns it off")


class StoreSettings(_Table):
    """``[store]``: how large the database may grow."""

    max_bytes: Annotated[int, Field(ge=10_000_000)] = 1_000_000_000


class RedactionSettings(_Table):
    """``[redaction]``: patterns in addition to the built-in ones."""

    patterns: list[str] = Field(default_factory=list, description="regular expressions whose matches are removed")

    @field_validator("patterns")
    @classmethod
    def _compiles(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return value


class AdapterSettings(_Table):
    """``[adapters.NAME]``: one agent's adapter."""

    enabled: bool = True
    status_file: bool = Field(True, description="read the status file that the agent itself keeps, where it keeps one")
    transcript: bool = Field(True, description="read the end of the session file that the agent itself writes")
    app_server: bool = Field(
        False,
        description="ask the server that the agent's terminals share for their states, where one runs. Codex's then "
        "sends every later request of its terminals to their model with a User-Agent that ends in "
        "'(agtmux; VERSION)', which a gateway may refuse; that stays so until the next terminal starts",
    )


_UNSET = AdapterSettings()


class Settings(_Table):
    """The whole file."""

    autostart: bool = Field(True, description="let the CLI start the daemon when none answers")
    allow_agent_actions: bool = Field(False, description="let agents that are supervised act on panes, not only read")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    log_max_bytes: Annotated[int, Field(ge=65_536, le=10_000_000_000)] = 10_000_000
    host: HostSettings = Field(default_factory=HostSettings)
    observe: ObserveSettings = Field(default_factory=ObserveSettings)
    targets: TargetSettings = Field(default_factory=TargetSettings)
    ssh: SshSettings = Field(default_factory=SshSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    events: EventSettings = Field(default_factory=EventSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    stuck: StuckSettings = Field(default_factory=StuckSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    redaction: RedactionSettings = Field(default_factory=RedactionSettings)
    adapters: dict[str, AdapterSettings] = Field(default_factory=dict)

    def adapter(self, name: str) -> AdapterSettings:
        """Return the settings of one adapter, or the defaults if the file has none."""
        return self.adapters.get(name, _UNSET)


def _line_of(text: str, place: tuple[Any, ...]) -> int | None:
    """Return the line of a key, or else the line of its table."""
    names = [str(part) for part in place if isinstance(part, str)]
    table: list[str] = []
    best: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            table = [part.strip().strip("\"'") for part in header[1].split(".")]
            if table == names[: len(table)]:
                best = number
            continue
        key = re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line)
        if key:
            full = [*table, *(part.strip("\"'") for part in key[1].split("."))]
            if full == names[: len(full)]:
                return number
    return best


def parse(text: str, path: str) -> Settings:
    """Return the settings in a file's text. Raises E_INVALID_REQUEST, which names file, line and key."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path}: {error}") from error
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        line = _line_of(text, first["loc"])
        key = ".".join(str(part) for part in first["loc"])
        where = f"{path}, line {line}" if line else path
        problem = "unknown setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise AgtmuxError("E_INVALID_REQUEST", f"{where}: {key}: {problem}") from error


def load(path: str) -> Settings:
    """Return the settings in the file at ``path``, or the defaults if there is no file. Raises E_INVALID_REQUEST."""
    try:
        text = read_regular(path, MOST).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except OSError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path} cannot be read: {error}") from error
    return parse(text, path)
