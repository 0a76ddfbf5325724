"""Turn the page's server on and off, link devices, judge their tokens, and revoke them.

Devices are kept in memory and in the database. Only digests of tokens and codes are kept.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable, WebScope
from agtmuxd.config import WebSettings
from agtmuxd.core.ids import uuid7
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.features.web import store as rows
from agtmuxd.features.web.files import PageFile, load
from agtmuxd.features.web.model import MOST_DEVICES, BadAttempts, Device, LinkCodes, digest, free_name
from agtmuxd.features.web.server import WebServer
from agtmuxd.features.web.store import ServerState
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store

SAVE_EVERY: Final = 60.0
"""Seconds between two writes of when devices were seen."""
TRY_EVERY: Final = 5.0
"""Seconds between two tries to get the port back after a restart."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class WebPage:
    """Implements ``WebService`` of ``routes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        store: Store,
        clock: Callable[[], int],
        settings: Callable[[], WebSettings],
        tables: Callable[[], Iterable[RouteTable[Any]]],
        files: Callable[[], Mapping[str, PageFile]] = load,
    ) -> None:
        """``clock``: ns since the epoch. ``tables``: all routes of the daemon, once it runs."""
        self.envelope = envelope
        self._store = store
        self._clock = clock
        self._settings = settings
        self._codes = LinkCodes()
        self._bad = BadAttempts()
        self._devices: dict[str, Device] = {}  # by digest of the token
        self._unsaved: dict[str, int] = {}
        self._revoked: dict[str, Device] = {}  # by name: those whose row could not be deleted yet
        self._state: ServerState | None = None  # None: not read yet
        self._problem: str | None = None
        self._lock = asyncio.Lock()
        self._log = structlog.get_logger("web")
        self._counts: dict[str, int] = {}
        self._server = WebServer(
            tables=tables, files=files, hosts=lambda: settings().hosts, authenticate=self._authenticate,
            count=self._count,
        )  # fmt: skip

    # ---------------------------------------------------------------- life

    async def run(self) -> None:
        """Start the server if it was on, until cancelled."""
        async with self._lock:
            await self._loaded()
        try:
            while True:
                await asyncio.sleep(SAVE_EVERY if await self._resumed() else TRY_EVERY)
                await self._save_seen()
        finally:
            await self._server.stop()
            await self._save_seen()

    async def _resumed(self) -> bool:
        """Start the server again if it should run and does not. Return whether all is as it should be."""
        async with self._lock:
            state = await self._loaded()
            if not state.enabled or self._server.port is not None:
                return True
            try:
                await self._listen(self._settings().port or state.port or 0)
            except AgtmuxError as error:
                self._problem = (
                    f"{error.message}; agtmux web on takes another port, and devices have to be linked again"
                )
                return False
            return True

    async def _loaded(self) -> ServerState:
        if self._state is None:
            self._state = await self._store.read(rows.load_state)
            self._devices = {one.token_digest: one for one in await self._store.read(rows.load_devices)}
        return self._state

    async def _listen(self, port: int) -> None:
        """Start the server and remember its port. Raises E_PRECONDITION_FAILED."""
        got = await self._server.start(port)
        self._problem = None
        await self._remember(ServerState(True, got))
        self._log.info("the web page is on", port=got)

    async def _remember(self, state: ServerState) -> None:
        if state != self._state:
            await self._store.run(lambda connection: rows.save_state(connection, state))
            self._state = state

    async def _save_seen(self) -> None:
        seen, self._unsaved = self._unsaved, {}
        if seen:
            try:
                await self._store.run(lambda connection: rows.save_seen(connection, seen))
            except AgtmuxError as error:  # a time of last use may be lost
                self._log.warning("when devices were seen is not saved", why=error.message)

    # ---------------------------------------------------------------- on, off, status

    async def on(self) -> dict[str, Any]:
        """Start the server. Raises E_PRECONDITION_FAILED if the configured port cannot be had."""
        async with self._lock:
            state = await self._loaded()
            wanted = self._settings().port
            if self._server.port is None or (wanted and wanted != self._server.port):
                try:
                    await self._listen(wanted or state.port or 0)
                except AgtmuxError:
                    if wanted or not state.port:
                        raise
                    await self._listen(0)
            moved = state.port is not None and state.port != self._server.port and bool(self._devices)
            return {**self._status(), "moved": moved}

    async def off(self) -> dict[str, Any]:
        """Stop the server. The devices stay linked."""
        async with self._lock:
            state = await self._loaded()
            await self._remember(ServerState(False, state.port))
            self._problem = None
            self._codes.clear()
            await self._server.stop()
            return self._status()

    async def status(self) -> dict[str, Any]:
        async with self._lock:
            await self._loaded()
        return self._status()

    def _status(self) -> dict[str, Any]:
        state, port = self._state or ServerState(), self._server.port
        return {
            "on": state.enabled,
            "listening": port is not None,
            "port": port,
            "urls": self._urls() if port is not None else [],
            "devices": len(self._devices),
            "problem": self._problem,
            "moved": False,
        }

    def _urls(self) -> list[str]:
        """Return the addresses of the page. Names of the configuration come last; a proxy serves them by https."""
        named = [
            f"{'http' if name.partition(':')[0].lower() in _LOOPBACK or name.startswith('[') else 'https'}://{name}/"
            for name in self._settings().hosts
        ]
        return [f"http://127.0.0.1:{self._server.port}/", *named]

    # ---------------------------------------------------------------- devices

    async def link(self, name: str | None, scope: WebScope) -> dict[str, Any]:
        """Make a single-use code. Raises E_PRECONDITION_FAILED while the server does not listen, E_INVALID_REQUEST."""
        async with self._lock:
            await self._loaded()
            if self._server.port is None:
                why = self._problem or "the web page is off: run agtmux web on"
                raise AgtmuxError("E_PRECONDITION_FAILED", why, {"reason": "off"})
            now, taken = self._clock(), self._names()
            if len(self._devices) >= MOST_DEVICES:
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"{MOST_DEVICES} devices are linked, which is the limit: run agtmux web revoke NAME first",
                )
            name = name or free_name(taken | self._codes.names(now))
            self._refuse_taken(name, taken)
            code = secrets.token_urlsafe(24)
            link = self._codes.add(code, name, scope, now)
            return {
                "name": name, "scope": str(scope), "expires_at": stamp(link.expires_at),
                "urls": [f"{url}#k={code}" for url in self._urls()],
            }  # fmt: skip

    async def exchange(self, code: str) -> dict[str, Any]:
        """Make a device of a code, and return its token. Raises E_UNAUTHORIZED, E_RATE_LIMITED, E_INVALID_REQUEST."""
        async with self._lock:
            await self._loaded()
            now = self._clock()
            link = self._codes.take(code, now)
            if link is None:
                self._refuse_bad("this code was used, has expired or is unknown: run agtmux web link again")
            self._refuse_taken(link.name, self._names())
            token = secrets.token_urlsafe(32)
            device = Device(uuid7(now), link.name, link.scope, digest(token), now)
            await self._store.run(lambda connection: rows.add_device(connection, device))
            self._devices[device.token_digest] = device
            self._log.info("a device was linked", name=device.name, scope=str(device.scope))
            return {"token": token, "device": _item(device, False)}

    def _names(self) -> set[str]:
        return {one.name for one in self._devices.values()} | set(self._revoked)

    def _refuse_taken(self, name: str, taken: set[str]) -> None:
        if name in taken:
            text = f"a device {name} is linked: run agtmux web revoke {name} first, or use another name"
            raise AgtmuxError("E_INVALID_REQUEST", text, {"reason": "name"})

    async def devices(self) -> list[dict[str, Any]]:
        async with self._lock:
            await self._loaded()
        return [
            _item(
                replace(one, seen_at=self._unsaved.get(one.device_id, one.seen_at)), self._server.serves(one.device_id)
            )
            for one in self._devices.values()
        ]

    async def revoke(self, name: str) -> dict[str, Any]:
        """Forget a device and close its connections.

        Raises E_INVALID_REQUEST if there is none of this name. Raises E_STORE_UNAVAILABLE if the device is out, but
        would come back with the next daemon: then ask again.
        """
        async with self._lock:
            await self._loaded()
            device = next((one for one in self._devices.values() if one.name == name), self._revoked.get(name))
            if device is None:
                known = ", ".join(sorted(one.name for one in self._devices.values())) or "none"
                raise AgtmuxError("E_INVALID_REQUEST", f"there is no device {one_line(name)[:80]}: linked are {known}")
            # Out of memory first: nothing is accepted from it, even if the database cannot be written now.
            self._devices.pop(device.token_digest, None)
            self._unsaved.pop(device.device_id, None)
            self._server.drop(device.device_id)
            self._revoked[name] = device
            await self._store.run(lambda connection: rows.remove_device(connection, device.device_id))
            del self._revoked[name]
            self._log.info("a device was revoked", name=name)
            return {"revoked": name}

    def _authenticate(self, token: str | None, wanted: WebScope) -> Device:
        if token is None:
            raise AgtmuxError(
                "E_UNAUTHORIZED", "this browser is not linked: run agtmux web link, and open its link here"
            )
        device = self._devices.get(digest(token))
        if device is None:
            self._refuse_bad("this browser is not linked any more: run agtmux web link, and open its link here")
        if not device.scope.allows(wanted):
            text = f"the device {device.name} has the scope {device.scope}, and this needs {wanted}: link it again"
            raise AgtmuxError("E_FORBIDDEN", text, {"reason": "scope", "scope": str(device.scope)})
        self._unsaved[device.device_id] = self._clock()
        return device

    def _refuse_bad(self, message: str) -> NoReturn:
        """Count a bad token or code, and raise the refusal. Good ones are found before, so they never wait."""
        seconds = self._bad.add(self._clock())
        if seconds is not None:
            text = f"too many bad tokens or codes: try again in {seconds} s"
            raise AgtmuxError("E_RATE_LIMITED", text, {"retry_after_s": seconds})
        raise AgtmuxError("E_UNAUTHORIZED", message, {"reason": "unknown"})

    # ---------------------------------------------------------------- health

    def health(self) -> HealthPart:
        counters = {
            "devices": len(self._devices), "connections": self._server.connections, "bad_attempts": self._bad.total,
            **self._counts,
        }  # fmt: skip
        return HealthPart(problems=() if self._problem is None else (self._problem,), counters=counters)

    def _count(self, what: str) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1


def _item(device: Device, connected: bool) -> dict[str, Any]:
    return {
        "name": device.name,
        "scope": str(device.scope),
        "created_at": stamp(device.created_at),
        "seen_at": stamp_or_none(device.seen_at),
        "connected": connected,
    }
