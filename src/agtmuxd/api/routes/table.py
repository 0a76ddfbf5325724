"""The route table: what can be asked of the daemon, and the few lines that answer each.

Owns paths, methods and the models of each route; the contract (openapi.json) is generated from this table. Decides
nothing: rows come from the view, everything else from ``Services``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api import openapi, requests, responses
from agtmuxd.api.connections import Connection
from agtmuxd.api.envelopes import answering, read_body, reply, reply_rows, said
from agtmuxd.api.routes import actions as acting
from agtmuxd.api.routes import rules
from agtmuxd.api.services import Services
from agtmuxd.core.action.request import Kind
from agtmuxd.core.json_codec import decode, stamp
from agtmuxd.core.listing import Attrs, Scope, ordered, tally
from agtmuxd.stream.hub import WatchRequest
from agtmuxd.stream.published import merge_sessions

BODY_SECONDS = 10.0
MAX_BODY = 1024 * 1024  # bytes
_LISTS = frozenset({"target", "target_session", "session", "state", "agent"})

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[web.Request, Services], Awaitable[web.StreamResponse]]


class BrokenBodyError(AgtmuxError):
    """A body that did not come whole, not in time, or whose pieces are no HTTP: nobody's request."""


class BrokenStreamError(Exception):
    """An error after the head of ``response`` went out: there is no room for another answer. The cause says why."""

    def __init__(self, response: web.StreamResponse) -> None:
        super().__init__()
        self.response = response


class Fence(StrEnum):
    """Who may ask for a route."""

    OPERATORS = "operators"  # nobody who runs inside a supervised agent, but where the configuration lets agents act
    ANYBODY = "anybody"  # a read that changes nothing and opens nothing for the caller, or a report
    RECORDED = "recorded"  # as operators; the action asks itself, and keeps whom it refused


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. ``body``: what the request carries; ``answer``: model of its 200 (of a line, for watch).

    ``fence``: who may ask. A row that says nothing is for operators: an agent that is supervised is refused.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    query: type[BaseModel] = requests.NoQuery
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    fence: Fence = Fence.OPERATORS


def read_query(model: type[M], query: MultiMapping[str]) -> M:
    """The query as its model. Raises ValidationError naming the parameter, E_INVALID_REQUEST for one given twice."""
    raw: dict[str, Any] = {}
    for name in dict.fromkeys(query):
        values = query.getall(name)
        if name in _LISTS:
            raw[name] = values
        elif len(values) == 1:
            raw[name] = values[0]
        else:
            raise AgtmuxError("E_INVALID_REQUEST", f"{name}: given {len(values)} times, takes one value")
    return model.model_validate(raw)


def too_large() -> AgtmuxError:
    return AgtmuxError("E_PAYLOAD_TOO_LARGE", f"a body may have at most {MAX_BODY} bytes")


async def read_json(request: web.Request) -> Any:
    """The body as JSON, as ``core.wire`` reads it.

    Raises E_INVALID_REQUEST (BrokenBodyError where it broke off), E_PAYLOAD_TOO_LARGE.
    """
    if (request.content_length or 0) > MAX_BODY:
        raise too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await request.read()
    except TimeoutError:
        raise BrokenBodyError("E_INVALID_REQUEST", f"the body did not come within {BODY_SECONDS:g} s") from None
    except (ConnectionError, web.RequestPayloadError) as error:
        why = " ".join(str(error).split())[:200]
        raise BrokenBodyError("E_INVALID_REQUEST", f"the body broke off: {why}") from None
    if len(raw) > MAX_BODY:  # releases of aiohttp differ by one byte
        raise too_large()
    try:
        return decode(raw)
    except ValueError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"the body is no JSON: {error}") from None


def _given(query: BaseModel, *names: str) -> dict[str, Any]:
    """The named parameters that the caller gave, for the echo."""
    return {name: getattr(query, name) for name in names if name in query.model_fields_set}


def _listing(scope: Scope) -> Handler:
    async def answer(request: web.Request, services: Services) -> web.StreamResponse:
        query = read_query(requests.ListingQuery, request.query)
        wanted = query.filter()
        items = services.view.chosen(scope, wanted, query.sort)
        view, panes = services.view, scope is Scope.PANES
        # A nonce only here: in the stream it would be old before it is read.
        rows = (view.written(item, {"snapshot": services.nonce(item)} if panes else {}) for item in items)
        body = read_body(
            services,
            filters={**wanted.echo(), **_given(query, "sort")},
            summary=services.view.tally(scope, wanted).summary(),
            items=(),
            named=wanted.named_targets(),
        )
        return await reply_rows(body, rows)

    return answer


