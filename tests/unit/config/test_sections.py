"""The sections of the configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agtmuxd.config import Settings, parse
from agtmuxd.config.sections import AdapterSettings

pytestmark = pytest.mark.tc("TC-411")


def test_an_adapter_without_a_table_has_the_defaults() -> None:
    settings = parse("[adapters.codex]\napp_server = true", "c.toml")
    assert settings.adapter("codex").app_server
    assert settings.adapter("claude") == AdapterSettings()


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValidationError):
        Settings().autostart = False  # type: ignore[misc]
