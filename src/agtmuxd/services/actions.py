"""Perform actions for the API. The audit lists them (``features.audit``)."""

from __future__ import annotations

from typing import Any

from agtmuxd.actions.runner import ActionRunner
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.action.request import Caller, Request


class ActionRequests:
    """Implements ``ActionService`` of ``api.routes.actions``."""

    def __init__(self, envelope: Envelope, runner: ActionRunner) -> None:
        self.envelope = envelope
        self._runner = runner

    async def act(self, request: Request, caller: Caller) -> dict[str, Any]:
        return await self._runner.perform(request, caller)
