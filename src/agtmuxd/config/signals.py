"""The settings of signals and waits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agtmuxd.config.base import Days, Table

Bytes = Annotated[int, Field(ge=1, le=1 << 19)]


class SignalSettings(Table):
    """``[signals]``: how large signals may be, how many an agent may send, and how long they are kept."""

    max_payload: Bytes = Field(65_536, description="bytes that the data of one signal may have")
    payload_caps: dict[str, Bytes] = Field(
        default_factory=dict, description='other limits by topic, such as {"team/web/*" = 1024}; the first that fits'
    )
    per_minute: Annotated[float, Field(ge=1, le=60_000)] = Field(
        60, description="signals a minute that one agent may send on one topic"
    )
    burst: Annotated[int, Field(ge=1, le=10_000)] = Field(10, description="how many of them at once")
    days: Days = Field(7, description="how long signals are kept")


class WaitSettings(Table):
    """``[waits]``: how many waits may be open, and how long their results are kept."""

    open: Annotated[int, Field(ge=1, le=100_000)] = Field(1000, description="open waits of all together")
    open_of_agent: Annotated[int, Field(ge=1, le=100_000)] = Field(100, description="open waits of one agent")
    days: Days = Field(7, description="how long the result of a wait is kept")
