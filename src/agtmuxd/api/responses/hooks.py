"""Define the answers about hooks."""

from __future__ import annotations

from agtmuxd.api.responses.base import Answer, ResponseModel


class HookItem(ResponseModel):
    agent: str
    path: str | None
    changed: bool
    diff: str
    installed: bool
    outdated: bool
    events: list[str]
    notes: list[str]
    error: str | None
    backup: str | None
    command: str | None = None
    as_argument: bool = False
    switched_off: str | None = None  # the key and file that make the agent run no hooks at all
    deaf_panes: list[str] = []
    maybe_deaf_panes: list[str] = []  # no event yet, and it is unknown whether they began before the hooks


class Hooks(Answer):
    items: list[HookItem]
    arrived: dict[str, str] = {}
