"""Hooks are put into settings that an agent writes at the same moment: here, and on another machine."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.api.requests import HookRequest
from agtmuxd.remote_hooks.settings import RemoteSettings
from agtmuxd.services import hooks
from agtmuxd.targets.executor import ProgramResult
from agtmuxd.targets.local.executor import LocalExecutor


class Writer:
    """An agent that writes its settings as often as it is told to, right before ours count."""

    def __init__(self, path: Path, times: int) -> None:
        self.path, self.times, self.written = path, times, 0

    def write(self) -> None:
        if self.written < self.times:
            self.written += 1
            body = json.loads(self.path.read_text()) if self.path.exists() else {}
            self.path.write_text(json.dumps({**body, f"answer {self.written}": True}))


def claude() -> IsolatedAdapter:
    found = discover([]).get("claude")
    assert found is not None
    return found


async def here(writer: Writer, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Install on this machine; the agent writes while the backup is made."""
    real = os.fsync

    def slow(fd: int) -> None:
        real(fd)
        writer.write()

    monkeypatch.setattr(os, "fsync", slow)
    request = HookRequest(op="install", agents=["claude"], command="/bin/agtmux hook")
    try:
        (item,) = await asyncio.to_thread(hooks._hooks_of, claude(), home, request)
    except ValueError as error:
        return {"error": str(error)}
    return dict(item)


async def far(writer: Writer, home: Path, _monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Install on another machine; the agent writes right before the files are put in place."""

    class Machine(LocalExecutor):
        async def run(self, argv: Sequence[str], **how: Any) -> ProgramResult:
            if b'"files"' in how.get("stdin", b"") and str(home).encode() in how["stdin"]:
                writer.write()
            return await super().run(argv, **how)

    executor = Machine({"PATH": os.environ["PATH"], "HOME": str(home.parent)})
    request = HookRequest(
        op="install", agents=["claude"], command="/bin/agtmux hook", target="vm1", config_homes={"claude": str(home)}
    )
    try:
        items = await RemoteSettings("vm1", executor)._hooks_of(claude(), home, "/bin/agtmux hook", request)
    finally:
        await executor.close()
    (item,) = items
    return dict(item)


@pytest.mark.tc("TC-226")
@pytest.mark.parametrize("install", [here, far])
async def test_what_an_agent_writes_meanwhile_stays_and_the_hooks_are_put_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Any
) -> None:
    """The change is planned anew, twice at most."""
    writer = Writer(tmp_path / "settings.json", 2)
    item = await install(writer, tmp_path, monkeypatch)
    assert (item["error"], item["changed"], item["installed"]) == (None, True, True)
    body = json.loads(writer.path.read_text())
    assert body["answer 1"] and body["answer 2"] and "hooks" in body


@pytest.mark.tc("TC-226")
@pytest.mark.parametrize("install", [here, far])
async def test_settings_that_are_written_again_and_again_are_left_alone_and_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Any
) -> None:
    """After the third time nothing more is tried."""
    writer = Writer(tmp_path / "settings.json", 1000)
    item = await install(writer, tmp_path, monkeypatch)
    assert "Quit its agent, then run this again." in item["error"]
    assert writer.written <= 6  # twice in each of three tries
    assert [one.name for one in tmp_path.iterdir()] == ["settings.json"]
    assert "hooks" not in json.loads(writer.path.read_text())
