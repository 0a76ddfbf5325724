"""The section ``[notify]``: channels, rules and quiet hours of notifications."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_serializer, field_validator, model_validator

from agtmuxd.config.base import Span, Table

_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: +([A-Za-z0-9_+/-]+))?")

ChannelKind = Literal["desktop", "terminal", "tmux", "ntfy", "webhook", "apprise", "command"]
NotifyKind = Literal["waiting_approval", "waiting_input", "error", "completed", "stuck", "message"]
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


class ChannelSettings(Table):
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


class RuleSettings(Table):
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


class NotifySettings(Table):
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
