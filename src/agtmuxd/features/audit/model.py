"""Which actions a reader of the audit asks for. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Actions, newest first; every field that is None asks for all. Times in ns."""

    limit: int
    action: str | None = None
    kind: str | None = None
    runtime: str | None = None
    pane: tuple[str, str] | None = None
    """(target id, pane id)"""
    since: int | None = None
    """Requested then or later."""
    before: str | None = None
    """An action id: list what is older, the next page."""
