"""Build the stuck alarm: a task without routes."""

from __future__ import annotations

from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.stuck.service import StuckAlarm


def build(context: Context) -> Feature:
    """Build the feature."""
    alarm = StuckAlarm(
        store=context.store, view=context.view, repository=context.repository, annotate=context.annotate,
        screen_rows=context.screen_rows, after=lambda: context.settings().stuck.after, clock=context.clock,
    )  # fmt: skip
    return Feature(run=alarm.run)
