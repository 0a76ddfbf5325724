"""Define the route of hooks: install, remove or check them in the agents' settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from agtmuxd.api.envelopes import answer
from agtmuxd.api.parsing import read_json
from agtmuxd.api.requests import HookRequest
from agtmuxd.api.responses.hooks import Hooks
from agtmuxd.api.route import Route


class HookService(Protocol):
    """Hooks in the settings of agents, here and on ssh targets."""

    async def apply(self, request: HookRequest) -> list[dict[str, Any]]:
        """Install, remove or check hooks. Returns one item per agent and file."""

    def tests_arrived(self, nonces: Sequence[str]) -> dict[str, str]:
        """Return which test events of hooks arrived lately: ``posted`` or ``spooled`` by nonce."""


async def apply(request: web.Request, hooks: HookService) -> web.StreamResponse:
    asked = HookRequest.model_validate(await read_json(request))
    return answer(items=await hooks.apply(asked), arrived=hooks.tests_arrived(asked.tests))


ROUTES: tuple[Route[HookService], ...] = (
    Route("POST", "/v1/hooks", apply, "Install, remove or check hooks", body=HookRequest, answer=Hooks),
)
