"""What Copilot's event log tells, by logs that the real program wrote (``logs``, long texts cut)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.contract import OpenFileAdapter, TranscriptAdapter, TranscriptEvent, TranscriptOwner
from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.core.model import Claim, Phase, RawEvent, Signal, Source, WaitingFor

LOGS = Path(__file__).parent / "logs"
ADAPTER = CopilotAdapter()
AT = "2026-01-01T00:00:01.250Z"
NS_AT = 1_767_225_601_250_000_000


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LOGS / f"{log}.jsonl").read_text(encoding="utf-8").splitlines()]


def line(kind: str, agent: str | None = None, **data: Any) -> dict[str, Any]:
    return {"type": kind, "id": "1", "timestamp": AT, "data": data} | ({"agentId": agent} if agent else {})


def read(one: dict[str, Any]) -> TranscriptEvent | None:
    return ADAPTER.read_line(one)


def signal(one: dict[str, Any]) -> Signal | None:
    """What the door makes of a line, None where it tells no event."""
    result = read(one)
    if result is None or result.event is None:
        return None
    raw = RawEvent(
        "e", result.event, Source.TRANSCRIPT, "copilot", result.at, result.at, "k", payload=dict(result.payload)
    )
    return ADAPTER.normalise(raw, {})


def turns(log: str) -> list[str]:
    """What was claimed of the turn, line by line; a claim that only says the same again is left out."""
    found: list[str] = []
    for one in lines(log):
        signalled = signal(one)
        for write in signalled.writes if signalled is not None else ():
            claim = write.claim and str(write.claim)
            if write.subject == "turn" and claim is not None and found[-1:] != [claim]:
                found.append(claim)
    return found


def subjects(log: str, prefix: str) -> list[tuple[str, Claim | None]]:
    """What was said of one kind of subject, without what withdrew nothing."""
    open_now: dict[str, Claim] = {}
    found: list[tuple[str, Claim | None]] = []
    for one in lines(log):
        signalled = signal(one)
        for write in signalled.writes if signalled is not None else ():
            if not write.subject.startswith(prefix) or (write.claim is None and write.subject not in open_now):
                continue
            found.append((write.subject, write.claim))
            if write.claim is None:
                del open_now[write.subject]
            else:
                open_now[write.subject] = write.claim
    return found


@pytest.mark.tc("TC-016")
def test_the_adapter_reads_a_transcript_and_knows_it_by_open_files() -> None:
    assert isinstance(ADAPTER, TranscriptAdapter)
    assert isinstance(ADAPTER, OpenFileAdapter)


@pytest.mark.tc("TC-016")
def test_each_interrupt_is_told_whatever_key_made_it() -> None:
    assert turns("interrupts") == ["running", "idle", "running", "idle", "running", "idle", "running", "completed"]


@pytest.mark.tc("TC-016")
def test_a_request_is_open_until_it_is_decided_and_a_refusal_ends_the_turn_or_not_as_the_log_says() -> None:
    result = subjects("requests", "tool:")
    assert [claim for _, claim in result] == [Claim.WAITING_APPROVAL, None] * 5
    assert [subject for subject, _ in result[::2]] == [subject for subject, _ in result[1::2]]
    assert len({subject for subject, _ in result}) == 5
    assert subjects("requests", "approval:") == []
    # cancelled; refused with words, so the turn goes on; granted; one granted and the next one interrupted
    assert turns("requests") == ["running", "idle", "running", "completed", "running", "completed", "running", "idle"]


@pytest.mark.tc("TC-016")
def test_a_request_says_what_it_is_about() -> None:
    one = next(x for x in lines("requests") if x["type"] == "permission.requested")
    found = signal(one)
    assert found is not None
    command = "touch made-by-shell.txt && sleep 3 && echo shell-ok"
    assert found.writes[0].waiting_for == WaitingFor("approval", subject="shell", text=command)
    assert found.writes[0].accepts_input is False


@pytest.mark.tc("TC-016")
def test_every_failure_that_was_given_up_is_an_error_and_retries_are_none() -> None:
    assert turns("failures") == ["running", "error"] * 4 + ["running", "completed"]
    one = next(x for x in lines("failures") if x["type"] == "session.error")
    found = signal(one)
    assert found is not None and (found.writes[0].detail or "").startswith("Failed to get response from the AI model")


@pytest.mark.tc("TC-016")
def test_a_question_is_open_until_the_model_is_called_again() -> None:
    asked, answered = ("approval:main", Claim.WAITING_INPUT), ("approval:main", None)
    assert subjects("questions", "approval:") == [asked, answered] * 3  # answered, dismissed, interrupted
    assert turns("questions") == ["running", "completed"] * 3
    one = next(x for x in lines("questions") if x["type"] == "tool.execution_start")
    found = signal(one)
    assert found is not None
    assert found.writes[0].waiting_for == WaitingFor(
        "question", "ask_user", "Which colour should the lab use?", ("Red", "Blue")
    )


@pytest.mark.tc("TC-016")
def test_a_sub_agent_of_the_turn_tells_of_its_own_requests_and_of_nothing_else() -> None:
    assert turns("subagents") == ["running", "completed"] * 2
    [(opened, first), (closed, then)] = subjects("subagents", "approval:")
    assert opened == closed
    assert opened.startswith("approval:d86d492b-a0ce-418a-aa8a-5c85bc521031:")
    assert (first, then) == (Claim.WAITING_APPROVAL, None)
    assert ADAPTER.last_message(lines("subagents")) == "Finished: the tool call has returned."


@pytest.mark.tc("TC-016")
def test_an_agent_in_the_background_keeps_the_request_running_until_it_ended() -> None:
    [(opened, first), (closed, then)] = subjects("background-agent", "agent:")
    assert opened == closed
    assert (first, then) == (Claim.RUNNING, None)
    assert turns("background-agent") == ["running", "completed", "running", "completed"]


@pytest.mark.tc("TC-016")
def test_a_queued_prompt_begins_a_turn_and_one_that_steers_does_not() -> None:
    assert [result.payload for x in lines("queued") if (result := read(x)) and result.begins] == [
        {"prompt": "slow count"}, {"prompt": "hello queued"},
    ]  # fmt: skip
    assert [result.payload for x in lines("steered") if (result := read(x)) and result.begins] == [
        {"prompt": "longbash please"}
    ]
    assert turns("queued") == ["running", "completed"] * 2
    assert turns("steered") == ["running", "completed"]


@pytest.mark.tc("TC-015")
def test_the_last_message_is_the_main_agents_last_words() -> None:
    assert ADAPTER.last_message(lines("queued")) == "Hello from the fake model. Have a nice day."
    pieces = [
        line("assistant.message", content=text, toolRequests=[], chunkIndex=i, chunkCount=2, apiCallId="c")
        for i, text in enumerate(("one", "two"))
    ]
    assert ADAPTER.last_message(pieces) == "one\n\ntwo"
    assert [bool(signal(piece)) for piece in pieces] == [False, True]


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    "one",
    [
        {}, {"type": "abort"}, {"type": "abort", "timestamp": AT}, line("abort") | {"timestamp": 5},
        {"type": "user.message", "timestamp": AT, "data": "text"}, {"type": ["abort"], "timestamp": AT, "data": {}},
        line("assistant.message", content=None), line("assistant.message", content=" ", toolRequests=[]),
        line("assistant.turn_end", turnId="0"), line("tool.execution_start", toolName="bash"),
        line("session.start"), line("from-next-year"), line("permission.requested", resolvedByHook=True),
        line("user.message", agent="a", content="hi"), line("assistant.turn_start", parentToolCallId="t"),
        line("subagent.started", agent="a", executionMode="sync"), line("abort", agent="a"),
    ],
)  # fmt: skip
def test_what_is_not_understood_or_a_sub_agents_says_nothing(one: dict[str, Any]) -> None:
    assert read(one) is None


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    "data",
    [
        {"content": "words"}, {"content": "words", "toolRequests": None}, {"content": "words", "toolRequests": [{}]},
        {"content": "words", "toolRequests": [], "chunkIndex": 0, "chunkCount": 2},
        {"content": "words", "toolRequests": [], "chunkCount": 2},
    ],
)  # fmt: skip
def test_words_that_something_may_follow_are_no_end(data: dict[str, Any]) -> None:
    message = read(line("assistant.message", **data))
    assert message is not None and message.event is None and message.message == "words"


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    "data", [{"permissionRequest": 5}, {}, {"permissionRequest": {"kind": [], "fullCommandText": 7}}]
)
def test_a_request_of_an_unknown_kind_is_still_one(data: dict[str, Any]) -> None:
    found = signal(line("permission.requested", **data))
    assert found is not None and found.writes[0].claim is Claim.WAITING_APPROVAL


@pytest.mark.tc("TC-016")
def test_a_line_counts_at_its_own_time_and_an_event_that_no_line_tells_changes_nothing() -> None:
    result = read(line("abort", reason="user_abort"))
    assert result is not None and result.at == NS_AT and result.event_id == "1"
    raw = RawEvent("e", "made_up", Source.TRANSCRIPT, "copilot", 1, 1, "k", payload={"x": 1})
    assert ADAPTER.normalise(raw, {}).writes == ()


@pytest.mark.tc("TC-016")
def test_no_words_of_the_agent_are_in_what_is_stored() -> None:
    for log in LOGS.glob("*.jsonl"):
        for one in lines(log.stem):
            message = read(one)
            if message is not None and message.message is not None:
                assert message.message not in json.dumps(dict(message.payload))
    message = read(line("user.message", content="fix the shed\nit leaks"))
    assert message is not None and message.payload == {"prompt": "fix the shed"}


@pytest.mark.tc("TC-015")
def test_the_log_is_that_of_the_session_that_the_process_holds_open(tmp_path: Path) -> None:
    home = tmp_path / "link"
    (tmp_path / "real").mkdir()
    home.symlink_to(tmp_path / "real")
    root = tmp_path / "real" / "session-state"
    one, two = f"{root}/0feac968-d955-465f/inuse.7.hold", f"{root}/1feac968-d955-465f/inuse.7.hold"
    program = "/home/u/.cache/copilot/pkg/linux-x64/1.0.102/inuse.7.hold"
    others = ["/dev/pts/1", f"{root}/0feac968-d955-465f/session.db", "/elsewhere/session-state/abcdefgh-1/inuse.7.hold"]
    log = home / "session-state" / "0feac968-d955-465f" / "events.jsonl"
    assert ADAPTER.open_transcripts([*others, program, one], home) == (
        TranscriptOwner(log, "0feac968-d955-465f", "1.0.102"),
    )
    assert ADAPTER.open_transcripts([one], home) == (TranscriptOwner(log, "0feac968-d955-465f", None),)
    assert ADAPTER.open_transcripts(others, home) == ()
    assert [held.session_id[0] for held in ADAPTER.open_transcripts([two, one], home)] == ["0", "1"]
    assert ADAPTER.open_transcripts([f"{root}/../inuse.7.hold", f"{root}/a/b/inuse.7.hold"], home) == ()


@pytest.mark.tc("TC-016")
def test_what_a_session_before_left_is_past_once_the_process_has_another() -> None:
    raw = RawEvent("e", "other_session", Source.TRANSCRIPT, "copilot", 1, 1, "k", payload={"agent_version": "1.0.102"})
    found = ADAPTER.normalise(raw, {})
    assert (found.writes[0].claim, found.writes[0].phase) == (Claim.IDLE, Phase.END)
    assert found.agent_version == "1.0.102"
