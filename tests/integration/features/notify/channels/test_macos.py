"""Banners on macOS, with stand-ins for its programs: which one is used, and that texts are arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.desktop import DesktopChannel
from agtmuxd.features.notify.channels.macos import remove, show
from tests.integration.features.notify.channels.stubs import Stub, message, settings, tools
from tests.unit.features.notify.makers import episode, subject

pytestmark = pytest.mark.tc("TC-412")


def environ(folder: Path) -> dict[str, str]:
    return {"PATH": str(folder)}


async def test_terminal_notifier_is_used_first_and_can_remove(tmp_path: Path) -> None:
    notifier, script = Stub(tmp_path, "terminal-notifier"), Stub(tmp_path, "osascript")
    told = message(episode(subject=subject(asks="-remove ALL")))
    outcome = await show(told, environ(tmp_path))
    assert (outcome.ok, outcome.handle) == (True, "terminal-notifier:m-1")
    (argv,) = notifier.calls()
    assert argv[:3] == ["-title", "claude needs your approval", "-message"]
    assert argv[3].startswith("\\-remove ALL\n"), "a text that looks like an option is none"
    await remove("terminal-notifier:m-1", environ(tmp_path))
    assert notifier.calls()[1] == ["-remove", "m-1"]
    assert script.calls() == []


async def test_swiftbar_is_used_if_it_runs(tmp_path: Path) -> None:
    Stub(tmp_path, "pgrep")
    opened = Stub(tmp_path, "open")
    assert (await show(message(episode(subject=subject(asks="a&b=c"))), environ(tmp_path))).ok
    (argv,) = opened.calls()
    assert argv[:1] == ["-g"]
    assert argv[1].startswith("swiftbar://notify?plugin=agtmux&title=claude%20needs%20your%20approval&body=a%26b%3Dc")


async def test_osascript_gets_the_texts_as_arguments(tmp_path: Path) -> None:
    script = Stub(tmp_path, "osascript")
    told = message(episode(subject=subject(asks='" & (do shell script "id") & "')))
    outcome = await show(told, environ(tmp_path))
    assert (outcome.ok, outcome.handle) == (True, None)
    (argv,) = script.calls()
    assert argv[-2:] == [told.title, told.body]
    assert argv[3] == "display notification (item 2 of argv) with title (item 1 of argv)"


async def test_a_failure_says_which_program_failed(tmp_path: Path) -> None:
    Stub(tmp_path, "osascript").fail(1)
    assert (await show(message(), environ(tmp_path))).detail == "osascript ended with status 1: it failed"
    assert "cannot be started" in (await show(message(), environ(tmp_path / "none"))).detail


async def test_the_desktop_channel_uses_it_there(tmp_path: Path) -> None:
    notifier = Stub(tmp_path, "terminal-notifier")
    channel = DesktopChannel(settings("desktop"), tools(environ(tmp_path)), "darwin")
    outcome = await channel.send(message())
    await channel.retract(outcome.handle or "")
    assert len(notifier.calls()) == 2
    await channel.close()
