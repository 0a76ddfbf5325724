"""Build the feature notify: routes, a subscriber, a task and health."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.config import NotifySettings
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.notify.channel_set import ChannelSet
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.notifier import Notifier
from agtmuxd.features.notify.routes import ROUTES
from agtmuxd.features.notify.service import Notifications


def build(context: Context) -> Feature:
    """Build the feature."""

    def settings() -> NotifySettings:
        return context.settings().notify

    async def press(message_id: str, verb: str) -> str | None:
        return f"{verb} is not possible for {message_id}"

    channels = ChannelSet(settings, Tools(context.environ, context.clock, press, lambda: settings().public_url))
    notifier = Notifier(
        database=context.store, view=context.view, repository=context.repository, envelope=context.envelope,
        channels=channels, settings=settings, annotate=context.annotate, clock=context.clock,
        failpoint=context.failpoint,
    )  # fmt: skip
    service = Notifications(
        envelope=context.envelope, notifier=notifier, database=context.store, view=context.view, settings=settings,
        clock=context.clock,
    )  # fmt: skip
    return Feature(
        tables=(RouteTable(ROUTES, service),), subscriber=notifier, run=notifier.run, health=service.health,
        reloaded=notifier.wake,
    )  # fmt: skip
