"""What Codex's app server says, as it was seen on the real one: asked after little, understood or passed over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.codex.app_server import AFTER_WAIT, AT_ONCE, MOST, Conversation
from agtmuxd.core.model import MS, Claim, Source, Strength
from agtmuxd.core.state.debounce import DebounceState, sample

pytestmark = pytest.mark.tc("TC-016")

ACTIVE = {"type": "active", "activeFlags": []}
APPROVAL = {"type": "active", "activeFlags": ["waitingOnApproval"]}
QUESTION = {"type": "active", "activeFlags": ["waitingOnUserInput"]}
IDLE = {"type": "idle"}


def changed(thread: str, status: object) -> dict[str, Any]:
    return {"method": "thread/status/changed", "params": {"threadId": thread, "status": status}, "emittedAtMs": 1}


def thread(name: str, status: object, parent: str | None = None) -> dict[str, Any]:
    return {"id": name, "sessionId": parent or name, "parentThreadId": parent, "status": status, "ephemeral": False}


class Server:
    """The other side: answers what is asked by the threads that it has."""

    def __init__(self, threads: Mapping[str, object], parents: Mapping[str, str] | None = None) -> None:
        self.threads = dict(threads)
        self.parents = parents or {}
        self.talk = Conversation("9.9")
        self.asked: list[Mapping[str, Any]] = []
        self.play(self.talk.opening())

    def play(self, messages: Any) -> None:
        for message in messages:
            self.asked.append(message)
            if "id" in message:
                self.play(self.talk.receive({"id": message["id"], **self.answer(message["method"], message["params"])}))

    def answer(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if method == "thread/unsubscribe":
            return {"result": {"status": "unsubscribed"}}
        if method == "initialize":
            return {"result": {"userAgent": "codex-tui/0.169.0 (agtmux; 9.9)"}}
        if method == "thread/loaded/list":
            return {"result": {"data": list(self.threads), "nextCursor": None}}
        name = params["threadId"]
        if name not in self.threads:
            return {"error": {"code": -32600, "message": f"thread not found: {name}"}}
        return {"result": {"thread": thread(name, self.threads[name], self.parents.get(name))}}

    def tell(self, message: Mapping[str, Any]) -> None:
        self.play(self.talk.receive(message))

    def claim(self, name: str = "t") -> Claim | None:
        result = self.talk.claim_of(name)
        return result.claim if result is not None else None


def test_only_questions_that_change_no_thread_are_asked_and_by_our_own_name() -> None:
    server = Server({"t": IDLE, "u": ACTIVE})
    server.play(server.talk.ask_again(["t"]))
    server.tell(changed("v", ACTIVE))
    methods = {message["method"] for message in server.asked}
    assert methods == {"initialize", "initialized", "thread/loaded/list", "thread/read"}
    info = {"name": "agtmux", "title": "agtmux", "version": "9.9"}
    assert server.asked[0]["params"] == {"clientInfo": info}
    assert all(
        m["params"] == {"threadId": m["params"]["threadId"]} for m in server.asked if m["method"][-5:] == "/read"
    )


@pytest.mark.parametrize(
    ("status", "claim"),
    [
        (ACTIVE, Claim.RUNNING),
        (APPROVAL, Claim.WAITING_APPROVAL),
        (QUESTION, Claim.WAITING_INPUT),
        ({"type": "active", "activeFlags": ["waitingOnUserInput", "waitingOnApproval"]}, Claim.WAITING_APPROVAL),
        (IDLE, Claim.NOT_RUNNING),
        ({"type": "systemError"}, Claim.ERROR),
        ({"type": "notLoaded"}, None),
        ({"type": "active", "activeFlags": ["waitingOnTheMoon"]}, None),
        ({"type": "active"}, None),
        ({"type": ["idle"]}, None),
        ("idle", None),
        (None, None),
    ],
)
def test_a_status_is_understood_for_certain_or_says_nothing(status: object, claim: Claim | None) -> None:
    """Read or told, it means the same."""
    assert Server({"t": status}).claim() is claim
    server = Server({"t": ACTIVE})
    server.tell(changed("t", status))
    assert server.claim() is claim


def test_a_failure_is_only_a_hint() -> None:
    """Screen and session file tell of it, and when it is past: the server's word stays until the next turn."""
    result = Server({"t": {"type": "systemError"}}).talk.claim_of("t")
    assert result is not None
    assert result.strength is Strength.HINT


