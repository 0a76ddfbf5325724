"""Define the routes that read panes, windows and sessions, and that explain a pane's state.

Rows come from the published view. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from agtmuxd.api.envelopes import Envelope, reply, reply_rows
from agtmuxd.api.parsing import given, read_query
from agtmuxd.api.requests import ListingQuery, NoQuery, SessionQuery
from agtmuxd.api.responses.panes import Explanation, LastMessage, Panes, Sessions, Windows
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.core.listing import Attrs, Scope, ordered, tally
from agtmuxd.stream.published import PublishedRows, merge_sessions


class PaneService(Protocol):
    """Published panes, and what is known of one of them."""

    envelope: Envelope
    view: PublishedRows

    def nonce(self, item: Mapping[str, Any]) -> str:
        """Return the nonce of a pane item as it is shown now. An action takes it as ``snapshot`` for 30 s."""

    async def explain(self, key: str) -> dict[str, Any]:
        """Explain the state of the pane with this key: ``decided_by``, ``candidates``, ``marks``, ``recent_events``.

        The route adds the envelope, ``ref`` and ``item``.
        """

    def message(self, key: str) -> dict[str, Any]:
        """Return the agent's last message in the pane with this key, from its transcript.

        It has ``runtime_id``, ``text``, ``said_at`` and ``source`` (None if no transcript is followed). It holds no
        secrets and no control characters except newlines.
        """


def _listing(scope: Scope) -> Callable[[web.Request, PaneService], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request, panes: PaneService) -> web.StreamResponse:
        query = read_query(ListingQuery, request.query)
        wanted = query.filter()
        view = panes.view
        items = view.chosen(scope, wanted, query.sort)
        # A nonce only in listings: in the stream it would be too old before it is read.
        rows = (
            view.encode_row(item, {"snapshot": panes.nonce(item)} if scope is Scope.PANES else {}) for item in items
        )
        body = panes.envelope.read(
            filters={**wanted.echo(), **given(query, "sort")},
            summary=view.tally(scope, wanted).summary(),
            items=(),
            named=wanted.named_targets(),
        )
        return await reply_rows(body, rows)

    return answer


async def sessions(request: web.Request, panes: PaneService) -> web.StreamResponse:
    query = read_query(SessionQuery, request.query)
    wanted = query.filter()
    items = panes.view.select(Scope.SESSIONS, wanted, query.sort)
    summary = tally(Attrs.of(item) for item in items).summary()
    if query.group_by == "session-name":
        by_target = summary["by_target"]
        items = ordered(merge_sessions(items), query.sort)
        merged = tally(Attrs.of({**item, "identity": {**item["identity"], "target": ""}}) for item in items)
        summary = {**merged.summary(), "by_target": by_target}
    body = panes.envelope.read(
        filters={**wanted.echo(), **given(query, "sort", "group_by")},
        summary=summary,
        items=items,
        named=wanted.named_targets(),
    )
    return reply(body)


async def explain(request: web.Request, panes: PaneService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    key = panes.view.resolve(request.match_info["ref"])
    item = panes.view.with_age(panes.view.panes[key])
    why = await panes.explain(key)
    return panes.envelope.reply(ref=item["ref"], item=item, **why)


async def message(request: web.Request, panes: PaneService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    key = panes.view.resolve(request.match_info["ref"])
    ref = panes.view.with_age(panes.view.panes[key])["ref"]
    return panes.envelope.reply(ref=ref, **panes.message(key))


ROUTES: tuple[Route[PaneService], ...] = (
    Route(
        "GET", "/v1/panes", _listing(Scope.PANES), "Panes", ListingQuery, answer=Panes,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route(
        "GET", "/v1/windows", _listing(Scope.WINDOWS), "Windows", ListingQuery, answer=Windows,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route(
        "GET", "/v1/sessions", sessions, "Sessions", SessionQuery, answer=Sessions,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route(
        "GET", "/v1/panes/{ref}/explain", explain, "Explain why a pane is in its state", answer=Explanation,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route(
        "GET", "/v1/panes/{ref}/message", message, "Get the agent's last message", answer=LastMessage,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
)  # fmt: skip
