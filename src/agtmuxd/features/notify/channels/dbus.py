"""Show banners on a Linux desktop by D-Bus, replace and remove them, and hear which button was pressed.

A banner's number means something only to the notification service that gave it. So a handle names that service too, and
a banner of another one is never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from agtmuxd.features.notify.channels.notify_send import URGENT, markup
from agtmuxd.features.notify.message import Message as Note
from agtmuxd.features.notify.message import Outcome

SECONDS: Final = 5.0
"""How long the bus and the service may take for one call."""
NAME: Final = "org.freedesktop.Notifications"
PATH: Final = "/org/freedesktop/Notifications"
_BUS: Final = "org.freedesktop.DBus"
_BUS_PATH: Final = "/org/freedesktop/DBus"
_CRITICAL, _NORMAL = 2, 1
BUTTONS: Final = ("approve", "Approve", "deny", "Deny")
MOST_KEPT: Final = 500
"""Banners of which it is remembered what they are about."""

Pressed = Callable[[str, str], Coroutine[Any, Any, None]]
"""``await pressed(message_id, verb)``: the verb is ``approve``, ``deny`` or ``open``."""


class BannerError(Exception):
    """No banner was shown; the text says why. ``sent``: the request may have arrived."""

    def __init__(self, why: str, *, sent: bool = False) -> None:
        super().__init__(why)
        self.sent = sent


class Banners:
    """The banners of one session bus. It connects when it is used first, and again after the connection was lost."""

    def __init__(self, address: str, pressed: Pressed) -> None:
        self._address = address
        self._pressed = pressed
        self._bus: MessageBus | None = None
        self._guid = ""
        self._owner: str | None = None
        self._capabilities: frozenset[str] = frozenset()
        self._messages: dict[int, str] = {}
        self._by_episode: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def show(self, note: Note, *, buttons: bool) -> Outcome:
        """Show a banner. One about the same episode is replaced."""
        try:
            async with self._lock:
                await self._connect()
                key = note.notes[0].episode_id if len(note.notes) == 1 else note.message_id
                number = await self._notify(note, self._by_episode.get(key, 0), buttons)
                self._remember(number, key, note.message_id)
        except BannerError as error:
            return Outcome(ok=False, detail=str(error), unsure=error.sent)
        return Outcome(ok=True, handle=f"{self._guid}|{self._owner}|{number}")

    async def remove(self, handle: str) -> None:
        """Remove a banner, if the service that showed it still runs. Raises BannerError."""
        guid, owner, number = handle.split("|")
        async with self._lock:
            await self._connect()
            if (guid, owner) == (self._guid, self._owner):
                await self._call(NAME, PATH, NAME, "CloseNotification", "u", [int(number)])

    async def replace(self, message_id: str, title: str, text: str) -> None:
        """Say in place of a banner that a button could not do what it says. Raises BannerError."""
        async with self._lock:
            await self._connect()
            number = next((n for n, known in self._messages.items() if known == message_id), 0)
            await self._call(NAME, PATH, NAME, "Notify", "susssasa{sv}i", self._body(number, title, text, [], _NORMAL))

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        for task in self._tasks:
            task.cancel()
        bus, self._bus = self._bus, None
        if bus is not None and bus.connected:
            bus.disconnect()

    # ---------------------------------------------------------------- the bus

    async def _connect(self) -> None:
        """Connect, and find out who shows notifications now. Raises BannerError."""
        if self._bus is None or not self._bus.connected:
            await self._connect_anew()
        owner = await self._find_owner()
        if owner != self._owner:  # another service: its numbers are others
            self._owner = owner
            self._messages.clear()
            self._by_episode.clear()
            self._capabilities = frozenset((await self._call(NAME, PATH, NAME, "GetCapabilities"))[0])

    async def _connect_anew(self) -> None:
        self._owner = None
        try:
            async with asyncio.timeout(SECONDS):
                self._bus = await MessageBus(bus_address=self._address, bus_type=BusType.SESSION).connect()
        except Exception as error:
            self._bus = None
            raise BannerError(f"the session bus cannot be reached: {error or type(error).__name__}") from error
        self._bus.add_message_handler(self._take_signal)
        try:
            rule = f"type='signal',interface='{NAME}',path='{PATH}'"
            await self._call(_BUS, _BUS_PATH, _BUS, "AddMatch", "s", [rule])
            self._guid = str((await self._call(_BUS, _BUS_PATH, _BUS, "GetId"))[0])
        except BannerError:
            self._bus = None  # a connection without signals is of no use
            raise

    async def _find_owner(self) -> str:
        try:
            return str((await self._call(_BUS, _BUS_PATH, _BUS, "GetNameOwner", "s", [NAME]))[0])
        except BannerError:
            # a service that starts on demand has no owner yet
            await self._call(_BUS, _BUS_PATH, _BUS, "StartServiceByName", "su", [NAME, 0])
            return str((await self._call(_BUS, _BUS_PATH, _BUS, "GetNameOwner", "s", [NAME]))[0])

    async def _call(
        self, name: str, path: str, interface: str, member: str, signature: str = "", body: Any = ()
    ) -> list[Any]:
        """Call a method and return what it returns. Raises BannerError."""
        if self._bus is None:
            raise BannerError("the session bus cannot be reached")
        asked = Message(
            destination=name, path=path, interface=interface, member=member, signature=signature, body=list(body)
        )
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._bus.call(asked)
        except TimeoutError:
            raise BannerError(f"{name} did not answer within {SECONDS:g} s", sent=member == "Notify") from None
        except (OSError, EOFError) as error:
            self._bus = None
            raise BannerError(f"the session bus was lost: {error}", sent=member == "Notify") from error
        if answer is None or answer.message_type is MessageType.ERROR:
            why = str(answer.body[0]) if answer is not None and answer.body else "no reason"
            raise BannerError(f"no notification service answers: {why}")
        return list(answer.body)

    # ---------------------------------------------------------------- banners

    async def _notify(self, note: Note, replaces: int, buttons: bool) -> int:
        actions: list[str] = []
        if "actions" in self._capabilities and note.notes:
            actions = ["default", "Go there"]
            if buttons and note.prompt is not None:
                actions += BUTTONS
        urgency = _CRITICAL if note.kind in URGENT else _NORMAL
        body = self._body(replaces, note.title, note.body, actions, urgency)
        return int((await self._call(NAME, PATH, NAME, "Notify", "susssasa{sv}i", body))[0])

    def _body(self, replaces: int, title: str, text: str, actions: list[str], urgency: int) -> list[Any]:
        shown = markup(text) if "body-markup" in self._capabilities else text
        return ["agtmux", replaces, "", title, shown, actions, {"urgency": Variant("y", urgency)}, -1]

    def _remember(self, number: int, key: str, message_id: str) -> None:
        self._messages[number] = message_id
        self._by_episode[key] = number
        while len(self._messages) > MOST_KEPT:
            del self._messages[next(iter(self._messages))]
        while len(self._by_episode) > MOST_KEPT:
            del self._by_episode[next(iter(self._by_episode))]

    def _take_signal(self, message: Message) -> None:
        """Hear a signal of the service that showed the banners, and of no other program."""
        if message.message_type is not MessageType.SIGNAL or message.sender != self._owner:
            return
        if message.interface != NAME or message.path != PATH:
            return
        if message.member == "NotificationClosed" and message.signature == "uu":
            number = message.body[0]
            self._by_episode = {key: n for key, n in self._by_episode.items() if n != number}
        elif message.member == "ActionInvoked" and message.signature == "us":
            number, verb = message.body
            message_id = self._messages.get(number)
            if message_id is not None and verb in ("approve", "deny", "default"):
                task = asyncio.create_task(
                    self._pressed(message_id, "open" if verb == "default" else verb), name="banner pressed"
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
