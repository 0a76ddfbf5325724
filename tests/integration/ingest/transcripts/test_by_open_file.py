"""Sessions of Copilot: which one a process has, how often that is asked, and whose hooks count where it has several."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.core.model import MS, NS, Source, State
from agtmuxd.targets.local.process_table import count_open, read_open
from tests.integration.ingest.transcripts.transcript_rig import (
    SPINS,
    TranscriptRig,
    copilot,
    holder,
    log_of,
    logged,
    shell,
    transcript_rig,
)
from tests.rig import DONE, QUIET, T0, Agent, Clock, Rig, event


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Each process that was asked for the names of its open files, as often as it was."""
    if not count_open(os.getpid()):
        pytest.skip("this kernel does not tell how many files are open")
    pids: list[int] = []

    def names(pid: int) -> list[str]:
        pids.append(pid)
        return read_open(pid)

    monkeypatch.setattr("agtmuxd.targets.local.process_table.read_open", names)
    return pids


@pytest.mark.tc("TC-015")
async def test_copilots_log_is_known_by_what_its_process_holds_open(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await h.rig.round(c.agent)
        # another pane's session in the same folder, which says something newer
        h.write(log_of(h, "session-9"), logged(T0 + 3 * MS, "abort", reason="user_initiated"))
        h.write(log_of(h, "session-1"), logged(T0 + MS, "user.message", content="do it"))
        h.clock.forward(1)
        await h.look()
        assert h.state() is State.RUNNING
        h.clock.forward(1)
        h.write(log_of(h, "session-1"), logged(h.clock(), "session.error", errorType="quota", message="no more"))
        await h.look()
        assert h.state() is State.ERROR
        assert h.rig.rows("SELECT agent_session_id FROM runtimes") == [("session-1",)]


@pytest.mark.tc("TC-015")
async def test_another_session_of_the_same_process_leaves_the_last_ones_end_behind(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await h.rig.round(c.agent)
        stop = {"sessionId": "session-1", "transcriptPath": str(log_of(h, "session-1")), "stopReason": "end_turn"}
        await h.rig.post(event("agentStop", c.agent, at=T0, payload=stop))
        h.write(log_of(h, "session-1"), logged(T0 + MS, "session.error", message="no more"))
        h.clock.forward(1)
        await h.look()
        assert h.state() is State.ERROR
        c.go_over("session-2")
        h.clock.forward(3)  # at rest it is not asked more often
        await h.look()
        assert h.state() is State.IDLE
        h.write(log_of(h, "session-1"), logged(h.clock(), "user.message", content="of nobody"))
        h.write(log_of(h, "session-2"), logged(h.clock() - 99 * NS, "user.message", content="long ago"))
        h.clock.forward(1)
        await h.look()
        assert h.state() is State.IDLE
        assert h.events() == ["session.error", "other_session"]


@pytest.mark.tc("TC-015")
async def test_of_several_sessions_of_one_process_none_is_read_until_one_is_left(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await h.rig.round(c.agent)
        h.write(log_of(h, "session-1"), logged(T0 + MS, "assistant.message", content="hi", toolRequests=[]))
        h.clock.forward(1)
        await h.look()
        assert h.state() is State.COMPLETED
        assert h.transcripts.last_message(h.rig.runtime_id()) is not None
        h.moved = lambda: "nothing else did"
        await h.look()
        c.go_over("+session-2")
        h.clock.forward(1)
        await h.look()
        at = h.clock()
        h.write(log_of(h, "session-1"), logged(at, "user.message", content="in the background"))
        h.write(log_of(h, "session-2"), logged(at, "user.message", content="in front, as far as anybody knows"))
        stop = {"sessionId": "session-2", "transcriptPath": str(log_of(h, "session-2")), "stopReason": "end_turn"}
        await h.rig.post(event("agentStop", c.agent, at=at, payload=stop))
        h.clock.forward(1)
        await h.look()
        assert h.events() == ["assistant.message", "other_session"]
        assert h.transcripts.last_message(h.rig.runtime_id()) is None
        c.go_over("session-3")  # both others were closed
        h.clock.forward(1)
        await h.look()
        h.write(log_of(h, "session-3"), logged(h.clock(), "user.message", content="alone"))
        h.clock.forward(1)
        await h.look()
        assert h.events() == ["assistant.message", "other_session", "other_session", "user.message"]
        assert h.state() is State.RUNNING


@pytest.mark.tc("TC-015")
async def test_names_of_open_files_are_asked_of_a_process_at_rest_only_now_and_then(
    tmp_path: Path, asked: list[int]
) -> None:
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await h.rig.round(c.agent)
        for seconds, count in ((0.1, 1), (0.1, 1), (1, 1), (1, 1), (1, 2), (1, 2)):
            h.clock.forward(seconds)
            await h.look()
            assert len(asked) == count
        c.go_over("+session-2")
        h.clock.forward(1)
        await h.look()
        assert len(asked) == 3
        c.watched.steady[Source.POLLER] = SPINS
        h.clock.forward(1)
        await h.look()
        assert len(asked) == 4


@pytest.mark.tc("TC-015")
async def test_what_another_life_of_the_process_holds_open_is_not_read(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        with holder(h.home) as (proc, go_over), holder(h.home) as (_, other):
            gone = replace(proc, start=str(int(proc.start) - 1))
            agent = Agent(kind="copilot", pid=gone.pid, start=gone.start)
            h.agent(agent, gone)
            go_over("session-1")
            other("session-2")
            await h.rig.round(agent)
            for session in ("session-1", "session-2"):
                h.write(log_of(h, session), logged(T0 + MS, "user.message", content="do it"))
            h.clock.forward(1)
            await h.look()
            assert h.events() == [] and not h.transcripts.follows(h.rig.runtime_id())


@pytest.mark.tc("TC-015")
async def test_open_files_of_a_process_whose_screen_is_as_it_was_are_hardly_ever_named(
    tmp_path: Path, asked: list[int]
) -> None:
    """Going over to another session moves the screen: then they are named again within three seconds."""
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        c.watched.screen = ("a prompt", "title", True, True, 0, 0)
        await h.rig.round(c.agent)
        for seconds, count in ((0.1, 1), (1, 1), (3, 2), (3, 2), (8, 2), (3, 2), (1, 3), (3, 3)):
            h.clock.forward(seconds)
            await h.look()
            assert len(asked) == count
        c.go_over("session-2")  # as many files as before
        c.watched.screen = ("another prompt", "title", True, True, 0, 0)
        h.clock.forward(1)
        await h.look()
        assert len(asked) == 4
        assert h.events() == ["other_session"]
        for seconds, count in ((1, 4), (3, 5), (3, 5), (8, 5)):  # it may have been drawn before that was done
            h.clock.forward(seconds)
            await h.look()
            assert len(asked) == count


async def shown(h: TranscriptRig, agent: Agent, seconds: float) -> State:
    """The state after so long, in which screen and logs were read again and again."""
    for _ in range(int(seconds * 10)):
        h.clock.forward(0.1)
        await h.look()
        await h.rig.round(agent)
    return h.state()


@pytest.mark.tc("TC-036")
async def test_what_a_session_behind_asks_is_told_though_no_screen_shows_it(tmp_path: Path) -> None:
    """``/new`` left it at work: Copilot shows nothing of its request but in the sidebar, where that is open."""
    async with transcript_rig(tmp_path) as h, copilot(h, {Source.POLLER: QUIET}) as c:
        h.write(log_of(h, "session-1"), logged(T0 + MS, "user.message", content="do it"))
        assert await shown(h, c.agent, 2) is State.IDLE
        c.go_over("+session-2")
        assert await shown(h, c.agent, 5) is State.IDLE
        h.write(log_of(h, "session-1"), logged(h.clock(), "permission.requested", **shell("r", "make")))
        h.write(log_of(h, "session-1"), logged(h.clock() + MS, "permission.requested", **shell("s", "make all")))
        assert await shown(h, c.agent, 5) is State.WAITING_APPROVAL
        waits = h.rig.the_state().waiting_for
        assert waits is not None and waits.subject == "shell (session session-)" and waits.text in ("make", "make all")
        h.write(log_of(h, "session-1"), logged(h.clock(), "permission.completed", requestId="r"))
        h.write(log_of(h, "session-2"), logged(h.clock(), "user.message", content="meanwhile"))
        assert await shown(h, c.agent, 5) is State.WAITING_APPROVAL
        h.write(log_of(h, "session-1"), logged(h.clock(), "permission.completed", requestId="s"))
        assert await shown(h, c.agent, 1) is State.IDLE
        assert h.rig.rows("SELECT agent_session_id FROM runtimes") == [("session-2",)]


@pytest.mark.tc("TC-036")
async def test_a_question_of_a_session_behind_is_open_until_its_model_is_called_again(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h, copilot(h, {Source.POLLER: QUIET}) as c:
        c.go_over("+session-2")
        asked = {"toolName": "ask_user", "arguments": {"message": "Red or blue?"}}
        h.write(log_of(h, "session-1"), logged(T0 + MS, "tool.execution_start", **asked))
        assert await shown(h, c.agent, 3) is State.WAITING_INPUT
        h.write(log_of(h, "session-2"), logged(h.clock(), "assistant.turn_start"))
        assert await shown(h, c.agent, 1) is State.WAITING_INPUT
        h.write(log_of(h, "session-1"), logged(h.clock(), "assistant.turn_start"))
        assert await shown(h, c.agent, 1) is State.IDLE


@pytest.mark.tc("TC-036")
async def test_a_failure_that_is_cleared_away_is_past_once_its_session_is_left(tmp_path: Path) -> None:
    """Its last line says so, before the process is asked which session it has now; a completion stays as it was."""
    async with transcript_rig(tmp_path) as h, copilot(h, {Source.POLLER: QUIET}) as c:
        h.write(log_of(h, "session-1"), logged(T0 + MS, "session.error", message="no more"))
        assert await shown(h, c.agent, 2) is State.ERROR
        h.write(log_of(h, "session-1"), logged(h.clock(), "session.shutdown"))
        assert await shown(h, c.agent, 0.3) is State.IDLE
        c.agent.levels = {Source.POLLER: DONE}
        assert await shown(h, c.agent, 1) is State.COMPLETED
        h.write(log_of(h, "session-1"), logged(h.clock(), "session.shutdown"))  # the program ends
        assert await shown(h, c.agent, 1) is State.COMPLETED


@pytest.mark.tc("TC-036")
async def test_hooks_of_a_session_behind_say_nothing_of_the_turn_that_shows(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        agent = Agent(kind="copilot")
        await rig.round(agent)

        async def output(name: str, session: str, **more: object) -> State:
            at = rig.clock.forward(0.01)
            payload = {"sessionId": session, "transcriptPath": f"/x/{session}", **more}
            await rig.post(event(name, agent, at=at, payload=payload))
            return rig.the_state().state

        assert await output("userPromptSubmitted", "one", prompt="do it") is State.RUNNING
        assert await output("sessionStart", "two", source="new") is State.RUNNING
        assert await output("userPromptSubmitted", "two", prompt="do that") is State.RUNNING
        assert await output("agentStop", "one", stopReason="end_turn") is State.RUNNING
        asked = {"notification_type": "permission_prompt", "message": "Run command: make"}
        assert await output("notification", "one", **asked) is State.WAITING_APPROVAL
        ran = {"toolName": "bash", "toolArgs": {"command": "make"}}
        assert await output("postToolUse", "one", **ran) is State.RUNNING
        assert await output("agentStop", "two", stopReason="end_turn") is State.COMPLETED
        assert await output("preToolUse", "one", toolName="bash") is State.COMPLETED
        assert await output("sessionEnd", "one", reason="user_exit") is State.COMPLETED
        found = rig.rows("SELECT agent_session_id, task, transcript_path FROM runtimes")
        assert found == [("two", "do that", "/x/two")]
