"""The audit as a feature: one table of routes."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.audit.routes import ROUTES
from agtmuxd.features.audit.service import Audit
from agtmuxd.features.contract import Context, Feature


def build(context: Context) -> Feature:
    audit = Audit(
        envelope=context.envelope, resolve=context.view.resolve, store=context.store, repository=context.repository
    )
    return Feature(tables=(RouteTable(ROUTES, audit),))
