"""Build the audit feature: one route table."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.audit.routes import ROUTES
from agtmuxd.features.audit.service import Audit
from agtmuxd.features.contract import Context, Feature


def build(context: Context) -> Feature:
    """Build the feature."""
    audit = Audit(
        envelope=context.envelope, resolve=context.view.resolve, store=context.store, repository=context.repository
    )
    return Feature(tables=(RouteTable(ROUTES, audit),))
