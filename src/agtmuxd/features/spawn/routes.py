"""The route of ``agtmux new``, its query and answer, and what it needs from the service."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from aiohttp import web
from pydantic import Field

from agtmuxd.api import requests
from agtmuxd.api.callers import actor
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.parsing import read_json
from agtmuxd.api.responses.base import Answer
from agtmuxd.api.route import Access, Route
from agtmuxd.core.actor import Actor

Word = Annotated[str, Field(min_length=1, max_length=128)]


class SpawnWish(requests.Model):
    """``agent``: an agent type. ``name``: what the new agent shall be called. ``request_ref``: names the request."""

    target: Word
    agent: Word
    name: Word | None = None
    request_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,100}$")] | None = None


class SpawnPlan(Answer):
    """It may be started. ``way``: the words that run a command on the target's machine (empty: this one).

    ``tmux``: the first words of a tmux command there. ``program``: the agent's program.
    """

    target: str
    agent: str
    program: str
    way: list[str]
    tmux: list[str]


class SpawnService(Protocol):
    """Decides whether a new agent may be started."""

    envelope: Envelope

    def plan(self, asker: Actor, target: str, agent: str, name: str | None) -> dict[str, Any]:
        """Return how to start it. Raises E_POLICY_DENIED, E_TARGET_NOT_FOUND, E_TARGET_UNREACHABLE, E_INVALID_REQUEST,
        E_PRECONDITION_FAILED if the name is taken.
        """


async def plan(request: web.Request, service: SpawnService) -> web.StreamResponse:
    asker, wish = await actor(request), SpawnWish.model_validate(await read_json(request))
    return service.envelope.reply(**service.plan(asker, wish.target, wish.agent, wish.name))


ROUTES: tuple[Route[SpawnService], ...] = (
    Route("POST", "/v1/spawn/check", plan, "Whether a new agent may be started on a target, and how", body=SpawnWish,
          answer=SpawnPlan, access=Access.AGENTS),
)  # fmt: skip
