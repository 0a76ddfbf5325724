"""The file of the configuration: what is wrong with it is named by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import Settings, load, parse

pytestmark = pytest.mark.tc("TC-411")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("autostart = maybe", "c.toml: Invalid value"),
        ("autostrt = true", "c.toml, line 1: autostrt: unknown setting (did you mean autostart?)"),
        ("[api]\n\nwatchers = 0", "c.toml, line 3: api.watchers: "),
    ],
)
def test_a_wrong_line_is_named(text: str, message: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        parse(text, "c.toml")
    assert caught.value.message.startswith(message)


def test_without_a_file_every_setting_has_its_default(tmp_path: Path) -> None:
    assert load(str(tmp_path / "none.toml")) == Settings()
