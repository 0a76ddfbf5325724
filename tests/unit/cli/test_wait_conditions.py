"""agtmux wait COND: it makes one wait, goes on across lost connections, and says what was met."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest

from agtmux.cli.context import App
from agtmux.cli.wait_conditions import Connection, is_condition, wait_for
from agtmux.client import Client
from agtmux.protocol.backoff import delays
from agtmux.protocol.errors import AgtmuxError
from tests.unit.daemon_stub import STAMP, Call, Stub, agtmux, error, listing, out, pane

DROPS = 20


def condition(text: str, state: str = "met", **more: Any) -> dict[str, Any]:
    return {"condition": text, "watches": text, "state": state, "at": STAMP, "result": None, "reason": None, **more}


def wait(state: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    item = {
        "wait_id": "w-1", "owner": "person", "mode": "all", "needed": 2, "state": state, "deadline": STAMP,
        "met": sum(one["state"] == "met" for one in conditions), "conditions": list(conditions),
        "created_at": STAMP, "ended_at": None,
    }  # fmt: skip
    return {"schema_version": "1.0", "generated_at": STAMP, "replayed": False, "item": item}


OPEN = wait("open", condition("signal:a", "open"))
MET = wait("met", condition("state:claude-1=idle", result={"state": "idle"}), condition("signal:a", result={"seq": 7}))


class Terminal:
    """The options of a command, with a client for the stub. ``lines``: what it said on stderr."""

    def __init__(self, stub: Stub) -> None:
        self.stub, self.lines, self.starts = stub, list[str](), list[bool]()

    def client(self, *, autostart: bool = True, timeout: float = 10.0) -> Client:
        self.starts.append(autostart)
        return Client([str(self.stub.socket)], timeout=timeout)

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.tc("TC-761")
def test_a_daemon_that_drops_twenty_connections_is_asked_again_at_growing_pauses(stub: Stub) -> None:
    """From half a second to five, each longer by chance, one message, and never a loop without a pause."""
    drops = iter(range(DROPS))

    def answer(_: Call) -> tuple[int, Any]:
        if next(drops, None) is not None:
            raise ConnectionError("the stub hangs up")
        return 200, MET

    stub.answer("POST /v1/waits", OPEN)
    stub.routes["GET /v1/waits/w-1"] = answer
    slept: list[float] = []
    terminal = Terminal(stub)
    connection = Connection(cast(App, terminal), 3600, sleep=slept.append)
    connection.ask(lambda client: client.create_wait({}))
    assert connection.ask(lambda client: client.get_wait("w-1", 45)).json()["item"]["state"] == "met"
    assert len(slept) == DROPS
    least = list(islice(delays(chance=lambda: 0.0), DROPS))
    assert all(low <= pause <= low * 1.3 for low, pause in zip(least, slept, strict=True))
    assert (least[0], least[-1]) == (0.5, 5.0)
    assert len(set(slept[5:])) > 1, "two programs do not ask in step"
    assert terminal.lines == ["lost the daemon; waiting for it to come back"]
    assert terminal.starts.count(True) == 1, "only the first try may start a daemon"


@pytest.mark.tc("TC-761")
def test_a_request_whose_answer_was_lost_is_sent_again_with_its_name(stub: Stub, monkeypatch: Any) -> None:
    lost = iter([True])

    def create(_: Call) -> tuple[int, Any]:
        if next(lost, False):
            raise ConnectionError("the stub hangs up")
        return 200, MET

    monkeypatch.setattr("time.sleep", lambda _: None)
    stub.routes["POST /v1/waits"] = create
    terminal = Terminal(stub)
    with pytest.raises(AgtmuxError, match="in the middle of its answer"):
        Connection(cast(App, terminal), -1.0).ask(lambda client: client.create_wait({"request_ref": "x"}))
    lost = iter([True])
    wait_for(cast(App, terminal), ["signal:a"], mode="all", at_least=None, seconds=9, as_json=True)
    sent = [call.body["request_ref"] for call in stub.calls]
    assert len(sent) == 3
    assert sent[1] == sent[2]


@pytest.mark.tc("TC-761")
def test_without_a_daemon_it_fails_at_once(short_dir: Path) -> None:
    done = agtmux(short_dir, "wait", "signal:a")
    assert (done.returncode, b"E_DAEMON_UNREACHABLE" in done.stderr) == (3, True)


@pytest.mark.tc("TC-762")
def test_it_asks_until_the_wait_is_over_and_prints_each_condition(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/waits", OPEN)
    answers = iter([OPEN, MET])
    stub.routes["GET /v1/waits/w-1"] = lambda _: (200, next(answers))
    printed = out(short_dir, "wait", "--any", "state:claude-1=idle", "signal:a", "--timeout", "90s")
    assert printed == "met state:claude-1=idle idle\nmet signal:a seq 7\n"
    body = stub.calls[0].body
    assert (body["mode"], body["timeout_s"], body["conditions"]) == ("any", 90.0, ["state:claude-1=idle", "signal:a"])
    assert stub.calls[1].query == {"block_s": ["45"]}


@pytest.mark.tc("TC-762")
def test_json_is_the_answer_of_the_api(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/waits", MET)
    assert json.loads(out(short_dir, "wait", "--at-least", "1", "signal:a", "--json")) == MET
    assert (stub.calls[0].body["mode"], stub.calls[0].body["at_least"]) == ("at_least", 1)


@pytest.mark.tc("TC-762")
@pytest.mark.parametrize(
    ("state", "status", "code"),
    [("timeout", 7, "E_TIMEOUT"), ("failed", 5, "E_RUNTIME_STALE"), ("cancelled", 5, "E_PRECONDITION_FAILED")],
)
def test_each_end_has_its_exit_status_and_keeps_what_was_met(
    short_dir: Path, stub: Stub, state: str, status: int, code: str
) -> None:
    gone = condition("state:x=idle", "gone", reason="gone: this agent has ended")
    body = wait(state, condition("signal:a", result={"seq": 7}), gone, condition("signal:b", "open"))
    stub.answer("POST /v1/waits", body)
    plain = agtmux(short_dir, "wait", "signal:a", "signal:b")
    assert (plain.returncode, code.encode() in plain.stderr) == (status, True)
    assert b"met signal:a seq 7\n" in plain.stdout
    assert b"gone state:x=idle gone: this agent has ended\n" in plain.stdout
    envelope = json.loads(agtmux(short_dir, "wait", "signal:a", "--json").stdout)
    assert envelope["error"]["code"] == code
    assert envelope["error"]["details"]["wait"]["met"] == 1


@pytest.mark.tc("TC-762")
def test_a_pane_id_and_the_type_of_an_agent_become_refs(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane("%3")))
    stub.answer("GET /v1/health", {})

    def create(call: Call) -> tuple[int, Any]:
        known = all(text.startswith("state:pane:") for text in call.body["conditions"])
        return (200, MET) if known else (404, error("E_AGENT_NOT_FOUND", "there is none"))

    stub.routes["POST /v1/waits"] = create
    for text in ("state:%3=idle", "state:work:1.0=idle", "state:claude=idle"):
        out(short_dir, "wait", text)
        made = [call.body for call in stub.calls if call.path == "/v1/waits"][-1]
        assert made["conditions"] == ["state:pane:host/work/@1/%3=idle"], text
    missing = agtmux(short_dir, "wait", "state:nobody=idle")
    assert (missing.returncode, b"E_AGENT_NOT_FOUND" in missing.stderr) == (4, True)


@pytest.mark.tc("TC-762")
def test_an_earlier_wait_is_joined_listed_and_cancelled(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/waits/w-1", MET)
    assert out(short_dir, "wait", "--id", "w-1").startswith("met ")
    assert json.loads(out(short_dir, "wait", "--id", "w-1", "--json")) == MET
    stub.answer("GET /v1/waits", listing() | {"items": [OPEN["item"]]})
    assert out(short_dir, "wait", "--list") == f"w-1 0/2 until {STAMP} signal:a\n"
    stub.answer("POST /v1/waits/w-1/cancel", wait("cancelled"))
    assert out(short_dir, "wait", "--cancel", "w-1") == "cancelled\n"
    stub.answer("GET /v1/waits/w-1", OPEN)
    late = agtmux(short_dir, "wait", "--id", "w-1", "--timeout", "0s")
    assert (late.returncode, b"the wait goes on" in late.stderr) == (7, True)


@pytest.mark.tc("TC-762")
@pytest.mark.parametrize(
    "argv",
    [
        [], ["--any", "--all", "signal:a"], ["--any", "--at-least", "1", "signal:a"], ["--at-least", "0", "signal:a"],
        ["signal:a", "--id", "w"], ["--list", "--cancel", "w"], ["signal:a", "%3"], ["--at-least", "1", "%3"],
        ["signal:a", "--timeout", "soon"],
    ],
)  # fmt: skip
def test_a_wrong_command_line_asks_nothing(short_dir: Path, stub: Stub, argv: list[str]) -> None:
    assert agtmux(short_dir, "wait", *argv).returncode == 2
    assert stub.calls == []


@pytest.mark.tc("TC-762")
def test_conditions_and_refs_are_told_apart() -> None:
    for text in ("state:%3=idle", "state:pane:host/a/@1/%1=idle", "signal:a/b>3", "msg:1=acked", "lease:x=free"):
        assert is_condition(text), text
    for text in ("%3", "claude", "work:1.0", "state:1.0", "pane:host/a=b/@1/%1", "runtime:rt-1"):
        assert not is_condition(text), text
