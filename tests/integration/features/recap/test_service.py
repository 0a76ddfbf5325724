"""The recap over a real stream log: what it reads, page by page, and what it says of a log that begins later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.core.json_codec import stamp
from agtmuxd.core.model import NS, Source
from agtmuxd.features.contract import PublishChange
from agtmuxd.features.recap import store as rows
from agtmuxd.features.recap.routes import ROUTES
from agtmuxd.features.recap.service import Recap
from tests.fake_services import Api, FakeServices, serving, target
from tests.rig import BUSY, DONE, T0, Agent, Clock, Rig, box

pytestmark = pytest.mark.tc("TC-252")


async def live(rig: Rig, agent: Agent, seconds: float) -> None:
    """Let so much time pass, with rounds."""
    for _ in range(int(seconds * 4)):
        rig.clock.forward(0.25)
        await rig.round(agent)


@pytest.fixture
async def api(tmp_path: Path, short_dir: Path) -> AsyncIterator[Api]:
    """An agent that worked for 10 s, waited 20 s for an answer, worked again, and finished."""
    agent = Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        for level, seconds in ((BUSY, 10.0), (box(subject="Bash"), 20.0), (BUSY, 10.0), (DONE, 5.0)):
            agent.levels[Source.POLLER] = level
            await live(rig, agent, seconds)
        recap = Recap(envelope=Envelope(rig.clock, lambda: [target()]), store=rig.store, view=rig.view, clock=rig.clock)
        async with serving(short_dir, FakeServices(), tables=[RouteTable(ROUTES, recap)]) as served:
            yield served


async def test_it_adds_up_what_the_stream_log_holds(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await api.get("/v1/recap", params={"since": stamp(T0)})
    (agent,) = whole["items"]
    assert (agent["wait_count"], agent["waits"][0]["subject"], agent["finished"]) == (1, "Bash", 1)
    assert 19 <= agent["waited_s"] <= 20.5
    assert 18 <= agent["running_s"] <= 20.5
    assert whole["summary"] == {
        "agents": 1, "waited_s": agent["waited_s"], "waits": 1, "finished": 1, "failed": 0,
        "running_s": agent["running_s"],
    }  # fmt: skip
    monkeypatch.setattr(rows, "PAGE", 2)
    assert (await api.get("/v1/recap", params={"since": stamp(T0)}))["items"] == whole["items"]


async def test_it_begins_at_the_time_asked_for(api: Api) -> None:
    late = await api.get("/v1/recap", params={"since": stamp(T0 + 20 * NS)})
    assert 9 <= late["items"][0]["waited_s"] <= 10.5
    assert late["log_begins"] < late["since"]


async def test_a_time_that_is_still_to_come_is_refused(api: Api) -> None:
    answer = await api.call("GET", f"/v1/recap?since={T0 + 3600 * NS}", 400)
    assert answer["error"]["message"] == "since: this time is in the future: give one in the past"


@pytest.mark.tc("TC-919")
async def test_it_names_agents_as_people_do_and_has_their_messages(tmp_path: Path, short_dir: Path) -> None:
    agent = Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await live(rig, agent, 2.0)
        named = {"agent_id": "a-1", "name": "builder", "team": None}
        await rig.pipeline.annotate(rig.runtime_id(), "agent", named)
        sent = {"kind": "blocker", "sender": "agent:builder", "created_at": stamp(rig.clock())}

        def work(_connection: object, publish: PublishChange) -> None:
            publish("message", "m-1", {**sent, "overdue_at": None, "cancelled_at": None})
            publish("delivery", "d-1", {"message_id": "m-1", "agent_id": None, "state": "queued"})

        await rig.pipeline.write(work)
        recap = Recap(envelope=Envelope(rig.clock, lambda: [target()]), store=rig.store, view=rig.view, clock=rig.clock)
        async with serving(short_dir, FakeServices(), tables=[RouteTable(ROUTES, recap)]) as served:
            found = await served.get("/v1/recap", params={"since": stamp(T0)})
    assert found["items"][0]["agent"] == named
    assert (found["coordination"]["to_people"], found["coordination"]["messages"][0]["kind"]) == (1, "blocker")
