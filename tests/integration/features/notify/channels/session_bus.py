"""A real session bus of the test's own, and a notification service on it that keeps what it is asked."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType, NameFlag, Variant
from dbus_fast.aio import MessageBus

from agtmuxd.features.notify.channels.dbus import NAME, PATH

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><keep_umask/><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
"""


@contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """Run a bus until the end of the block; its address."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed: scripts/setup.sh extras")
    socket = folder / "bus"
    config = folder / "bus.conf"
    config.write_text(CONFIG.format(socket=socket))
    process = subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().decode().strip()
        assert address.startswith("unix:")
        yield address
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


class Service:
    """Speaks ``org.freedesktop.Notifications``. ``shown``: open banners by number; ``closed``: numbers in order."""

    def __init__(self, bus: MessageBus, capabilities: list[str]) -> None:
        self.bus = bus
        self.capabilities = capabilities
        self.shown: dict[int, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.closed: list[int] = []
        self.silent = False
        self._next = 0
        bus.add_message_handler(self._handle)

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.interface != NAME:
            return None
        if self.silent:
            return True
        if message.member == "GetCapabilities":
            return Message.new_method_return(message, "as", [self.capabilities])
        if message.member == "CloseNotification":
            (number,) = message.body
            self.closed.append(number)
            if number not in self.shown:
                return Message.new_error(message, f"{NAME}.Error", "there is no such notification")
            self.close(number)
            return Message.new_method_return(message)
        return self._notify(message)

    def _notify(self, message: Message) -> Message:
        app, replaces, _, title, body, actions, hints, timeout = message.body
        if replaces in self.shown:
            number = replaces
        else:
            self._next += 1
            number = self._next
        urgency = hints["urgency"]
        assert isinstance(urgency, Variant)
        banner = {
            "app": app, "replaces": replaces, "title": title, "body": body, "actions": actions,
            "urgency": urgency.value, "timeout": timeout,
        }  # fmt: skip
        self.shown[number] = banner
        self.asked.append(banner)
        return Message.new_method_return(message, "u", [number])

    def press(self, number: int, key: str, bus: MessageBus | None = None) -> None:
        """Send the signal of a pressed button. ``bus``: of another program that pretends to be the service."""
        signal = Message.new_signal(PATH, NAME, "ActionInvoked", "us", [number, key])
        (bus or self.bus).send(signal)

    def close(self, number: int) -> None:
        """Close a banner, as its user does."""
        self.shown.pop(number, None)
        self.bus.send(Message.new_signal(PATH, NAME, "NotificationClosed", "uu", [number, 2]))


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[MessageBus]:
    """A connection of another program."""
    bus = await MessageBus(bus_address=address).connect()
    try:
        yield bus
    finally:
        bus.disconnect()
        await asyncio.sleep(0)


@asynccontextmanager
async def service(address: str, *capabilities: str) -> AsyncIterator[Service]:
    """A notification service until the end of the block."""
    async with connected(address) as bus:
        await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)
        yield Service(bus, list(capabilities) or ["body", "body-markup", "actions"])
        await bus.release_name(NAME)
