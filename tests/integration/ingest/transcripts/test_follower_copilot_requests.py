"""Requests of Copilot: each has a register of its own, and none is lost with another's answer.

Nor is one waited for that was answered before its line was read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.model import MS, RawEvent, Source, State, Write
from tests.integration.ingest.transcripts.transcript_rig import (
    TranscriptRig,
    copilot,
    log_of,
    logged,
    shell,
    transcript_rig,
)
from tests.rig import BUSY, QUIET, T0, Agent, Clock, Rig, box, event


async def after(h: TranscriptRig, *lines: dict[str, Any]) -> State:
    """The state once the log has these lines, too."""
    h.write(log_of(h, "session-1"), *lines)
    h.clock.forward(0.1)
    await h.look()
    return h.state()


async def asked_twice(h: TranscriptRig, agent: Agent) -> None:
    await h.rig.round(agent)
    begun = logged(T0 + MS, "user.message", content="do both")
    first = logged(T0 + 2 * MS, "permission.requested", **shell("first", "make one"))
    second = logged(T0 + 3 * MS, "permission.requested", **shell("second", "make two"))
    assert await after(h, begun, first, second) is State.WAITING_APPROVAL


@pytest.mark.tc("TC-036")
async def test_the_answer_to_one_request_leaves_the_other_one_open(tmp_path: Path) -> None:
    """Whatever the screen shows meanwhile, be it nothing that a rule knows."""
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await asked_twice(h, c.agent)
        assert await after(h, logged(h.clock(), "permission.completed", requestId="first")) is State.WAITING_APPROVAL
        waits = h.rig.the_state().waiting_for
        assert waits is not None and waits.text == "make two"
        assert await after(h, logged(h.clock(), "permission.completed", requestId="second")) is State.RUNNING


@pytest.mark.tc("TC-036")
async def test_an_interrupt_ends_all_requests_of_the_main_agent(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await asked_twice(h, c.agent)
        assert await after(h, logged(h.clock(), "abort", reason="user_initiated")) is State.IDLE


@pytest.mark.tc("TC-036")
@pytest.mark.parametrize("end", ["subagent.completed", "subagent.failed"])
async def test_a_sub_agent_that_ended_asks_nothing_any_more(tmp_path: Path, end: str) -> None:
    """Its question has no id of its own. Its requests have, and each was decided in all that was recorded."""
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await h.rig.round(c.agent)
        asked = logged(T0 + 2 * MS, "tool.execution_start", toolName="ask_user", arguments={"question": "Which?"})
        begun = logged(T0 + MS, "user.message", content="do it")
        assert await after(h, begun, {**asked, "agentId": "sub-agent-1"}) is State.WAITING_INPUT
        assert await after(h, {**logged(h.clock(), end), "agentId": "sub-agent-1"}) is State.RUNNING


@pytest.mark.tc("TC-036")
async def test_a_long_session_does_not_keep_what_was_said_of_each_request(tmp_path: Path) -> None:
    """And what is told of one of them again changes nothing."""
    async with transcript_rig(tmp_path) as h, copilot(h) as c:
        await h.rig.round(c.agent)
        h.write(log_of(h, "session-1"), logged(T0 + MS, "user.message", content="do all of it"))
        old = h.clock()
        for number in range(120):
            at = h.clock.forward(0.1)
            h.write(log_of(h, "session-1"), logged(at, "permission.requested", **shell(f"r{number}", "make")))
            c.agent.levels = {Source.POLLER: box()}
            await h.look()
            await h.rig.round(c.agent)
            at = h.clock.forward(1)
            h.write(log_of(h, "session-1"), logged(at, "permission.completed", requestId=f"r{number}"))
            c.agent.levels = {Source.POLLER: BUSY if number % 10 else QUIET}
            await h.look()
            for _ in range(3):
                h.clock.forward(0.5)
                await h.rig.round(c.agent)
        runtime = h.rig.runtime_id()
        kept = h.rig.pipeline.repository.registers[runtime]
        assert len(kept) < 60
        assert len(h.rig.rows("SELECT subject FROM candidates")) == len(kept)
        h.write(log_of(h, "session-1"), logged(old + 1, "permission.requested", **shell("r0-again", "make")))
        await h.look()
        assert h.state() is not State.WAITING_APPROVAL


@pytest.mark.tc("TC-015")
async def test_a_wait_that_the_log_tells_late_does_not_count_against_a_newer_screen(tmp_path: Path) -> None:
    """The request was granted, and the screen has been showing work since, before its line was read."""
    async with transcript_rig(tmp_path) as h, copilot(h, {Source.POLLER: BUSY}) as c:
        await h.rig.round(c.agent)
        for _ in range(20):
            h.clock.forward(0.1)
            await h.rig.round(c.agent)
        h.write(log_of(h, "session-1"), logged(T0 + 10 * MS, "permission.requested", requestId="r"))
        await h.look()
        assert h.events() == ["permission.requested"]
        assert h.state() is State.RUNNING
        # the same line in time: the wait is told before the screen shows it
        h.write(log_of(h, "session-1"), logged(h.clock(), "permission.requested", requestId="s"))
        await h.look()
        assert h.state() is State.WAITING_APPROVAL
        assert await after(h, logged(h.clock() + MS, "permission.completed", requestId="s")) is State.RUNNING


def hook(name: str, agent: Agent, at: int, **payload: object) -> RawEvent:
    return event(name, agent, at=at, payload={"sessionId": "session-1", "cwd": "/src", **payload})


@pytest.mark.tc("TC-036")
@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("Run command: make two: all of it", {"command": "make two: all of it"}),
        ("Edit file: /src/note.txt", {"path": "note.txt"}),
        ("Path permission needed: /etc/hostname", {"path": "/etc/hostname"}),
    ],
)
async def test_a_tool_that_ran_answers_its_own_request_and_no_other(
    tmp_path: Path, message: str, args: dict[str, str]
) -> None:
    """Hooks alone, on whatever screen: they name no request, but what it is about."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        agent = Agent(kind="copilot")
        await rig.round(agent)
        await rig.post(hook("userPromptSubmitted", agent, T0, prompt="do both"))
        for n, text in enumerate(("Run command: make one", message)):
            asked = {"notification_type": "permission_prompt", "message": text}
            await rig.post(hook("notification", agent, T0 + (n + 1) * MS, **asked))
        assert rig.the_state().state is State.WAITING_APPROVAL
        await rig.post(hook("postToolUse", agent, T0 + 5 * MS, toolName="bash", toolArgs={"command": "make one"}))
        assert rig.the_state().state is State.WAITING_APPROVAL
        await rig.post(hook("postToolUse", agent, T0 + 6 * MS, toolName="view", toolArgs=args))
        assert rig.the_state().state is State.RUNNING


