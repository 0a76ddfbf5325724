"""Recorded hooks, notifies and status files as the daemon would get them, placeholders filled in.

Owns the filling. Knows no adapter.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from agtmuxd.core.model import MS, NS, RawEvent, Source
from tests.corpus.recording import Recording

START = 1_800_000_000_000 * MS
PID, PROC_START = 4242, "987654"
_VALUES = {
    "$PROCSTART": PROC_START, "$DASHWORK": "-proj", "$CONFIG": "/home/u/.agent", "$WORK": "/proj",
    "$HASHWORK": hashlib.sha256(b"/proj").hexdigest(), "$HOME": "/home/u", "$LAB": "/lab",
    "$TMUXLOC": "lab:@0.%0", "$PANE": "%0", "$OTHER_PANE": "%1", "$TMUX": "/tmp/t,1,0",
}  # fmt: skip


def fill(value: Any) -> Any:
    """``value`` with the placeholders of the recording format replaced."""
    if isinstance(value, dict):
        return {k: fill(v) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v) for v in value]
    if not isinstance(value, str):
        return value
    if value == "$PID":
        return PID
    found = re.fullmatch(r"\$MS\((-?\d+)\)", value)
    if found:
        return START // MS + int(found.group(1))
    value = re.sub(r"\$ISO\((-?\d+)\)", _iso, value).replace("$PID", str(PID))
    for name, text in sorted(_VALUES.items(), key=lambda x: -len(x[0])):
        value = value.replace(name, text)
    return value


def _iso(found: re.Match[str]) -> str:
    at = datetime.fromtimestamp(START / NS, UTC) + timedelta(milliseconds=int(found.group(1)))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(recording: Recording, line: dict[str, Any]) -> RawEvent:
    """A ``hook`` or ``notify`` line as an event."""
    at = START + line["t_ms"] * MS
    env = {**recording.header.get("hook_env", {}), **(line.get("env") or {})}
    notify = line["kind"] == "notify"
    return RawEvent(
        event_id=f"{recording.name}:{line['t_ms']}",
        event_type=line.get("event") or "agent-turn-complete",
        source=Source.NOTIFY if notify else Source.HOOK,
        agent_type=recording.agent,
        event_time=at,
        ingested_at=at,
        dedupe_key=f"{recording.name}:{line['t_ms']}:{line.get('event')}",
        env={k: str(fill(v)) for k, v in env.items() if v is not None},
        payload=fill(line["payload"]),
    )
