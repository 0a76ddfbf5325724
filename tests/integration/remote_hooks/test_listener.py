"""Too many events of a machine behind ssh: what is refused is kept by the hook program there, until it is fetched."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.api.requests import WireEvent
from agtmuxd.remote_hooks import install_program
from agtmuxd.remote_hooks.listener import EventListener


@pytest.mark.tc("TC-104")
async def test_an_event_past_the_rate_is_refused_as_such_and_spooled(short_dir: Path) -> None:
    taken: list[str] = []
    refused: list[int] = []

    async def take(events: Sequence[WireEvent]) -> list[dict[str, Any]]:
        taken.extend(event.event_type for event in events)
        return []

    state, file = short_dir / install_program.STATE, Path(install_program.path(str(short_dir)))
    state.mkdir(parents=True, mode=0o700)
    file.parent.mkdir(parents=True)
    file.write_text(install_program.text())
    listener = EventListener(str(short_dir / "s"), take, lambda: refused.append(1), rate=0.0, burst=2.0)
    (state / "one.supervisor").write_text(f"{listener.path}\n")
    await listener.start()
    try:
        for name in ("One", "Two", "Three", "Four"):
            await asyncio.to_thread(
                subprocess.run, [sys.executable, "-IS", str(file), "hook", "claude"], check=True, timeout=30,
                input=json.dumps({"hook_event_name": name}).encode(), env={"AGTMUX_HOOK_CAP_MS": "5000"},
            )  # fmt: skip
    finally:
        await listener.stop()
    assert taken == ["One", "Two"]
    assert refused == [1, 1]
    spooled = [json.loads(line) for line in (state / "one.spool.jsonl").read_text().splitlines()]
    assert [line["event_type"] for line in spooled] == ["Three", "Four"]
    assert not (state / "one.hung").exists(), "it was answered: the next one is tried at once"
