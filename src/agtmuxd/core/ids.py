"""Compute names: runtime ids, dedupe keys, UUIDs.

Pure. The recipes are part of the contract (docs/reference/targets.md and events.md): a changed recipe orphans stored
rows.
"""

from __future__ import annotations

import hashlib
import os

_SEP = "\x1f"


def _digest(*parts: str) -> str:
    return hashlib.sha256(_SEP.join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def runtime_id(target_id: str, boot_id: str, pane_id: str, pane_epoch: int, agent_type: str, started_at: int) -> str:
    """Return the reproducible name of one runtime: 3 + 40 characters of ``[A-Za-z0-9._:-]``."""
    return "rt-" + _digest(target_id, boot_id, pane_id, str(pane_epoch), agent_type, str(started_at))[:40]


def dedupe_key(source: str, source_event_id: str, event_type: str) -> str:
    """Return the key of one occurrence. Two deliveries of one occurrence share it; two occurrences never do."""
    return _digest(source, source_event_id, event_type)


def uuid7(now_ns: int, entropy: bytes | None = None) -> str:
    """Return a UUIDv7 for that moment (ns). ``entropy``: 10 bytes; without it, from the system."""
    raw = entropy or os.urandom(10)
    stamp = (now_ns // 1_000_000) & ((1 << 48) - 1)
    rand_a = ((raw[0] << 8) | raw[1]) & 0x0FFF
    rand_b = int.from_bytes(raw[2:10], "big") & ((1 << 62) - 1)
    value = (stamp << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