def test_an_end_counts_only_once_others_had_the_time_to_tell_how_it_ended() -> None:
    """Seen on the real one: idle is told some milliseconds before the session file's ``task_complete``."""
    server = Server({"t": ACTIVE})
    running = server.talk.claim_of("t")
    server.tell(changed("t", IDLE))
    ended = server.talk.claim_of("t")
    steady = sample(DebounceState(), Source.STATUS, running, 0).steady
    for at in (1000 * MS, 1299 * MS):
        settled = sample(steady, Source.STATUS, ended, at)
        assert settled.changed is None
        steady = settled.steady
    assert sample(steady, Source.STATUS, ended, 1300 * MS).changed is ended


def test_active_after_a_wait_counts_only_once_it_lasted() -> None:
    """A thread whose request was refused is active for an instant; asked anew it is the same word."""
    server = Server({"t": ACTIVE})
    begun = server.talk.claim_of("t")
    assert begun is not None
    assert begun.settle == 0
    for wait in (APPROVAL, QUESTION):
        server.tell(changed("t", wait))
        server.tell(changed("t", ACTIVE))
        resumed = server.talk.claim_of("t")
        assert resumed is not None
        assert (resumed.claim, resumed.settle) == (Claim.RUNNING, AFTER_WAIT)
        server.threads["t"] = ACTIVE
        server.play(server.talk.ask_again(["t"]))
        assert server.talk.claim_of("t") is resumed
        server.tell(changed("t", IDLE))
        server.tell(changed("t", ACTIVE))
        assert server.talk.claim_of("t") is begun


def test_a_word_is_the_same_object_as_long_as_it_is_the_same() -> None:
    server = Server({"t": ACTIVE})
    before = server.talk.claim_of("t")
    server.tell(changed("t", dict(ACTIVE)))
    server.play(server.talk.ask_again(["t"]))
    assert server.talk.claim_of("t") is before


def test_nothing_is_said_before_the_threads_were_told_nor_of_those_that_are_gone() -> None:
    talk = Conversation("1")
    talk.opening()
    assert not talk.ready
    server = Server({"t": ACTIVE})
    assert server.talk.ready
    server.tell({"method": "thread/closed", "params": {"threadId": "t"}})
    assert server.claim() is None
    server.threads = {}
    server.tell({"method": "thread/started", "params": {"thread": thread("u", ACTIVE)}})
    assert server.claim("u") is Claim.RUNNING
    server.play(server.talk.ask_again([]))
    assert server.claim("u") is None, "a thread that the server does not list any more"


def test_what_a_lost_message_told_is_found_by_asking_again() -> None:
    server = Server({"t": ACTIVE})
    server.threads["t"] = APPROVAL
    assert server.claim() is Claim.RUNNING
    server.play(server.talk.ask_again(["t"]))
    assert server.claim() is Claim.WAITING_APPROVAL


def test_a_sub_agents_wait_is_its_terminals() -> None:
    """Its approval comes up in the pane of the thread that it works for; its work lets nobody take that for idle."""
    server = Server({"t": ACTIVE, "helper": ACTIVE, "deep": ACTIVE, "u": IDLE}, {"helper": "t", "deep": "helper"})
    server.tell(changed("deep", APPROVAL))
    assert server.claim() is Claim.WAITING_APPROVAL
    assert server.claim("u") is Claim.NOT_RUNNING
    server.tell(changed("deep", ACTIVE))
    assert server.claim() is Claim.RUNNING
    server.tell(changed("t", IDLE))
    assert server.claim() is None
    server.tell(changed("helper", IDLE))
    server.tell(changed("deep", IDLE))
    assert server.claim() is Claim.NOT_RUNNING


def test_threads_that_are_each_others_parents_end_the_search() -> None:
    server = Server({"a": ACTIVE, "b": ACTIVE, "t": IDLE}, {"a": "b", "b": "a"})
    assert server.claim() is Claim.NOT_RUNNING


