"""The current rows in the database: removed with their target, and with a version that only grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.core.model import Source
from agtmuxd.store import history
from agtmuxd.store.retention import purge
from agtmuxd.store.startup import load_all
from tests.rig import BUSY, TARGET, Agent, Clock, Rig
from tests.rig import event as posted


@pytest.mark.tc("TC-158")
async def test_a_removed_target_is_gone_at_once_and_its_history_goes_in_batches_also_after_a_restart(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(Path(path), clock) as rig:
        await rig.round(agent)
        for _ in range(40):
            await rig.post(posted("PreToolUse", agent, at=clock.forward(0.1)))
        runtime_id = rig.the_state().runtime_id
        deleted: list[str] = []
        rig.connection.set_trace_callback(deleted.append)
        await rig.pipeline.remove_target(TARGET)
        rig.connection.set_trace_callback(None)
        assert not any("DELETE FROM events" in one or "DELETE FROM runtimes" in one for one in deleted)
        assert len(rig.rows("SELECT event_id FROM events")) >= 40
        assert rig.rows("SELECT target_name FROM targets WHERE removed_at IS NULL") == []
    found = load_all(path, clock(), lambda _: None)
    assert (found.repository.targets, found.repository.runtimes, found.repository.states, found.repository.panes) == (
        {},
        {},
        {},
        {},
    )
    found.connection.close()
    async with Rig(Path(path), clock) as rig:  # the same target is added anew while its old history is still there
        await rig.round(agent)
        assert rig.the_state().runtime_id != runtime_id
        monkeypatch.setattr("agtmuxd.store.retention.BATCH", 7)
        monkeypatch.setattr("agtmuxd.store.retention.PAUSE", 0)
        gone = await purge(rig.store, history.RetentionLimits(), clock())
        assert gone["removed targets"] >= 42
        assert rig.rows("SELECT target_id FROM targets") == [(TARGET,)]
        assert rig.rows("SELECT DISTINCT runtime_id FROM events") == [(rig.the_state().runtime_id,)]


@pytest.mark.tc("TC-159")
async def test_a_state_version_counts_on_after_all_runtimes_of_a_pane_were_forgotten(path: str) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(Path(path), clock) as rig:
        await rig.round(agent)
        await rig.post(posted("UserPromptSubmit", agent, at=clock.forward(1)))
        await rig.post(posted("Stop", agent, at=clock.forward(1)))
        last = rig.the_state().state_version
        clock.forward(200)
        await rig.round(panes=("%1",))
        clock.forward(40 * 86_400)
        await rig.round(panes=("%1",))
        await purge(rig.store, history.RetentionLimits(), clock())
        assert rig.rows("SELECT count(*) FROM runtimes") == [(0,)]
    async with Rig(Path(path), clock) as rig:
        await rig.round(replace(agent, pid=4900, start="900", steady={}))
        assert rig.the_state().state_version > last
