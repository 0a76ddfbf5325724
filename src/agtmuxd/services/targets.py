"""Targets as the API lists and changes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.requests import Connecting, TargetRequest
from agtmuxd.stream.published import View
from agtmuxd.target_manager.manager import Fleet


def target_items(fleet: Fleet, view: View) -> list[dict[str, Any]]:
    """All target items, by name, after each pane was told when its target was last seen."""
    fleet.touch(view.touch)
    return fleet.items()


class Targets:
    """Implements ``TargetService`` of ``api.routes.targets``."""

    def __init__(self, *, envelope: Envelope, fleet: Fleet, view: View, removed: Callable[[], None]) -> None:
        """``removed``: called after a target was removed; its rows may be forgotten now."""
        self.envelope = envelope
        self._fleet = fleet
        self._view = view
        self._removed = removed

    def items(self) -> list[dict[str, Any]]:
        return target_items(self._fleet, self._view)

    async def add(self, request: TargetRequest) -> dict[str, Any]:
        return await self._fleet.add(request)

    async def connect(self, name: str) -> Connecting:
        return await self._fleet.connect(name)

    async def remove(self, name: str) -> None:
        await self._fleet.remove(name)
        self._removed()
