"""The route of the counts."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.parsing import read_query
from agtmuxd.api.requests import NoQuery
from agtmuxd.api.responses.base import Answer, Time
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.features.tmux_status.model import Counts


class Status(Answer):
    generated_at: Time
    agents: int
    needs_action: int
    error: int
    review: int
    running: int
    unanswered_targets: int


class StatusService(Protocol):
    """Counts agents."""

    envelope: Envelope

    def counts(self) -> Counts:
        """Return the counts of all targets that answer."""


async def status(request: web.Request, lines: StatusService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    _, _, errors = lines.envelope.answering()
    return lines.envelope.reply(**lines.counts().to_json(), unanswered_targets=len(errors))


ROUTES: tuple[Route[StatusService], ...] = (
    Route(
        "GET", "/v1/status", status, "Count the agents, for a status line", answer=Status,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
)  # fmt: skip
