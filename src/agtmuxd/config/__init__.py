"""The configuration: every setting with its default, and the reader of its file.

``sections`` holds the settings, each feature's table in a file of its own if it is large; ``file`` reads them.
"""

from agtmuxd.config.file import load, parse
from agtmuxd.config.notify import ChannelSettings, NotifySettings, RuleSettings, check_url
from agtmuxd.config.policies import PolicySettings
from agtmuxd.config.sections import (
    HostSettings,
    ObserveSettings,
    RetentionSettings,
    Settings,
    WebSettings,
    WorktreeSettings,
)
from agtmuxd.config.signals import SignalSettings, WaitSettings

__all__ = [
    "ChannelSettings",
    "HostSettings",
    "NotifySettings",
    "ObserveSettings",
    "PolicySettings",
    "RetentionSettings",
    "RuleSettings",
    "Settings",
    "SignalSettings",
    "WaitSettings",
    "WebSettings",
    "WorktreeSettings",
    "check_url",
    "load",
    "parse",
]
