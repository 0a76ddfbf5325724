"""Rows for the tests of the dashboard. Knows no test."""

from __future__ import annotations

from typing import Any

from agtmux.top.model import Row, row_of
from tests.unit.daemon_stub import pane

NOW = 1_767_225_600.0 + 3600
"""An hour after the stamp of the stub's rows."""


def item(pane_id: str, state: str = "running", *, attention: str | None = None, **more: Any) -> dict[str, Any]:
    """A pane of the API in this state, with the attention that belongs to it."""
    waits = state in ("waiting_approval", "waiting_input", "error")
    session = more.pop("session", "work")
    target = more.pop("target", "host")
    made = pane(
        pane_id, state=state, attention=attention or ("needs_action" if waits else "none"), **more
    )  # fmt: skip
    made["identity"] = {**made["identity"], "session_name": session, "target": target}
    return made


def row(pane_id: str, state: str = "running", **more: Any) -> Row:
    """The same as the dashboard sees it."""
    made = row_of(item(pane_id, state, **more))
    assert made is not None
    return made


def ago(seconds: float) -> str:
    """An API time that long before NOW."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(NOW - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
