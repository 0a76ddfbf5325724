"""List, add, connect and remove targets for the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.requests import ConnectResult, TargetRequest
from agtmuxd.stream.published import PublishedRows
from agtmuxd.target_manager.manager import TargetManager


def target_items(target_manager: TargetManager, view: PublishedRows) -> list[dict[str, Any]]:
    """List all target items by name. First updates the ``last_seen_at`` of all panes in ``view``."""
    target_manager.touch(view.touch)
    return target_manager.items()


class Targets:
    """Implements ``TargetService`` of ``api.routes.targets``."""

    def __init__(
        self, *, envelope: Envelope, target_manager: TargetManager, view: PublishedRows, removed: Callable[[], None]
    ) -> None:
        """``removed``: called after a target was removed, when its rows may be deleted."""
        self.envelope = envelope
        self._target_manager = target_manager
        self._view = view
        self._removed = removed

    def items(self) -> list[dict[str, Any]]:
        return target_items(self._target_manager, self._view)

    async def add(self, request: TargetRequest) -> dict[str, Any]:
        return await self._target_manager.add(request)

    async def connect(self, name: str) -> ConnectResult:
        return await self._target_manager.connect(name)

    async def remove(self, name: str) -> None:
        await self._target_manager.remove(name)
        self._removed()
