"""The channel of Apprise: the helper is a program of its own, and no address shows in what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels import apprise as module
from agtmuxd.features.notify.channels.apprise import AppriseChannel
from tests.integration.features.notify.channels.server import serving
from tests.integration.features.notify.channels.stubs import message, settings, tools

pytestmark = pytest.mark.tc("TC-419")
ENV = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def channel(**more: object) -> AppriseChannel:
    return AppriseChannel(settings("apprise", **more), tools(ENV))


async def test_a_service_gets_title_and_text() -> None:
    async with serving() as server:
        address = server.url.replace("http://", "json://") + "/hook"
        outcome = await channel(url=address).send(message())
        assert outcome.ok, outcome.detail
        (got,) = server.got
        assert (got.json["title"], got.json["message"]) == ("claude needs your approval", message().body)


async def test_addresses_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "addresses"
    file.touch(0o600)
    async with serving() as server:
        address = server.url.replace("http://", "json://")
        file.write_text(f"{address}/one\n\n{address}/two\n")
        assert (await channel(secret_file=str(file)).send(message())).ok
        assert sorted(got.path for got in server.got) == ["/one", "/two"]
        file.chmod(0o640)
        assert "chmod 600" in (await channel(secret_file=str(file)).send(message())).detail


async def test_a_failure_shows_no_address() -> None:
    outcome = await channel(url="json://user:hunter2@127.0.0.1:1/secret").send(message())
    assert (outcome.ok, outcome.detail) == (False, "Apprise: it could not deliver the message")
    outcome = await channel(url="no-such-service://hunter2").send(message())
    assert (outcome.ok, outcome.detail) == (False, "Apprise: address 1 is none that Apprise knows")


async def test_a_helper_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.05)
    outcome = await channel(url="json://127.0.0.1:1").send(message())
    assert (outcome.ok, outcome.unsure) == (False, True)


def test_the_daemon_does_not_load_apprise() -> None:
    """Neither the channel nor what makes it."""
    code = "import sys, agtmuxd.features.notify.channels.apprise; print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
