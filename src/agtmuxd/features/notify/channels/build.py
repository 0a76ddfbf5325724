"""Make the channels of the configuration. A kind's module is imported when such a channel is named."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from agtmuxd.config import ChannelSettings
from agtmuxd.features.notify.channels.contract import Channel, Tools

CLASSES: Final = {
    "desktop": "desktop:DesktopChannel",
    "terminal": "terminal:TerminalChannel",
    "tmux": "tmux:TmuxChannel",
    "command": "command:CommandChannel",
    "apprise": "apprise:AppriseChannel",
    "ntfy": "ntfy:NtfyChannel",
    "webhook": "webhook:WebhookChannel",
}


def channel_of(settings: ChannelSettings, tools: Tools) -> Channel:
    """Make one channel."""
    module, _, name = CLASSES[settings.kind].partition(":")
    made: Channel = getattr(import_module(f"{__package__}.{module}"), name)(settings, tools)
    return made
