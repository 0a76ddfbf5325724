"""Build the feature notify: routes, a subscriber, a task and health."""

from __future__ import annotations

from typing import Final

from agtmuxd.api.route import RouteTable
from agtmuxd.config import NotifySettings
from agtmuxd.core.model import NS
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.notify.channel_set import ChannelSet
from agtmuxd.features.notify.channels.clients import terminals
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.codes import Codes
from agtmuxd.features.notify.notifier import Notifier
from agtmuxd.features.notify.presses import Presses
from agtmuxd.features.notify.routes import ROUTES
from agtmuxd.features.notify.service import Notifications

DAY: Final = 86_400 * NS


def build(context: Context) -> Feature:
    """Build the feature."""

    def settings() -> NotifySettings:
        return context.settings().notify

    codes = Codes(context.store, context.clock)
    presses = Presses(context.store, context.act, codes)
    tools = Tools(
        context.environ, context.clock, presses.on_banner, lambda: settings().public_url, context.tmux,
        lambda: terminals(context.tmux, context.repository.targets), codes.make,
    )  # fmt: skip
    channels = ChannelSet(settings, tools)
    notifier = Notifier(
        database=context.store, view=context.view, repository=context.repository, envelope=context.envelope,
        channels=channels, settings=settings, annotate=context.annotate,
        terminals=lambda wanted: terminals(context.tmux, context.repository.targets, wanted),
        kept_for=lambda: round(context.settings().retention.events * DAY),
        clock=context.clock, failpoint=context.failpoint,
    )  # fmt: skip
    service = Notifications(
        envelope=context.envelope, notifier=notifier, database=context.store, view=context.view, settings=settings,
        clock=context.clock, press=presses.by_code,
    )  # fmt: skip
    return Feature(
        tables=(RouteTable(ROUTES, service),), subscriber=notifier, run=notifier.run, health=service.health,
        reloaded=notifier.wake,
    )  # fmt: skip
