"""Define the route of the contract: /v1/openapi.json, generated from the routes that this server serves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from agtmuxd.api import openapi
from agtmuxd.api.envelopes import reply
from agtmuxd.api.route import Access, Route, RouteTable


async def contract(_request: web.Request, routes: list[Route[Any]]) -> web.StreamResponse:
    return reply(openapi.document(routes))


ROUTES: tuple[Route[list[Route[Any]]], ...] = (
    Route("GET", "/v1/openapi.json", contract, "Get this contract", access=Access.EVERYBODY),
)


def with_contract(tables: Iterable[RouteTable[Any]]) -> list[RouteTable[Any]]:
    """Return these tables, and one more that describes all of them and itself."""
    tables = list(tables)
    routes = [route for table in tables for route in table.routes] + list(ROUTES)
    return [*tables, RouteTable(ROUTES, routes)]
