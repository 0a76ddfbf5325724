"""Define what answers share. The contract (openapi.json) is generated from these models, one file per resource.

Owns the shapes of answers as documentation. Answers are not built from them. A newer minor version may add fields. It
never removes one or changes its meaning.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Time = str
"""RFC 3339, UTC, milliseconds."""

Attention = Literal["needs_action", "review", "none"]

Health_ = Literal["ok", "degraded", "down"]


class ResponseModel(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)  # the contract is asked for rarely


class Answer(ResponseModel):
    schema_version: str


class ErrorBody(ResponseModel):
    code: str
    message: str
    details: dict[str, Any]
    retryable: bool


class ErrorEnvelope(Answer):
    error: ErrorBody


class TargetError(ResponseModel):
    target: str
    code: str
    message: str
    reason: str | None
    last_seen_at: Time | None


class RowsAnswer(Answer):
    generated_at: Time
    filters: dict[str, Any]
    partial: bool
    requested_targets: list[str]
    responded_targets: list[str]
    target_errors: list[TargetError]


class WaitingFor(ResponseModel):
    kind: str
    subject: str | None
    text: str | None
    options: list[str]
    fingerprint: str | None


class OkAnswer(Answer):
    ok: bool
