"""A channel's secret comes from a file that only its owner can read, and never from another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.secret import SecretError, read_secret

pytestmark = pytest.mark.tc("TC-414")


def test_the_first_line_is_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text("  tk_1 \n# a remark\n")
    assert read_secret(str(file)) == "tk_1"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_secret("~/secret") == "tk_1"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_text("tk_1")
    file.chmod(mode)
    with pytest.raises(SecretError, match=r"can be read by others: run chmod 600"):
        read_secret(str(file))


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (pipe, tmp_path, tmp_path / "none"):
        with pytest.raises(SecretError, match="cannot be read"):
            read_secret(str(path))


def test_an_empty_or_huge_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(0o600)
    with pytest.raises(SecretError, match="is empty"):
        read_secret(str(file))
    file.write_bytes(b"x" * 20_000)
    with pytest.raises(SecretError, match="is longer than"):
        read_secret(str(file))