REQUEST = {"id": 1, "method": "item/commandExecution/requestApproval", "params": {"threadId": "t"}}


@pytest.mark.parametrize("message", [REQUEST, {"method": "item/started", "params": {"threadId": "t"}}])
def test_who_is_told_what_goes_on_in_a_thread_leaves_it_and_answers_nothing(message: Mapping[str, Any]) -> None:
    """The server subscribes every client to what a sub-agent says and asks; the answer is for its terminal to give."""
    server = Server({"t": APPROVAL})
    (leaving,) = server.talk.receive(message)
    assert (leaving["method"], leaving["params"]) == ("thread/unsubscribe", {"threadId": "t"})
    assert list(server.talk.receive(message)) == [], "it is being left"
    server.talk.receive({"id": leaving["id"], "result": {"status": "unsubscribed"}})
    assert [m["method"] for m in server.talk.receive(message)] == ["thread/unsubscribe"]
    assert server.claim() is Claim.WAITING_APPROVAL


def test_a_sub_agents_thread_is_left_once_as_soon_as_it_is_known() -> None:
    server = Server({"t": ACTIVE})
    server.threads["helper"], server.parents = ACTIVE, {"helper": "t"}
    server.tell(changed("helper", IDLE))
    for _ in range(3):
        server.tell(changed("helper", ACTIVE))
        server.play(server.talk.ask_again(["t"]))
    server.tell({"method": "thread/started", "params": {"thread": thread("another", IDLE, "helper")}})
    server.tell({"method": "thread/started", "params": {"thread": thread("helper", IDLE, "t")}})
    left = [m["params"]["threadId"] for m in server.asked if m["method"] == "thread/unsubscribe"]
    assert left == ["helper", "another"]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"id": None},
        {"id": 99, "result": {}},
        {"id": "1", "result": {}},
        {"method": 1, "params": {}},
        {"method": "thread/status/changed", "params": []},
        {"method": "thread/status/changed", "params": {"threadId": 3, "status": IDLE}},
        {"method": "thread/started", "params": {"thread": "t"}},
        {"method": "thread/started", "params": {"thread": {"id": 7}}},
        {"method": "item/started", "params": {"threadId": 7}},
        {"id": 5, "method": "item/tool/call", "params": None},
    ],
)
def test_what_is_not_understood_changes_nothing(message: Mapping[str, Any]) -> None:
    server = Server({"t": APPROVAL})
    assert list(server.talk.receive(message)) == []
    assert server.claim() is Claim.WAITING_APPROVAL


def test_a_server_that_will_not_talk_is_told_so() -> None:
    talk = Conversation("1")
    (hello,) = talk.opening()
    with pytest.raises(ValueError, match="refused initialize"):
        talk.receive({"id": hello["id"], "error": {"code": -32600, "message": "Not initialized"}})
    talk = Conversation("1")
    (hello,) = talk.opening()
    _, listing = talk.receive({"id": hello["id"], "result": {}})
    with pytest.raises(ValueError, match="does not list"):
        talk.receive({"id": listing["id"], "result": {"data": "t"}})


def test_threads_and_open_questions_are_bounded() -> None:
    talk = Conversation("1")
    (hello,) = talk.opening()
    _, listing = talk.receive({"id": hello["id"], "result": {}})
    names = [f"t{n}" for n in range(3 * MOST)]
    open_questions = list(talk.receive({"id": listing["id"], "result": {"data": names}}))
    assert len(open_questions) == AT_ONCE
    read = set()
    while open_questions:
        question = open_questions.pop(0)
        name = question["params"]["threadId"]
        read.add(name)
        open_questions += talk.receive({"id": question["id"], "result": {"thread": thread(name, ACTIVE)}})
        assert len(open_questions) <= AT_ONCE
    assert read == set(names[:MOST])
    for name in names:
        talk.receive(changed(name, APPROVAL))
    assert sum(talk.claim_of(name) is not None for name in names) == MOST


def test_the_socket_lies_in_codexs_own_folder() -> None:
    path = CodexAdapter().server_socket(Path("/h/.codex"))
    assert str(path) == "/h/.codex/app-server-control/app-server-control.sock"
