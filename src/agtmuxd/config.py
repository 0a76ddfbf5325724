"""Read the configuration: every setting with its default, from one TOML file. The only reader of that file.

An error names the wrong key or value and its line. Does not know what the settings are used for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from agtmux.protocol.duration import seconds_of
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular

MOST = 1 << 20
"""The largest size of the file, in bytes."""


def _duration(value: object) -> object:
    """Convert ``"15m"`` to seconds. Numbers stay as they are. Raises ValueError."""
    if not isinstance(value, str):
        return value
    found = seconds_of(value.strip())
    if found is None:
        raise ValueError(f"{value!r} is not a duration: write it like 30s, 10m or 2h")
    return found


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Duration = Annotated[float, BeforeValidator(_duration), Field(ge=0, le=86_400 * 366)]
"""Seconds, written as ``"90s"``, ``"15m"``, ``"2h"``, ``"1d"`` or a number."""
Span = Annotated[float, BeforeValidator(_duration), Field(ge=0, le=604_800)]
"""A ``Duration`` of at most a week."""
Days = Annotated[float, Field(gt=0, le=3650)]
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: +([A-Za-z0-9_+/-]+))?")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HostSettings(_Table):
    """``[host]``: the target that exists from the start, the user's own tmux server."""

    tmux_socket: str | None = Field(None, description="the tmux socket, by name or path; if not set, tmux's default")
    tmux_path: str | None = Field(
        None, description="the tmux program; if not set, the one on PATH or in the usual places"
    )


class ObserveSettings(_Table):
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


class TargetSettings(_Table):
    """``[targets]``: time limits, in seconds, and limits for what the daemon reads from one target."""

    connect_timeout: Seconds = 3.0
    command_timeout: Seconds = 5.0
    max_panes: Annotated[int, Field(ge=1, le=100_000)] = 5000
    max_processes: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000
    max_answer: Annotated[int, Field(ge=1, le=256, description="MiB that one round or one process table may have")] = 16
    spool_rate: Annotated[
        int, Field(ge=1, le=65_536, description="KiB of spooled events to read from a machine behind ssh, per second")
    ] = 256


class SshSettings(_Table):
    """``[ssh]``: how to reach machines."""

    config_file: str = Field(
        "~/.ssh/config", description="the ssh config file that names the machines and their known_hosts files"
    )


class EventSettings(_Table):
    """``[events]``: how far to believe posted events."""

    skew_budget: Seconds = Field(
        10.0, description="how far an event's own time may differ from its arrival and still be used"
    )


class ApiSettings(_Table):
    """``[api]``: how many clients may talk to the daemon at once."""

    connections: Annotated[int, Field(ge=8, le=10_000)] = Field(
        512, description="connections at once; fewer if the process may not open twice as many files"
    )
    watchers: Annotated[int, Field(ge=1, le=10_000)] = Field(256, description="how many of them may read the stream")


class WebSettings(_Table):
    """``[web]``: the server of the web page, which ``agtmux web on`` starts."""

    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        0, description="the port on the loopback interface; 0 takes a free one and keeps it"
    )
    hosts: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._\[\]:-]{1,255}$")]] = Field(
        default_factory=list, description="other names under which browsers reach the page, such as those of a proxy"
    )


class TopSettings(_Table):
    """``[top]``: the dashboard. The command line reads it, and checks the names of keys and themes."""

    theme: str = Field("auto", description="auto, or a theme of textual's; auto uses the terminal's own colours")
    mouse: bool = Field(True, description="clicks and the wheel are for the dashboard")
    keys: dict[str, str | list[str]] = Field(default_factory=dict, description="other keys, by the id of what they do")


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

    after: Duration = Field(
        "15m", validate_default=True, description="how long an agent may make no progress; 0 turns this off"
    )


class StoreSettings(_Table):
    """``[store]``: how large the database may grow."""

    max_bytes: Annotated[int, Field(ge=10_000_000)] = 1_000_000_000


class RedactionSettings(_Table):
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


