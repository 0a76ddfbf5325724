"""Types that all sections of the configuration use."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agtmux.protocol.duration import seconds_of


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


class Table(BaseModel):
    """A table of the file. A key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
