"""What the API needs from the rest of the daemon: one protocol, implemented by the composition root.

Owns the contract between routes and services. Every method raises AgtmuxError where it knows the reason; anything else
that comes out of it is answered as E_INTERNAL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from agtmuxd.api.requests import Connecting, HistoryQuery, HookRequest, TargetRequest, WireEvent
from agtmuxd.api.routes.rules import CheckRequest, ReplayRequest
from agtmuxd.core.action.request import Request
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import View

if TYPE_CHECKING:
    from agtmuxd.api.peer import Peer
    from agtmuxd.api.routes.actions import ActionQuery


class Services(Protocol):
    """The daemon as its routes see it. Items are the JSON objects of the API; times in them RFC 3339 text."""

    view: View
    hub: Hub

    def now(self) -> int:
        """The daemon's clock, ns since the epoch."""

    async def ingest(self, events: Sequence[WireEvent], peer: Peer | None = None) -> list[dict[str, Any]]:
        """Take in events, of ``peer`` where that is known; returns when they are committed. One result each, in order:
        ``event_id``, ``status``, ``runtime_id``, ``reason_code``. Raises E_STORE_UNAVAILABLE when nothing of it could
        be kept.
        """

    def nonce(self, item: Mapping[str, Any]) -> str:
        """What stands for a pane item as it is served now: an action takes it as ``snapshot`` for 30 s."""

    async def act(self, request: Request, uid: int | None, pid: int | None) -> dict[str, Any]:
        """Do what is asked for, once; ``uid`` and ``pid`` are the caller's. Raises whatever it was refused with."""

    async def permit(self, uid: int | None, pid: int | None) -> None:
        """Raises E_FORBIDDEN where the caller runs inside a supervised agent, and agents may only read and report."""

    async def actions(self, query: ActionQuery, pane: str | None) -> list[dict[str, Any]]:
        """Actions, newest first. Raises E_ACTION_NOT_FOUND for an id that is none."""

    async def explain(self, key: str) -> dict[str, Any]:
        """Why the pane (by its key) shows its state: ``decided_by``, ``candidates``, ``marks``, ``recent_events``.

        The route adds the envelope, ``ref`` and ``item``.
        """

    def message(self, key: str) -> dict[str, Any]:
        """What the agent of the pane (by key) said last, by its transcript: ``runtime_id``, ``text``, ``said_at``,
        ``source`` (None where no transcript is followed). No secrets, no control characters but newlines.
        """

    async def events(self, query: HistoryQuery, pane: str | None) -> list[dict[str, Any]]:
        """History rows, newest first, at most ``query.limit``; ``pane`` is the pane key of ``query.pane``."""

    def targets(self) -> list[dict[str, Any]]:
        """All target items, by name. From memory: called for every listing."""

    async def add_target(self, request: TargetRequest) -> dict[str, Any]:
        """Add a target, return its item. Raises E_TARGET_EXISTS, E_INVALID_REQUEST."""

    async def connect_target(self, name: str) -> Connecting:
        """Reach for a target now and say each step. Raises E_TARGET_NOT_FOUND; a failed step is no error."""

    async def remove_target(self, name: str) -> None:
        """Raises E_TARGET_NOT_FOUND."""

    async def hooks(self, request: HookRequest) -> list[dict[str, Any]]:
        """Install, remove or check hooks: one item per agent and file."""

    def tests_arrived(self, nonces: Sequence[str]) -> dict[str, str]:
        """Which test events of hooks came in lately: ``posted`` or ``spooled`` by nonce."""

    def replay(self, asked: ReplayRequest) -> dict[str, Any]:
        """What the rules make of a captured screen: the body of the answer. Raises E_INVALID_REQUEST."""

    async def check_rules(self, asked: CheckRequest) -> list[dict[str, Any]]:
        """Every rule tried on its sample, one item per agent. Raises E_INVALID_REQUEST."""

    def health(self) -> dict[str, Any]:
        """The body of /v1/health but for ``schema_version`` and ``generated_at``."""

    def config(self) -> dict[str, Any]:
        """``{"path": str, "config": {effective values, no secrets}}``."""

    async def reload(self) -> None:
        """Read the configuration again. Raises E_INVALID_REQUEST naming key and line."""

    def request_stop(self) -> None:
        """Begin the graceful stop soon; returns at once, so that the answer still goes out."""