class AdapterSettings(_Table):
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

ChannelKind = Literal["desktop", "terminal", "tmux", "ntfy", "webhook", "apprise", "command"]
NotifyKind = Literal["waiting_approval", "waiting_input", "error", "completed", "stuck"]
_NEEDED: dict[str, tuple[str, ...]] = {"ntfy": ("url",), "command": ("argv",)}
"""Keys that a kind of channel cannot do without."""
_ALLOWED: dict[str, frozenset[str]] = {
    "url": frozenset({"ntfy", "webhook", "apprise"}),
    "secret_file": frozenset({"ntfy", "webhook", "apprise"}),
    "preset": frozenset({"webhook"}),
    "argv": frozenset({"command"}),
    "actions": frozenset({"desktop", "ntfy"}),
    "allow_private": frozenset({"ntfy", "webhook"}),
}
"""Keys that only some kinds of channels take."""
OFF_MACHINE = frozenset({"ntfy", "webhook", "apprise"})
"""Kinds of channels that send to other machines."""


class ChannelSettings(_Table):
    """One ``[[notify.channels]]``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    kind: ChannelKind
    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    secret_file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    preset: Literal["generic", "slack", "discord", "telegram"] = "generic"
    argv: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=64)] | None = None
    body: Literal["names", "full"] | None = None
    actions: bool = False
    allow_private: bool = False

    @model_validator(mode="after")
    def _fits(self) -> ChannelSettings:
        for key in _NEEDED.get(self.kind, ()):
            if getattr(self, key) is None:
                raise ValueError(f"{key} is missing: a channel of kind {self.kind} needs it")
        if self.kind in ("webhook", "apprise") and self.url is None:
            if self.kind == "webhook" and self.preset == "generic":
                raise ValueError("url is missing: a webhook needs it")
            if self.secret_file is None:
                raise ValueError("url is missing: this channel needs it, or a secret_file that holds it")
        for key, kinds in _ALLOWED.items():
            if key in self.model_fields_set and self.kind not in kinds:
                raise ValueError(f"{key} is not for kind {self.kind}: only {', '.join(sorted(kinds))} takes it")
        if self.actions and not self.full:
            raise ValueError('actions needs body = "full": you must see what you approve')
        if self.kind in ("ntfy", "webhook") and self.url is not None:
            check_url(self.url, self.allow_private)
        return self

    @property
    def full(self) -> bool:
        """Whether messages hold the text of the request, not only names and states."""
        return self.body == "full" or (self.body is None and self.kind not in OFF_MACHINE)

    @field_serializer("url")
    def _without_secrets(self, url: str | None) -> str | None:
        """Show only scheme and host: the rest of such an address is often a secret."""
        if url is None:
            return None
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}/…"


def check_url(url: str, allow_private: bool) -> None:
    """Check the address of a channel. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url: expected an address like https://ntfy.sh/my-topic")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url: a password in an address is not allowed: put it into secret_file")
    if parts.scheme == "http" and not allow_private:
        raise ValueError("url: expected https; plain http is only for private addresses, with allow_private = true")


class RuleSettings(_Table):
    """One ``[[notify.rules]]``. Empty lists match everything."""

    on: list[NotifyKind] = Field(default_factory=lambda: list(get_args(NotifyKind)))
    agents: list[str] = Field(default_factory=list)
    targets: list[str] = Field(default_factory=list)
    projects: list[str] = Field(default_factory=list)
    channels: list[str] = Field(default_factory=list)
    dwell: Span | None = None
    cooldown: Span = Field("60s", validate_default=True)
    min_turn: Span = Field("30s", validate_default=True)
    after: Span = Field("0s", validate_default=True)
    remind: Span = Field("0s", validate_default=True)
    quiet_hours: str | None = None

    @field_validator("quiet_hours")
    @classmethod
    def _quiet(cls, value: str | None) -> str | None:
        return None if value is None else _quiet_hours(value)


