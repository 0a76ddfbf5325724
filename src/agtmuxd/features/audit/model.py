"""The filter for listing the audit. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which actions to list, newest first. A field that is None does not filter. Times in ns."""

    limit: int
    action: str | None = None
    kind: str | None = None
    runtime: str | None = None
    pane: tuple[str, str] | None = None
    """(target id, pane id)"""
    since: int | None = None
    """Only actions requested at this time or later."""
    before: str | None = None
    """An action id: list only older actions, for the next page."""
