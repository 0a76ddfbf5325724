"""Show recorded actions: who asked for what, on which runtime and state version, and the result.

Owns the shape of an action in the API. Of a text that was sent it shows the length, keyed digest and shape, never the
text.
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
    """Return one action as the API returns it, in answers and in GET /v1/actions."""
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
    """Return the key of digests and nonces. It is made on the first start, and only its owner can read it.

    The key is kept beside the database, not in it. So a copy of the database gives no text away. Raises OSError.
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
