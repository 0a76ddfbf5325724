"""Define a channel: one way to tell somebody something, and what it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agtmuxd.features.contract import Tmux
from agtmuxd.features.notify.channels.clients import Terminal
from agtmuxd.features.notify.message import Message, Outcome, Prompt


class Channel(Protocol):
    """One channel of the configuration.

    ``repeatable``: a message that may have arrived is sent again, because the other side knows it by its id. All other
    channels send at most once. ``keeps_trying``: a message is sent again even when its episodes have ended meanwhile.
    """

    repeatable: bool
    keeps_trying: bool

    async def send(self, message: Message) -> Outcome:
        """Send the message once. Never raises for what the other side does: that is an outcome."""

    async def close(self) -> None:
        """Give back connections. Idempotent."""


@runtime_checkable
class Retracts(Protocol):
    """A channel that can take a message back."""

    async def retract(self, handle: str) -> None:
        """Take back the message with this handle. A message that is gone already is no error."""


async def no_terminals() -> list[Terminal]:
    """List no terminal: there is no tmux."""
    return []


Press = Callable[[str, str], Awaitable[str | None]]
"""``await press(message_id, verb)``: somebody pressed ``approve``, ``deny`` or ``open`` on a message.

Returns None if it was done, or why not.
"""


@dataclass(frozen=True, slots=True)
class Tools:
    """What channels may use. ``environ``: the daemon's environment. ``clock``: ns since the epoch."""

    environ: Mapping[str, str]
    clock: Callable[[], int]
    press: Press
    public_url: Callable[[], str | None] = lambda: None
    """Where a phone reaches the web page, without a slash at its end."""
    tmux: Tmux | None = None
    terminals: Callable[[], Awaitable[list[Terminal]]] = no_terminals
    """Lists the terminals that are attached to the tmux servers."""
    make_code: Callable[[str, Prompt], Awaitable[str]] | None = None
    """``await make_code(message_id, prompt)``: a single-use code that answers this prompt."""
