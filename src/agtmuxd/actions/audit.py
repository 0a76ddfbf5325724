"""What is told of the actions that were asked for: who, what, on which runtime and version, and what came of it.

Owns the shape of an action in the API. Of what was sent it has length, keyed digest and shape, never the text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from agtmux.protocol.regular import open_regular, read_regular
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.store.actions import ActionRow

_KEY_BYTES = 32


def action_item(row: ActionRow, target: str | None) -> dict[str, Any]:
    """One action as answers and GET /v1/actions serve it."""
    error = row.metadata.get("error") or {}
    return {
        "action_id": row.action_id,
        "action": row.action_type,
        "request_ref": row.request_ref,
        "ref": row.metadata.get("ref"),
        "target": target,
        "pane_id": row.pane_id,
        "runtime_id": row.runtime_id,
        "state_version": row.metadata.get("state_version"),
        "requested_at": stamp(row.requested_at),
        "started_at": stamp_or_none(row.started_at),
        "completed_at": stamp_or_none(row.completed_at),
        "result_code": row.result_code,
        "error_code": row.error_code,
        "error_message": error.get("message"),
        "caller": row.metadata.get("caller"),
        "request": row.metadata.get("request"),
        "result": row.metadata.get("result"),
    }


def load_key(path: str) -> bytes:
    """The key of digests and nonces, made on the first start; only its owner can read it.

    It lies beside the database and not in it, so that a copy of the database gives no text away. Raises OSError.
    """
    file = Path(path)
    try:
        key = read_regular(file, 4096)
    except FileNotFoundError:
        key = b""
    if len(key) == _KEY_BYTES:
        return key
    key = os.urandom(_KEY_BYTES)
    fresh = file.with_name(file.name + ".new")
    fd = open_regular(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(fd, key)
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(file)
    return key
