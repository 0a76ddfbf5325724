"""Build the signals feature: its routes, the condition ``signal:``, and the deletion of old signals."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.signals.routes import ROUTES
from agtmuxd.features.signals.service import Signals


def build(context: Context) -> Feature:
    """Build the feature."""
    signals = Signals(
        envelope=context.envelope, store=context.store, write=context.write, allow=context.allow,
        redact=context.redact, settings=lambda: context.settings().signals, clock=context.clock,
    )  # fmt: skip
    return Feature(
        tables=(RouteTable(ROUTES, signals),),
        purge=signals.purge,
        conditions={"signal": signals},
        health=signals.health,
    )
