"""The route that lists the audit, and its query."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from aiohttp import web
from pydantic import BeforeValidator, Field

from agtmuxd.api import requests
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import given, read_query
from agtmuxd.api.responses.actions import Action
from agtmuxd.api.responses.base import ResponseModel, RowsAnswer
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.core.action.request import Kind
from agtmuxd.features.audit.model import AuditFilter


class ActionQuery(requests.Model):
    """Which actions: of one pane, runtime, kind or id, and since when (RFC 3339 or ns)."""

    action: Annotated[str, Field(min_length=1)] | None = None
    kind: Kind | None = None
    pane: str | None = None
    runtime: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{16,128}$")] | None = None
    since: Annotated[int, BeforeValidator(requests.moment), Field(ge=0, le=requests.MAX_NS)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")] | None = None

    def filter(self) -> AuditFilter:
        """All but the pane, whose ref the service resolves."""
        return AuditFilter(self.limit, self.action, self.kind, self.runtime, since=self.since, before=self.before)


class ActionItem(Action):
    events: list[str]


class ActionSummary(ResponseModel):
    total: int


class Actions(RowsAnswer):
    summary: ActionSummary
    items: list[ActionItem]


class AuditService(Protocol):
    """Lists the requested actions."""

    envelope: Envelope

    async def listing(self, wanted: AuditFilter, pane: str | None) -> list[dict[str, Any]]:
        """List actions, newest first. ``pane``: the ref of the pane whose actions to list.

        Raises E_ACTION_NOT_FOUND for an unknown action id, and E_REF_* for an unknown pane.
        """


async def listing(request: web.Request, audit: AuditService) -> web.StreamResponse:
    query = read_query(ActionQuery, request.query)
    items = await audit.listing(query.filter(), query.pane)
    filters = given(query, "action", "kind", "pane", "runtime", "since", "limit", "before")
    return reply(audit.envelope.read(filters=filters, summary={"total": len(items)}, items=items))


ROUTES: tuple[Route[AuditService], ...] = (
    Route(
        "GET", "/v1/actions", listing, "What was asked for", ActionQuery, answer=Actions,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
)  # fmt: skip
