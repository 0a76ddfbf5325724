"""Session files of agents in panes become events at the door: whose they are, what they tell, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import MS, NS, Source, State, Write
from agtmuxd.ingest.transcripts.follower import BUSY as BUSY_REST
from agtmuxd.ingest.transcripts.follower import EMPTY, QUIET
from tests.integration.ingest.transcripts.transcript_rig import SPINS, TranscriptRig, iso, transcript_rig
from tests.rig import BUSY, T0, Agent

START = T0 - 60 * NS


def prompt(at: int, text: str = "do it") -> dict[str, Any]:
    return {"type": "user", "timestamp": iso(at), "uuid": f"p{at}", "sessionId": "s-1", "message": {"content": text}}


def stopped(at: int) -> dict[str, Any]:
    return prompt(at) | {"uuid": f"i{at}", "message": {"content": [
        {"type": "text", "text": "[Request interrupted by user]"}]}}  # fmt: skip


def assistant_line(at: int, text: str) -> dict[str, Any]:
    return {"type": "assistant", "timestamp": iso(at), "uuid": f"a{at}",
            "message": {"id": "m", "content": [{"type": "text", "text": text}]}}  # fmt: skip


def over(at: int) -> dict[str, Any]:
    return {"type": "system", "subtype": "turn_duration", "timestamp": iso(at), "uuid": f"o{at}"}


async def followed(
    h: TranscriptRig, *already: dict[str, Any], levels: Mapping[Source, Write | None] | None = None
) -> Path:
    """The session file of a Claude in a pane, as a hook named it. ``already``: its lines from before."""
    agent = Agent(levels=dict(levels or {}))
    h.agent(agent)
    path = h.home / "projects" / "-src" / "s-1.jsonl"
    if already:
        h.write(path, *already)
    await h.rig.round(agent)
    await h.named(agent, path)
    return path


@pytest.mark.tc("TC-015")
async def test_an_interrupt_that_no_hook_tells_is_told_by_the_transcript(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h, levels={Source.POLLER: BUSY})
        h.clock.forward(1)
        h.write(path, prompt(h.clock()))
        await h.look()
        assert h.state() is State.RUNNING
        h.clock.forward(3)
        h.write(path, stopped(h.clock()))
        await h.look()
        assert h.state() is State.IDLE
        assert h.rig.the_state().source is Source.TRANSCRIPT


@pytest.mark.tc("TC-185")
@pytest.mark.parametrize("split", [False, True])
async def test_a_turn_that_was_refused_is_idle_though_its_end_is_told_once_more(tmp_path: Path, split: bool) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h, levels={Source.POLLER: BUSY})
        for again in range(2):
            h.clock.forward(2)
            h.write(path, prompt(h.clock()))
            await h.look()
            h.clock.forward(3)
            refused = stopped(h.clock())
            h.write(path, refused)
            if split:
                await h.look()
            h.write(path, over(h.clock() + 3 * MS) | {"parentUuid": refused["uuid"]})
            h.clock.forward(1)
            await h.look()
            assert (h.state(), h.events()) == (State.IDLE, ["prompt", "interrupted"] * (again + 1))
        h.clock.forward(2)
        begun = prompt(h.clock())
        h.write(path, begun, over(h.clock() + NS) | {"parentUuid": begun["uuid"]})
        h.clock.forward(2)
        await h.look()
        assert h.state() is State.COMPLETED


@pytest.mark.tc("TC-052")
async def test_what_nobody_could_take_in_is_told_later(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h, levels={Source.POLLER: BUSY})
        full, post = [True], h.transcripts._post

        async def posting(events: Any) -> object:
            if full[0]:
                raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")
            return await post(events)

        h.transcripts._post = posting
        h.clock.forward(1)
        h.write(path, prompt(h.clock()))
        for _ in range(2):
            with pytest.raises(AgtmuxError):
                await h.look()
            h.clock.forward(1)
            h.write(path, stopped(h.clock()))
        full[0] = False
        await h.look()
        await h.look()
        assert h.events() == ["prompt", "interrupted", "interrupted"]
        assert h.state() is State.IDLE


@pytest.mark.tc("TC-006")
async def test_lines_of_an_agent_whose_clock_was_set_back_are_as_new_as_they_are(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h, levels={Source.POLLER: BUSY})
        h.clock.forward(1)
        h.write(path, prompt(h.clock()))
        await h.look()
        h.ahead = 7200 * NS
        h.clock.forward(3)
        h.write(path, stopped(h.clock() - h.ahead - 100 * MS), over(h.clock() - h.ahead + NS))
        await h.look()
        assert h.state() is State.COMPLETED
        result = h.rig.rows(
            "SELECT event_time FROM events WHERE source = 'transcript' ORDER BY event_time DESC LIMIT 2"
        )
        assert result == [(h.clock(),), (h.clock() - 100 * MS,)], "and none is of a time to come"


@pytest.mark.tc("TC-264")
async def test_the_first_line_of_the_last_message_is_told_without_secrets(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h)
        news: list[bool] = []
        h.transcripts.on_message = lambda: news.append(True)
        assert h.transcripts.headline(h.rig.runtime_id()) is None
        secret = "sk-" + "a1" * 20
        text = f"\n\n  the\x1b[31m plan uses {secret}\nand more"
        h.write(path, prompt(h.clock()), assistant_line(h.clock() + MS, text))
        h.clock.forward(1)
        await h.look()
        line = h.transcripts.headline(h.rig.runtime_id())
        assert line is not None and line[0].startswith("the[31m plan uses ") and "a1a1" not in line[0]
        assert news == [True]
        h.write(path, {**assistant_line(h.clock(), "long " * 100), "message": {"id": "n", "content": "long " * 100}})
        await h.look()
        line = h.transcripts.headline(h.rig.runtime_id())
        assert line is not None and len(line[0]) == 200 and line[1] == h.clock()
        assert h.transcripts.headline("no-such-runtime") is None


@pytest.mark.tc("TC-121")
async def test_the_last_message_is_kept_in_memory_only_and_without_secrets(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h)
        secret = "sk-" + "a1" * 20
        h.write(
            path,
            prompt(h.clock()),
            assistant_line(h.clock() + MS, f"the plan\x1b[31m uses {secret}"),
            over(h.clock() + 2 * MS),
        )
        h.clock.forward(1)
        await h.look()
        found = h.transcripts.last_message(h.rig.runtime_id())
        assert found is not None and found.text == "the plan[31m uses [redacted]"
        assert found.at == T0 + MS
        h.rig.connection.commit()
        assert not any(b"the plan" in file.read_bytes() for file in tmp_path.glob("a.db*"))


@pytest.mark.tc("TC-015")
async def test_what_lies_before_the_last_turn_or_the_process_is_not_told(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        await followed(
            h, prompt(START - 9 * NS), over(START - 8 * NS),
            prompt(START + NS), over(START + 2 * NS), prompt(START + 3 * NS), stopped(START + 4 * NS),
        )  # fmt: skip
        await h.look()
        assert h.events() == ["prompt", "interrupted"]
        assert [row[0] for row in h.rig.rows("SELECT event_time FROM events WHERE source = 'transcript'")] == [
            START + 3 * NS, START + 4 * NS,
        ]  # fmt: skip


@pytest.mark.tc("TC-015")
async def test_a_session_that_was_resumed_says_nothing_of_its_past(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        await followed(h, prompt(START - 9 * NS), assistant_line(START - 8 * NS, "long ago"))
        await h.look()
        assert h.events() == []


@pytest.mark.tc("TC-015")
async def test_a_daemon_that_starts_again_tells_nothing_twice(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h)
        h.write(path, prompt(T0 + MS), over(T0 + 2 * MS))
        h.clock.forward(1)
        await h.look()
        version = h.rig.the_state().state_version
        h.begin()
        h.clock.forward(1)
        await h.look()
        assert h.events() == ["prompt", "turn_duration"]
        assert h.rig.the_state().state_version == version


@pytest.mark.tc("TC-015")
async def test_broken_lines_are_passed_over(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h)
        deep = "[" * 100_000 + "\n"
        h.write(path, "no json\n", "[1]\n", '"text"\n', "null\n", deep, '{"type":"user"', "}\n", "\udcff".encode(
            "utf-8", "surrogateescape").decode("latin-1") + "\n", prompt(T0 + MS), '{"type":"us')  # fmt: skip
        h.clock.forward(1)
        await h.look()
        assert h.events() == ["prompt"]
        assert next(a.errors for a in h.rig.registry if a.name == "claude") == 0


@pytest.mark.tc("TC-050")
@pytest.mark.parametrize("where", ["elsewhere", "link"])
async def test_a_file_outside_the_agents_folder_is_not_read(tmp_path: Path, where: str) -> None:
    async with transcript_rig(tmp_path) as h:
        agent = Agent()
        h.agent(agent)
        outside = tmp_path / "outside.jsonl"
        h.write(outside, prompt(T0 + MS))
        path = outside
        if where == "link":
            path = h.home / "projects" / "s-1.jsonl"
            path.parent.mkdir(parents=True)
            path.symlink_to(outside)
        await h.rig.round(agent)
        await h.named(agent, path)
        h.clock.forward(1)
        await h.look()
        await h.look()
        assert h.events() == []
        assert h.transcripts.counters["transcripts_refused"] == 1


@pytest.mark.tc("TC-015")
async def test_nothing_is_read_where_the_configuration_says_no(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        agent = Agent()
        h.agent(agent)
        path = h.home / "projects" / "s-1.jsonl"
        await h.rig.round(agent)
        await h.named(agent, path)
        h.write(path, prompt(T0 + MS))
        h.on = False
        await h.look()
        assert h.events() == [] and not h.transcripts.follows(h.rig.runtime_id())
        h.on = True
        await h.look()
        assert h.events() == ["prompt"] and h.transcripts.follows(h.rig.runtime_id())


@pytest.mark.tc("TC-015")
async def test_files_are_looked_at_often_only_while_somebody_works(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        assert await h.transcripts.once() == EMPTY
        agent = Agent()
        watched = h.agent(agent)
        await h.rig.round(agent)
        assert await h.transcripts.once() == QUIET
        path = h.home / "projects" / "s-1.jsonl"
        await h.named(agent, path)
        h.write(path, prompt(T0 + MS))
        assert await h.transcripts.once() == BUSY_REST
        h.clock.forward(6)
        assert await h.transcripts.once() == QUIET
        watched.steady[Source.POLLER] = SPINS
        assert await h.transcripts.once() == BUSY_REST


@pytest.mark.tc("TC-015")
async def test_without_hooks_the_status_file_names_the_session_and_another_one_ends_the_last(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        agent = Agent()
        watched = h.agent(agent)
        await h.rig.round(agent)
        status = {"pid": agent.pid, "procStart": agent.start, "cwd": "/src/my.app", "sessionId": "session-1"}
        watched.status_data = status
        failed = {"type": "assistant", "isApiErrorMessage": True, "error": "rate_limit", "timestamp": iso(T0 + MS)}
        h.write(h.home / "projects" / "-src-my-app" / "session-1.jsonl", failed)
        h.clock.forward(1)
        await h.look()
        assert h.state() is State.ERROR
        h.clock.forward(5)
        watched.status_data = {**status, "sessionId": "session-2"}
        await h.look()
        assert h.state() is State.IDLE
        h.clock.forward(1)
        watched.status_data = {**status, "procStart": "1", "sessionId": "session-3"}
        await h.look()
        assert h.events() == ["api_error", "other_session"]


# ---------------------------------------------------------------- a file that nobody names
