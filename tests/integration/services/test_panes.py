"""Why a pane is said to be in its state: by the very facts that it was judged by."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.model import Source
from agtmuxd.services.panes import Panes
from tests.integration.ingest.test_redactor import events_of
from tests.rig import BUSY, Agent, Clock, Rig, event


def panes_of(rig: Rig, actions: Any) -> Panes:
    """Panes as the API explains them; ``actions`` make the nonces."""
    return Panes(
        envelope=Envelope(rig.clock, list), view=rig.view, pipeline=rig.pipeline, registry=rig.registry,
        actions=actions,
        transcripts=None, history=events_of(rig).history, clock=rig.clock,
    )  # fmt: skip


@pytest.mark.tc("TC-010")
async def test_of_a_target_that_is_away_no_claim_is_said_to_decide(tmp_path: Path) -> None:
    clock = Clock()
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        panes = panes_of(rig, SimpleNamespace(nonce=lambda _key: None))

        async def used() -> dict[str, str | None]:
            answer = await panes.explain("host/%1")
            return {c["source"]: c["discarded_because"] for c in answer["candidates"] if c["claim"] is not None}

        await rig.round(agent)
        await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1)))
        await rig.steady(agent, Source.POLLER, BUSY)
        assert await used() == {"poller": None, "hook": None}
        await rig.health("down", "timeout")
        assert rig.the_state().reason_code == "target_unreachable"
        assert await used() == {"poller": "target is down", "hook": "target is down"}
