"""Build the web page: its routes, its server as a task, and its part of health."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.web.routes import ROUTES
from agtmuxd.features.web.service import WebPage


def build(context: Context) -> Feature:
    """Build the feature. It listens nowhere until ``agtmux web on``."""
    page = WebPage(
        envelope=context.envelope, store=context.store, clock=context.clock,
        settings=lambda: context.settings().web, tables=context.routes,
    )  # fmt: skip
    return Feature(tables=(RouteTable(ROUTES, page),), run=page.run, health=page.health)
