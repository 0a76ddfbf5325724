"""The key that the audit's digests are made with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agtmuxd.actions.audit import load_key


@pytest.mark.tc("TC-031")
def test_the_key_of_digests_is_made_once_and_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "actions.key"
    key = load_key(str(file))
    assert (len(key), stat.S_IMODE(file.stat().st_mode)) == (32, 0o600)
    assert load_key(str(file)) == key
    file.write_bytes(key[:5])  # a write that was cut off
    assert load_key(str(file)) not in (key, key[:5])
    assert [path.name for path in tmp_path.iterdir()] == ["actions.key"]