async def sessions(request: web.Request, services: Services) -> web.StreamResponse:
    query = read_query(requests.SessionQuery, request.query)
    wanted = query.filter()
    items = services.view.select(Scope.SESSIONS, wanted, query.sort)
    summary = tally(Attrs.of(item) for item in items).summary()
    if query.group_by == "session-name":
        by_target = summary["by_target"]
        items = ordered(merge_sessions(items), query.sort)
        merged = tally(Attrs.of({**item, "identity": {**item["identity"], "target": ""}}) for item in items)
        summary = {**merged.summary(), "by_target": by_target}
    body = read_body(
        services,
        filters={**wanted.echo(), **_given(query, "sort", "group_by")},
        summary=summary,
        items=items,
        named=wanted.named_targets(),
    )
    return reply(body)


async def explain(request: web.Request, services: Services) -> web.StreamResponse:
    read_query(requests.NoQuery, request.query)
    key = services.view.resolve(request.match_info["ref"])
    item = services.view.served(services.view.panes[key])
    why = await services.explain(key)
    return said(generated_at=stamp(services.now()), ref=item["ref"], item=item, **why)


async def message(request: web.Request, services: Services) -> web.StreamResponse:
    read_query(requests.NoQuery, request.query)
    key = services.view.resolve(request.match_info["ref"])
    ref = services.view.served(services.view.panes[key])["ref"]
    return said(generated_at=stamp(services.now()), ref=ref, **services.message(key))


async def watch(request: web.Request, services: Services) -> web.StreamResponse:
    query = read_query(requests.WatchQuery, request.query)
    wanted = query.filter()
    answering(services, wanted.named_targets())
    asked = WatchRequest(str(query.scope), wanted, query.cursor, query.interval, query.heartbeat, query.once)
    if isinstance(request.protocol, Connection):
        request.protocol.rests = True
    watcher = await services.hub.open(asked)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    try:
        await response.prepare(request)
        async with aclosing(watcher.lines()) as lines:
            async for line in lines:
                await response.write(line)
        await response.write_eof()
    except ConnectionError:
        return response  # the reader went away, which is how a watch ends
    except Exception as error:
        raise BrokenStreamError(response) from error
    finally:
        watcher.leave()
    return response


async def events(request: web.Request, services: Services) -> web.StreamResponse:
    query = read_query(requests.HistoryQuery, request.query)
    pane = None if query.pane is None else services.view.resolve(query.pane)
    named = () if pane is None else (services.view.panes[pane]["identity"]["target"],)
    items = await services.events(query, pane)
    filters = _given(query, "pane", "runtime", "action", "limit", "before")
    return reply(read_body(services, filters=filters, summary={"total": len(items)}, items=items, named=named))


async def actions(request: web.Request, services: Services) -> web.StreamResponse:
    query = read_query(acting.ActionQuery, request.query)
    pane = None if query.pane is None else services.view.resolve(query.pane)
    items = await services.actions(query, pane)
    filters = _given(query, "action", "kind", "pane", "runtime", "since", "limit", "before")
    return reply(read_body(services, filters=filters, summary={"total": len(items)}, items=items))


async def post_events(request: web.Request, services: Services) -> web.StreamResponse:
    value = await read_json(request)
    if isinstance(value, dict) and "events" in value:
        batch = requests.EventBatch.model_validate(value).events
    else:
        batch = [requests.WireEvent.model_validate(value)]
    return said(results=await services.ingest(batch, acting.who(request)))


async def targets(request: web.Request, services: Services) -> web.StreamResponse:
    read_query(requests.NoQuery, request.query)
    items = services.targets()
    health = [item["health"] for item in items]
    summary = {"total": len(items), "by_health": {one: health.count(one) for one in ("ok", "degraded", "down")}}
    return reply(read_body(services, filters={}, summary=summary, items=items))


async def add_target(request: web.Request, services: Services) -> web.StreamResponse:
    asked = requests.TargetRequest.model_validate(await read_json(request))
    return said(item=await services.add_target(asked))


async def connect_target(request: web.Request, services: Services) -> web.StreamResponse:
    item, steps = await services.connect_target(request.match_info["name"])
    return said(item=item, steps=steps)


async def remove_target(request: web.Request, services: Services) -> web.StreamResponse:
    name = request.match_info["name"]
    await services.remove_target(name)
    return said(removed=name)


