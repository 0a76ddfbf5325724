"""A daemon's start and end, part by part, in the process of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.app import ApiServer
from agtmuxd.daemon import Daemon
from agtmuxd.process import BoundSocket, DaemonPaths, Lock, ProcessResources
from agtmuxd.store.db import Store
from agtmuxd.target_manager.manager import TargetManager


@pytest.fixture
def environ(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Variables of a daemon that finds no tmux server."""
    message = {
        "AGTMUX_RUNTIME_DIR": str(short_dir / "run"), "AGTMUX_STATE_DIR": str(short_dir / "state"),
        "AGTMUX_CONFIG": str(short_dir / "config.toml"), "TMUX_TMPDIR": str(short_dir),
    }  # fmt: skip
    for name, value in message.items():
        monkeypatch.setenv(name, value)
    return {**message, "PATH": "/usr/bin:/bin", "HOME": str(short_dir)}


def noted(monkeypatch: pytest.MonkeyPatch, notes: list[str], part: str, owner: type, method: str) -> None:
    """Have each call of a method noted as that of ``part``; it is done all the same."""
    real: Callable[..., Any] = getattr(owner, method)

    if asyncio.iscoroutinefunction(real):

        async def later(self: Any, *args: Any, **named: Any) -> Any:
            out = await real(self, *args, **named)
            notes.append(part)
            return out

        monkeypatch.setattr(owner, method, later)
        return

    def now(self: Any, *args: Any, **named: Any) -> Any:
        notes.append(part)
        return real(self, *args, **named)

    monkeypatch.setattr(owner, method, now)


@pytest.mark.tc("TC-236")
async def test_a_daemon_ends_in_order(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No target is watched any more before the API ends, then the database closes, the socket, and last the locks."""
    daemon = Daemon(DaemonPaths.from_environment(), environ)
    notes: list[str] = []
    real = ApiServer.start

    async def started(self: ApiServer) -> None:
        await real(self)
        daemon.stop()

    monkeypatch.setattr(ApiServer, "start", started)
    for part, owner, method in (
        ("targets", TargetManager, "stop"),
        ("API", ApiServer, "stop"),
        ("database", Store, "close"),
        ("socket", BoundSocket, "close"),
        ("lock", Lock, "release"),
    ):
        noted(monkeypatch, notes, part, owner, method)
    await daemon.run()
    once = list(dict.fromkeys(one for one in notes if one != "lock"))
    assert once == ["targets", "API", "database", "socket"]
    assert notes[-2:] == ["lock"] * 2, "nobody else begins before all is given back"
    assert not Path(DaemonPaths.from_environment().socket).exists()


@pytest.mark.tc("TC-236")
async def test_a_part_that_cannot_be_built_leaves_nothing_behind(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is closed, the socket's file is gone, and another daemon can begin at once."""
    places = DaemonPaths.from_environment()
    notes: list[str] = []

    def broken(*_args: Any, **_named: Any) -> None:
        raise AgtmuxError("E_STORE_UNAVAILABLE", "no key")

    monkeypatch.setattr("agtmuxd.daemon.load_key", broken)
    noted(monkeypatch, notes, "database", Store, "close")
    with pytest.raises(AgtmuxError, match="no key"):
        await Daemon(places, environ).run()
    assert notes == ["database"]
    assert not Path(places.socket).exists()
    again = ProcessResources(places, environ)
    again.take()
    again.release()
