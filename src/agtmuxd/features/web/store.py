"""Read and write the linked devices, and whether the server is on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from agtmuxd.api.route import WebScope
from agtmuxd.features.web.model import Device


@dataclass(frozen=True, slots=True)
class ServerState:
    """Whether the server is to run, and its last port. ``port`` None: it never ran."""

    enabled: bool = False
    port: int | None = None


def load_state(connection: sqlite3.Connection) -> ServerState:
    enabled, port = connection.execute("SELECT enabled, port FROM web_server").fetchone()
    return ServerState(bool(enabled), port)


def save_state(connection: sqlite3.Connection, state: ServerState) -> None:
    connection.execute("UPDATE web_server SET enabled = ?, port = ?", (int(state.enabled), state.port))


def load_devices(connection: sqlite3.Connection) -> list[Device]:
    """Return all devices, the oldest first."""
    rows = connection.execute(
        "SELECT device_id, name, scope, token_digest, created_at, seen_at FROM web_devices ORDER BY created_at, name"
    )
    return [Device(row[0], row[1], WebScope(row[2]), *row[3:]) for row in rows]


def add_device(connection: sqlite3.Connection, device: Device) -> None:
    """Store a device. Raises sqlite3.IntegrityError if its name is taken."""
    connection.execute(
        "INSERT INTO web_devices (device_id, name, scope, token_digest, created_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)",
        (device.device_id, device.name, str(device.scope), device.token_digest, device.created_at, device.seen_at),
    )


def remove_device(connection: sqlite3.Connection, device_id: str) -> None:
    connection.execute("DELETE FROM web_devices WHERE device_id = ?", (device_id,))


def save_seen(connection: sqlite3.Connection, seen: Mapping[str, int]) -> None:
    """Store when devices sent their last request (ns), by device id."""
    connection.executemany(
        "UPDATE web_devices SET seen_at = ? WHERE device_id = ?", [(at, name) for name, at in seen.items()]
    )
