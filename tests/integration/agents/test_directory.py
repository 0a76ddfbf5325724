"""Every runtime in a pane is an agent with a name, which it keeps while it runs and after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.callers import FoundCaller
from agtmuxd.agents.changes import AgentChanges, ChangeRequest
from agtmuxd.agents.directory import FORGET_AFTER, AgentDirectory
from agtmuxd.agents.store import load_directory
from agtmuxd.core.action.request import Caller
from agtmuxd.core.ids import dedupe_key
from agtmuxd.core.model import NS, RawEvent, Source
from agtmuxd.core.state.observation import AgentExit
from agtmuxd.stream.subscription import Resync
from tests.rig import BUSY, Agent, Clock, Rig

pytestmark = pytest.mark.tc("TC-604")


async def opened(rig: Rig, found: FoundCaller | None = None) -> AgentDirectory:
    async def find_caller(uid: int | None, pid: int | None) -> FoundCaller:
        return found or FoundCaller(Caller(uid, pid))

    stored = await rig.store.read(load_directory)
    directory = AgentDirectory(
        stored.agents, repository=rig.pipeline.repository, write=rig.pipeline.write, find_caller=find_caller,
        clock=rig.clock, teams=stored.teams, types=lambda: ("claude", "codex"), annotate=rig.pipeline.annotate,
    )  # fmt: skip
    await directory.on_resync(Resync.STARTED)
    return directory


async def runs(rig: Rig, *agents: Agent, **more: Any) -> None:
    for _ in range(4):
        rig.clock.forward(0.25)
        await rig.round(*agents, panes=[agent.pane for agent in agents] or ["%1"], **more)


def agent(number: int, kind: str = "claude") -> Agent:
    return Agent(kind=kind, pane=f"%{number}", pid=4000 + number, levels={Source.POLLER: BUSY})


async def test_runtimes_get_names_by_their_type_and_no_number_comes_twice(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        one, two = agent(1), agent(2)
        await runs(rig, one, two)
        directory = await opened(rig)
        assert [a.name for a in directory.all()] == ["claude-1", "claude-2"]
        await runs(rig, two, gone=[AgentExit("%1", 4001, "s1", None)])
        await runs(rig, two)
        await directory.on_resync(Resync.FAILED)
        assert directory.find("CLAUDE-1").runtime_id is None, "an agent stays when its runtime ends"
        await runs(rig, two, agent(3))
        directory = await opened(rig)  # after a restart
        assert [(a.name, a.runtime_id is not None) for a in directory.all()] == [
            ("claude-1", False), ("claude-2", True), ("claude-3", True)
        ]  # fmt: skip
        assert [c.key.split("/")[0] for _, changes in rig.published for c in changes.get("coord", ())] == ["agent"] * 4


async def test_a_name_that_is_not_there_lists_those_that_run(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1))
        directory = await opened(rig)
        with pytest.raises(AgtmuxError) as caught:
            directory.find("nobody")
        assert (caught.value.code, caught.value.details) == ("E_AGENT_NOT_FOUND", {"candidates": ["claude-1"]})
        assert directory.find(directory.all()[0].agent_id).name == "claude-1"


async def test_a_sender_is_the_agent_of_its_runtime_a_person_or_refused(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1))
        (runtime,) = rig.pipeline.repository.runtimes.values()
        sender = FoundCaller(Caller(1000, 7), "the caller is claude in %1", runtime)
        actor = await (await opened(rig, sender)).identify(Caller(1000, 7))
        assert (actor.name, actor.runtime_id, actor.is_agent) == ("claude-1", runtime.runtime_id, True)
        assert not (await (await opened(rig)).identify(Caller(1000, 7))).is_agent
        unknown = FoundCaller(Caller(1000, 7), "the caller runs in a container")
        with pytest.raises(AgtmuxError, match="the caller runs in a container"):
            await (await opened(rig, unknown)).identify(Caller(1000, 7))


async def has_session(rig: Rig, number: int, session: str) -> None:
    """The agent in that pane reports its session, as a hook does."""
    name = f"event-{number}-{session}"
    await rig.post(
        RawEvent(
            event_id=name, event_type="SessionStart", source=Source.HOOK, agent_type="claude", event_time=rig.clock(),
            ingested_at=rig.clock(), dedupe_key=dedupe_key(Source.HOOK, name, "SessionStart"), source_event_id=name,
            runtime_id=rig.runtime_id(f"%{number}"), payload={"session_id": session, "source": "startup"},
        )
    )  # fmt: skip
    runtime = rig.pipeline.repository.runtimes[rig.runtime_id(f"%{number}")]
    assert runtime.agent_session_id == session


async def ends(rig: Rig, *left: Agent, number: int) -> None:
    rig.clock.forward(0.25)
    await rig.round(*left, gone=[AgentExit(f"%{number}", 4000 + number, "100", None)])


@pytest.mark.tc("TC-621")
async def test_a_runtime_that_continues_the_session_is_the_same_agent(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1))
        directory = await opened(rig)
        first = directory.find("claude-1")
        await AgentChanges(directory, rig.clock).rename(ChangeRequest("person", "request-1"), first.agent_id, "builder")
        await has_session(rig, 1, "s-1")
        await ends(rig, number=1)
        await directory.refresh()
        assert directory.find("builder").runtime_id is None
        directory = await opened(rig)  # after a restart
        await runs(rig, agent(2))
        await directory.refresh()
        assert directory.find("claude-2").runtime_id is not None, "nothing says yet that it is builder"
        await has_session(rig, 2, "s-1")
        await directory.refresh()
        assert directory.find("builder").agent_id == first.agent_id
        assert directory.find("builder").runtime_id == rig.runtime_id("%2")
        assert [one.name for one in directory.all()] == ["builder"], "the name that stood in for it is gone"
        await runs(rig, agent(2), agent(3))
        await directory.refresh()
        assert directory.find("claude-3").runtime_id == rig.runtime_id("%3"), "its number is not used again"


@pytest.mark.tc("TC-621")
@pytest.mark.parametrize("why", ["other session", "still runs", "has messages", "has a name", "two agents had it"])
async def test_nothing_else_makes_a_runtime_an_agent_that_was_there_before(tmp_path: Path, why: str) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1), agent(3))
        directory = await opened(rig)
        changes = AgentChanges(directory, rig.clock)
        await has_session(rig, 1, "s-1")
        await has_session(rig, 3, "s-1" if why == "two agents had it" else "s-3")
        if why != "still runs":
            await ends(rig, *([] if why == "two agents had it" else [agent(3)]), number=1)
        left = [agent(3)] if why != "two agents had it" else []
        left += [agent(1)] if why == "still runs" else []
        await runs(rig, agent(5), *left)
        await directory.refresh()
        new = directory.of_runtime(rig.runtime_id("%5"))
        assert new is not None
        if why == "has a name":
            await changes.rename(ChangeRequest("person", "request-1"), new.agent_id, "other")
        if why == "has messages":
            statement = "INSERT INTO channel_members (channel_id, agent_id, joined_at) VALUES ('c', ?, 0)"

            def fill(connection: Any) -> None:
                connection.execute("INSERT INTO channels VALUES ('c', NULL, 'c', 0)")
                connection.execute(statement, (new.agent_id,))

            await rig.store.run(fill)
        await has_session(rig, 5, "s-2" if why == "other session" else "s-1")
        await directory.refresh()
        again = directory.of_runtime(rig.runtime_id("%5"))
        assert again is not None
        assert again.agent_id == new.agent_id


@pytest.mark.tc("TC-622")
async def test_an_ended_agent_that_nobody_named_or_used_is_forgotten_in_time(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1), agent(2), agent(3))
        directory = await opened(rig)
        named = directory.find("claude-2")
        await AgentChanges(directory, rig.clock).rename(ChangeRequest("person", "request-1"), named.agent_id, "builder")
        used = directory.find("claude-3").agent_id
        await rig.store.run(
            lambda c: c.execute("CREATE TABLE notes (agent_id TEXT)").execute("INSERT INTO notes VALUES (?)", (used,))
        )
        await runs(rig)
        await directory.refresh()
        assert [one.runtime_id for one in directory.all()] == [None, None, None]
        rig.clock.forward(FORGET_AFTER / NS + 1)
        await runs(rig, agent(4))
        await directory.refresh()
        assert [one.name for one in directory.all()] == ["builder", "claude-3", "claude-4"]
        directory = await opened(rig)
        assert [one.name for one in directory.all()] == ["builder", "claude-3", "claude-4"]


@pytest.mark.tc("TC-623")
async def test_a_name_stands_for_the_runtime_that_the_agent_is_now(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1))
        directory = await opened(rig)
        assert directory.full_ref("Claude-1") == f"runtime:{rig.runtime_id()}"
        for text in ("pane:host/work/@1/%1", "runtime:rt-1", "%1", "work:1.0", "", "a b"):
            assert directory.full_ref(text) == text, "what is no name stays as it is"
        await runs(rig)
        await directory.refresh()
        with pytest.raises(AgtmuxError, match="has no runtime now") as caught:
            directory.full_ref("claude-1")
        assert (caught.value.code, caught.value.details["reason"]) == ("E_REF_NOT_FOUND", "unbound")
        with pytest.raises(AgtmuxError) as caught:
            directory.full_ref("nobody")
        assert caught.value.code == "E_AGENT_NOT_FOUND"
