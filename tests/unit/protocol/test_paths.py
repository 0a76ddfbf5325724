"""Where things lie: the platform's conventions, and what overrides them."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError

OWN = ("AGTMUX_RUNTIME_DIR", "AGTMUX_STATE_DIR", "AGTMUX_CONFIG", "AGTMUX_SOCKET")
XDG = ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*OWN, *XDG):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize(
    "given", [{}, {"XDG_STATE_HOME": "/x/s", "XDG_CONFIG_HOME": "/x/c", "XDG_RUNTIME_DIR": "/x/r"}]
)
def test_on_linux_they_lie_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    result = Unix("agtmux", appauthor=False)
    assert paths.state_dir() == result.user_state_dir
    assert paths.config_file() == os.path.join(result.user_config_dir, "config.toml")
    assert paths.runtime_dir() == (result.user_runtime_dir if given else paths.state_dir())


@pytest.mark.tc("TC-115")
def test_on_macos_they_lie_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/x/r")
    result = MacOS("agtmux", appauthor=False)
    assert paths.state_dir() == paths.runtime_dir() == result.user_state_dir
    assert paths.config_file() == os.path.join(result.user_config_dir, "config.toml")


@pytest.mark.tc("TC-115")
def test_a_relative_xdg_variable_is_ignored_as_its_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in XDG:
        monkeypatch.setenv(name, "some/where")
    assert paths.state_dir() == paths.runtime_dir() == os.path.join(os.environ["HOME"], ".local/state/agtmux")


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("home", [None, "", "some/where"])
def test_without_a_home_that_can_be_meant_it_is_the_one_of_the_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None
) -> None:
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)
    assert paths.state_dir() == os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".local/state/agtmux")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(AgtmuxError, match="set HOME"):
        paths.state_dir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/x/r")
    assert paths.socket_candidates() == ["/x/r/agtmux/agtmuxd.sock"], "a hook needs no home to report"


@pytest.mark.tc("TC-115")
def test_a_place_of_the_socket_that_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGTMUX_STATE_DIR", str(tmp_path))
    (tmp_path / "socket-path").write_bytes(b"/run/\xff\n")
    assert paths.socket_candidates() == [str(tmp_path / "agtmuxd.sock")]


@pytest.mark.tc("TC-115")
def test_our_own_variables_override_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/x/r")
    for name, value in zip(OWN, ("r", "s", "c.toml", "k.sock"), strict=True):
        monkeypatch.setenv(name, value)
    result = (paths.runtime_dir(), paths.state_dir(), paths.config_file(), paths.socket_path())
    assert result == tuple(str(tmp_path / name) for name in ("r", "s", "c.toml", "k.sock"))


@pytest.mark.tc("TC-115")
def test_a_hook_tries_the_usual_socket_and_then_the_one_that_the_daemon_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGTMUX_STATE_DIR", str(tmp_path))
    usual = str(tmp_path / "agtmuxd.sock")
    assert paths.socket_candidates() == [usual]
    (tmp_path / "socket-path").write_text("/run/user/1/agtmux/agtmuxd.sock\n")
    assert paths.socket_candidates() == [usual, "/run/user/1/agtmux/agtmuxd.sock"]
    monkeypatch.setenv("AGTMUX_SOCKET", "/only/this")
    assert paths.socket_candidates() == ["/only/this"]


@pytest.mark.tc("TC-110")
def test_a_directory_is_made_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths.ensure_private_dir(str(tmp_path / "new"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.tc("TC-110")
def test_a_directory_that_the_group_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o720)
    with pytest.raises(AgtmuxError, match="writable by others"):
        paths.ensure_private_dir(str(tmp_path))
