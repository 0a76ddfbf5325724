"""What a channel is: it sends, may take back, and nothing else is asked of it."""

from __future__ import annotations

import pytest

from agtmuxd.features.notify.channels.contract import Retracts
from agtmuxd.features.notify.channels.desktop import DesktopChannel
from tests.integration.features.notify.channels.stubs import settings, tools
from tests.integration.features.notify.stand import FakeChannel, Wall

pytestmark = pytest.mark.tc("TC-411")


def test_taking_back_is_optional() -> None:
    assert isinstance(FakeChannel(settings("desktop"), Wall()), Retracts)
    assert not isinstance(object(), Retracts)
    assert DesktopChannel(settings("desktop"), tools()).repeatable is False
