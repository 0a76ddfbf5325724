"""Read a runtime's last events: oldest first, bounded, without what the daemon itself did."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.features.stuck import store as rows
from tests.rig import Agent, Clock, Rig, event


@pytest.mark.tc("TC-255")
async def test_the_last_events_after_a_time_are_read_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, agent = Clock(), Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        for number in range(5):
            payload = {"tool_name": f"T{number}"}
            await rig.post(event("PreToolUse", agent, at=clock.forward(1), payload=payload))
        (runtime,) = rig.pipeline.repository.runtimes
        monkeypatch.setattr(rows, "MOST", 3)
        found = await rig.store.read(lambda c: rows.last_events(c, runtime, 0))
        assert [one.payload["tool_name"] for one in found] == ["T2", "T3", "T4"]
        assert {one.event_type for one in found} == {"PreToolUse"}
        assert await rig.store.read(lambda c: rows.last_events(c, runtime, clock.now)) == []