def _quiet_hours(value: str) -> str:
    """Check quiet hours: ``HH:MM-HH:MM``, with a time zone if you like. Empty: none."""
    if not value:
        return value
    match = _QUIET.fullmatch(value)
    if match is None or match[1] + match[2] == match[3] + match[4]:
        raise ValueError('expected hours like "22:00-07:00" or "22:00-07:00 Europe/Berlin"')
    if match[5] is not None:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(match[5])
        except (OSError, ValueError, KeyError):
            raise ValueError(f"{match[5]} is not a time zone that this machine knows") from None
    return value


class NotifySettings(_Table):
    """``[notify]``: who hears of what, and when."""

    quiet_hours: str = ""
    public_url: Annotated[str, Field(max_length=2048)] | None = None
    channels: Annotated[list[ChannelSettings], Field(max_length=32)] = Field(default_factory=list)
    rules: Annotated[list[RuleSettings], Field(max_length=64)] = Field(default_factory=list)

    @field_validator("quiet_hours")
    @classmethod
    def _quiet(cls, value: str) -> str:
        return _quiet_hours(value)

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://x")
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.query or parts.fragment or not (parts.scheme == "https" or local):
            raise ValueError("expected an https address without ? and #, like https://box.example.ts.net")
        return value.rstrip("/") if value is not None else None

    @model_validator(mode="after")
    def _named(self) -> NotifySettings:
        names = [channel.name for channel in self.channels]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"channels: the name {name} is used twice: give each channel its own")
        for number, rule in enumerate(self.rules, 1):
            for name in rule.channels:
                if name not in names:
                    close = get_close_matches(name, names, n=1)
                    hint = f" (did you mean {close[0]}?)" if close else ""
                    raise ValueError(f"rules: rule {number} names the channel {name}, which does not exist{hint}")
        return self


class Settings(_Table):
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
    store: StoreSettings = Field(default_factory=StoreSettings)
    redaction: RedactionSettings = Field(default_factory=RedactionSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    adapters: dict[str, AdapterSettings] = Field(default_factory=dict)

    def adapter(self, name: str) -> AdapterSettings:
        """Return the settings of one adapter, or the defaults if the file has none."""
        return self.adapters.get(name, _UNSET)


_HEADER = re.compile(r"\s*\[(\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def _line_of(text: str, place: tuple[Any, ...]) -> int | None:
    """Return the line of a key, or else the line of its table. ``place``: keys, and numbers of tables in arrays."""
    table: list[str | int] = []
    counts: dict[str, int] = {}
    best: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            table = list(_words(header[2]))
            if header[1]:
                name = header[2]
                counts[name] = counts.get(name, -1) + 1
                table.append(counts[name])
            if table == list(place[: len(table)]):
                best = number
            continue
        key = _KEY.match(line)
        if key:
            full = [*table, *_words(key[1])]
            if full == list(place[: len(full)]):
                return number
    return best


def _words(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _known(place: Sequence[Any]) -> list[str]:
    """Return the keys that the table at ``place`` may have. Empty if it may have any."""
    model: Any = Settings
    for part in place:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            model = next((m for m in _models(model)), None)  # the name of a table among tables of one kind
            continue
        model = field.annotation
        model = next((m for m in _models(model)), model)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _models(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for part in get_args(kind) for model in _models(part)]


def _key(place: Sequence[Any]) -> str:
    """Write a place as a person would: ``notify.channels[0].kind``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def parse(text: str, path: str) -> Settings:
    """Return the settings in a file's text. Raises E_INVALID_REQUEST, which names file, line and key."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path}: {error}") from error
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        errors = error.errors()
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        line = _line_of(text, first["loc"])
        where = f"{path}, line {line}" if line else path
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            close = get_close_matches(str(first["loc"][-1]), _known(first["loc"][:-1]), n=1)
            problem = "unknown setting" + (f" (did you mean {close[0]}?)" if close else "")
        raise AgtmuxError("E_INVALID_REQUEST", f"{where}: {_key(first['loc'])}: {problem}") from error


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
