"""Files at known paths are opened only where they are regular files: nothing else is ever waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmux.protocol.regular import open_regular, read_regular
from agtmuxd.adapters.settings.text_file import read_text
from agtmuxd.remote_hooks.place_files import place


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "socket": a_socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/ptmx"),
}


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_RDWR | os.O_CREAT])
def test_what_is_no_regular_file_is_refused_at_once(short_dir: Path, kind: str, flags: int) -> None:
    path = short_dir / "f"
    KINDS[kind](path)
    with pytest.raises(OSError, match="it is not a regular file: move it away"):
        open_regular(path, flags)


@pytest.mark.tc("TC-201")
def test_a_regular_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 10)
    assert read_regular(path, 10) == b"x" * 10
    with pytest.raises(OSError, match="longer than 9 bytes"):
        read_regular(path, 9)
    assert read_regular("/dev/null", 10) == b""
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none", 10)


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_agents_are_read_and_replaced_only_as_regular_files(short_dir: Path, kind: str) -> None:
    path = short_dir / "settings.json"
    KINDS[kind](path)
    with pytest.raises(ValueError, match=r"settings\.json: is not a regular file\. Move it away"):
        read_text(path, 1 << 20)
    before = path.lstat()
    with pytest.raises((ValueError, OSError)):
        place(str(path), "{}", "{ }", 5)
    assert os.path.samestat(path.lstat(), before)


@pytest.mark.tc("TC-201")
def test_a_pipe_among_the_backups_holds_up_no_uninstall(short_dir: Path) -> None:
    path = short_dir / "settings.json"
    path.write_text("{ours}")
    os.mkfifo(short_dir / "settings.json.agtmux-backup-20260101-000000")
    place(str(path), "{ours}", "{}", 5, remove=True)
    assert path.read_text() == "{}"
