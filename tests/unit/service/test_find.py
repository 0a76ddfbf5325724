"""Which service is this machine's, and whether it runs the daemon that a command talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmux.service import find
from agtmux.service.files import socket_unit
from tests.unit.daemon_stub import environment


@pytest.fixture(autouse=True)
def here(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in environment(short_dir).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return short_dir


@pytest.mark.tc("TC-529")
def test_a_service_counts_only_if_it_serves_the_socket_of_this_command(here: Path) -> None:
    assert find.installed() is None
    unit = here / ".config/systemd/user/agtmuxd.socket"
    unit.parent.mkdir(parents=True)
    unit.write_text(socket_unit(f"{here}/other/agtmuxd.sock"))
    assert find.installed() is None
    unit.write_text(socket_unit(f"{here}/run/agtmuxd.sock"))
    found = find.installed()
    assert found is not None
    assert found.kind == "systemd"


@pytest.mark.tc("TC-529")
def test_each_platform_has_its_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform, kind in (("darwin", "launchd"), ("linux", "systemd")):
        monkeypatch.setattr("sys.platform", platform)
        assert find.manager("/x/agtmuxd").kind == kind
    monkeypatch.setattr("sys.platform", "freebsd14")
    with pytest.raises(AgtmuxError, match="agtmux knows no services on freebsd14"):
        find.manager("/x/agtmuxd")
    monkeypatch.setattr("sys.argv", ["/nowhere/agtmux"])
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(AgtmuxError, match="there is no program agtmuxd"):
        find.manager()