@pytest.mark.tc("TC-036")
@pytest.mark.parametrize("shown", [BUSY, QUIET])
async def test_the_main_agents_end_leaves_a_sub_agents_request_open_until_the_screen_shows_none(
    tmp_path: Path, shown: Write
) -> None:
    """The hook does not say whose request it is; an agent in the background asks after the main one's last words."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        agent = Agent(kind="copilot", levels={Source.POLLER: box()})
        await rig.round(agent)
        asked = {"notification_type": "permission_prompt", "message": "Run command: make"}
        await rig.post(hook("notification", agent, T0, **asked))
        await rig.post(hook("agentStop", agent, T0 + MS, stopReason="end_turn"))
        agent.levels = {Source.POLLER: None}  # a screen that no rule knows
        for _ in range(20):
            rig.clock.forward(0.1)
            await rig.round(agent)
        assert rig.the_state().state is State.WAITING_APPROVAL
        agent.levels = {Source.POLLER: shown}
        for _ in range(20):
            rig.clock.forward(0.1)
            await rig.round(agent)
        assert rig.the_state().state is (State.RUNNING if shown is BUSY else State.COMPLETED)


@pytest.mark.tc("TC-036")
async def test_a_sub_agents_tool_that_ran_answers_its_request(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        agent = Agent(kind="copilot")
        await rig.round(agent)
        await rig.post(hook("userPromptSubmitted", agent, T0, prompt="do it"))
        asked = {"notification_type": "permission_prompt", "message": "Run command: make"}
        await rig.post(hook("notification", agent, T0 + MS, **asked))
        assert rig.the_state().state is State.WAITING_APPROVAL
        of_it = {"sessionId": "sub", "agentId": "sub", "parentAgentId": "session-1"}
        ran = {"toolName": "bash", "toolArgs": {"command": "make"}}
        await rig.post(hook("postToolUse", agent, T0 + 2 * MS, **of_it, **ran))
        assert rig.the_state().state is State.RUNNING
        assert rig.rows("SELECT agent_session_id FROM runtimes") == [("session-1",)]