async def replay(request: web.Request, services: Services) -> web.StreamResponse:
    asked = rules.ReplayRequest.model_validate(await read_json(request))
    return said(**services.replay(asked))


async def check_rules(request: web.Request, services: Services) -> web.StreamResponse:
    asked = rules.CheckRequest.model_validate(await read_json(request))
    if asked.corpus is not None:  # a folder that the daemon reads for the caller
        await services.permit(*acting.caller(request))
    return said(items=await services.check_rules(asked))


async def hooks(request: web.Request, services: Services) -> web.StreamResponse:
    asked = requests.HookRequest.model_validate(await read_json(request))
    return said(items=await services.hooks(asked), arrived=services.tests_arrived(asked.tests))


async def health(request: web.Request, services: Services) -> web.StreamResponse:
    read_query(requests.NoQuery, request.query)
    return said(generated_at=stamp(services.now()), **services.health())


async def config(request: web.Request, services: Services) -> web.StreamResponse:
    read_query(requests.NoQuery, request.query)
    return said(**services.config())


async def reload(_request: web.Request, services: Services) -> web.StreamResponse:
    await services.reload()
    return said(ok=True)


async def stop(_request: web.Request, services: Services) -> web.StreamResponse:
    services.request_stop()
    return said(ok=True)


async def contract(_request: web.Request, _services: Services) -> web.StreamResponse:
    return reply(openapi.document(ROUTES))


def _open(*routes: Route) -> tuple[Route, ...]:
    return tuple(replace(route, fence=Fence.ANYBODY) for route in routes)


READS: tuple[Route, ...] = _open(
    Route("GET", "/v1/health", health, "How the daemon is", answer=responses.Health),
    Route("GET", "/v1/targets", targets, "All targets", answer=responses.Targets),
    Route("GET", "/v1/panes", _listing(Scope.PANES), "Panes", requests.ListingQuery, answer=responses.Panes),
    Route("GET", "/v1/windows", _listing(Scope.WINDOWS), "Windows", requests.ListingQuery, answer=responses.Windows),
    Route("GET", "/v1/sessions", sessions, "Sessions", requests.SessionQuery, answer=responses.Sessions),
    Route("GET", "/v1/panes/{ref}/explain", explain, "Why a pane shows its state", answer=responses.Explanation),
    Route("GET", "/v1/panes/{ref}/message", message, "What the agent said last", answer=responses.LastMessage),
    Route("GET", "/v1/events", events, "History, newest first", requests.HistoryQuery, answer=responses.Events),
    Route("GET", "/v1/actions", actions, "What was asked for", acting.ActionQuery, answer=responses.Actions),
    Route("GET", "/v1/watch", watch, "The stream, one JSON line each", requests.WatchQuery, answer=responses.WatchLine),
    Route("POST", "/v1/events", post_events, "Take in events", body=requests.EventBatch, answer=responses.Ingested),
    Route("POST", "/v1/rules/replay", replay, "A screen tried", body=rules.ReplayRequest, answer=rules.Replayed),
    Route("POST", "/v1/rules/check", check_rules, "Rules tried", body=rules.CheckRequest, answer=rules.Checked),
    Route("GET", "/v1/daemon/config", config, "The effective configuration", answer=responses.Config),
    Route("GET", "/v1/openapi.json", contract, "This contract"),
)
"""What changes nothing, and what reports."""

ROUTES: tuple[Route, ...] = (
    *READS,
    Route("POST", "/v1/targets", add_target, "Add a target", body=requests.TargetRequest, answer=responses.TargetAdded),
    Route("POST", "/v1/targets/{name}/connect", connect_target, "Reach for it now", answer=responses.TargetConnected),
    Route("DELETE", "/v1/targets/{name}", remove_target, "Remove a target", answer=responses.TargetRemoved),
    *(
        Route(
            "POST",
            f"/v1/actions/{kind}",
            acting.acting(kind, read_json),
            acting.SAYS[kind],
            body=acting.BODIES[kind],
            answer=responses.ActionDone,
            fence=Fence.RECORDED,
        )
        for kind in Kind
    ),
    Route("POST", "/v1/hooks", hooks, "Hooks of the agents", body=requests.HookRequest, answer=responses.Hooks),
    Route("POST", "/v1/daemon/reload", reload, "Read the configuration again", answer=responses.Done),
    Route("POST", "/v1/daemon/stop", stop, "Stop the daemon", answer=responses.Done),
)
