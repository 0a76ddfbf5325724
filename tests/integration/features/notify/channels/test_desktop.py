"""The desktop channel chooses the way that works on this machine, and says what to install if none does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.desktop import DesktopChannel
from tests.fake_services import eventually
from tests.integration.features.notify.channels.session_bus import service, session_bus
from tests.integration.features.notify.channels.stubs import Stub, message, settings, tools

pytestmark = pytest.mark.tc("TC-412")


async def test_notify_send_is_used_where_it_is_installed(tmp_path: Path) -> None:
    stub = Stub(tmp_path / "bin", "notify-send")
    channel = DesktopChannel(settings("desktop"), tools({"PATH": str(stub.folder)}))
    assert (await channel.send(message())).ok
    assert len(stub.calls()) == 1
    await channel.close()


async def test_without_any_way_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = DesktopChannel(settings("desktop"), tools({"PATH": str(tmp_path)}))
    assert "the daemon has no session bus" in (await channel.send(message())).detail
    monkeypatch.setitem(sys.modules, "agtmuxd.features.notify.channels.dbus", None)
    bus = {"PATH": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"}
    outcome = await DesktopChannel(settings("desktop"), tools(bus)).send(message())
    assert not outcome.ok
    assert "agtmux[desktop]" in outcome.detail and "apt install libnotify-bin" in outcome.detail


async def test_the_session_bus_is_used_first_and_a_refused_press_is_said_there(short_dir: Path) -> None:
    with session_bus(short_dir) as address:
        async with service(address) as shows:
            presses: list[tuple[str, str]] = []

            async def press(message_id: str, verb: str) -> str | None:
                presses.append((message_id, verb))
                return "it changed, look"

            plain = tools({"PATH": "", "DBUS_SESSION_BUS_ADDRESS": address})
            channel = DesktopChannel(settings("desktop", actions=True), Tools(plain.environ, plain.clock, press))
            outcome = await channel.send(message())
            assert outcome.ok and "approve" in shows.shown[1]["actions"]
            shows.press(1, "approve")
            await eventually(lambda: shows.shown[1]["title"] == "agtmux: nothing was done")
            assert presses == [("m-1", "approve")]
            await channel.retract(outcome.handle or "")
            assert shows.closed == [1]
            await channel.close()


async def test_without_the_request_on_it_a_banner_has_no_buttons(short_dir: Path) -> None:
    with session_bus(short_dir) as address:
        async with service(address) as shows:
            channel = DesktopChannel(settings("desktop"), tools({"DBUS_SESSION_BUS_ADDRESS": address}))
            await channel.send(message())
            assert "approve" not in shows.shown[1]["actions"]
            await channel.close()
