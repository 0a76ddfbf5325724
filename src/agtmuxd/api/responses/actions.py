"""Define the answers to actions."""

from __future__ import annotations

from typing import Any, Literal

from agtmuxd.api.responses.base import Answer, ResponseModel, Time


class Action(ResponseModel):
    """One action. ``request`` shows a text's length, keyed digest and shape. ``caller`` has uid, pid and command."""

    action_id: str
    action: str
    request_ref: str
    ref: str | None
    target: str | None
    pane_id: str | None
    runtime_id: str | None
    state_version: int | None
    requested_at: Time
    started_at: Time | None
    completed_at: Time | None
    result_code: Literal["done", "refused", "failed", "indeterminate"] | None
    error_code: str | None
    error_message: str | None
    caller: dict[str, Any] | None
    request: dict[str, Any] | None
    result: dict[str, Any] | None


class ActionAnswer(Answer, Action):
    """``replayed``: it was done before, and nothing was done now."""

    generated_at: Time
    replayed: bool
