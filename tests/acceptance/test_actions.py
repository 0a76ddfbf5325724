"""Actions hit exactly what was meant, once, or not at all: real daemon, real tmux, a stand-in that takes keys."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import CODES, AgtmuxError
from tests.acceptance.asking import ask, refusal
from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Item, Place, pasted
from tests.conftest import Tmux, until

Make = Callable[..., Actor]


@pytest.fixture
def up(daemon: Daemon) -> Iterator[Daemon]:
    """A daemon that runs."""
    yield daemon.start()


# ------------------------------------------------------------ once, or not at all


@pytest.mark.tc("TC-025")
def test_a_replay_gets_the_same_answer_and_types_nothing_again(up: Daemon, actor: Make) -> None:
    one = actor().start()
    ref = one.ready(up)["ref"]
    body = {"request_ref": uuid7(), "ref": ref, "text": "only once", "enter": True}
    first = up.client.act("send", body, PATIENCE).json()
    assert first["result"]["delivery"] == "submitted"
    again = up.client.act("send", body, PATIENCE).json()
    assert (again["action_id"], again["result"], again["replayed"]) == (first["action_id"], first["result"], True)
    assert up.stop() == 0
    up.start()
    after = up.client.act("send", body, PATIENCE).json()
    assert (after["action_id"], after["result"], after["replayed"]) == (first["action_id"], first["result"], True)
    assert one.keys() == pasted("only once") + b"\r"
    assert one.sent() == ["only once"]


@pytest.mark.tc("TC-025")
def test_replays_at_once_wait_for_the_first_and_share_its_answer(up: Daemon, actor: Make) -> None:
    one = actor().start()
    body = {"request_ref": uuid7(), "ref": one.ready(up)["ref"], "text": "together", "enter": True}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: up.client.act("send", body, PATIENCE).json(), range(8)))
    assert len({answer["action_id"] for answer in answers}) == 1
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 7
    assert one.sent() == ["together"]


@pytest.mark.tc("TC-107")
def test_one_action_at_a_time_touches_a_pane(up: Daemon, actor: Make) -> None:
    one = actor().start()
    ref = one.ready(up)["ref"]
    one.tell(how=["deaf"])
    body = {"request_ref": uuid7(), "ref": ref, "text": "first", "enter": True, "timeout": 1.0}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: up.client.act("send", body, PATIENCE).json())
        until(lambda: one.keys() == pasted("first") + b"\r", within=PATIENCE)
        with pytest.raises(AgtmuxError) as caught:  # its name is taken while it runs
            up.client.act("send", {**body, "text": "second"}, PATIENCE)
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
        assert refusal(up, "send", ref, text="second", enter=True, force_stale=True)[1] == "draft"
        second, done = up.client.actions({"pane": ref}).json()["items"]
        assert first.result()["action_id"] == done["action_id"]
    assert second["completed_at"] >= done["completed_at"]
    assert one.keys() == pasted("first") + b"\r"


@pytest.mark.tc("TC-025")
def test_a_refusal_is_replayed_too(up: Daemon, actor: Make) -> None:
    one = actor().start()
    row = one.ready(up)
    body = {"request_ref": uuid7(), "ref": row["ref"], "text": "x", "if_state": ["running"]}
    listed = []
    for _ in range(2):
        with pytest.raises(AgtmuxError) as caught:
            up.client.act("send", body, PATIENCE)
        listed.append(caught.value)
    assert listed[0].details["action_id"] == listed[1].details["action_id"]
    assert [error.details["replayed"] for error in listed] == [False, True]
    assert one.keys() == b""


@pytest.mark.tc("TC-026")
def test_the_same_request_ref_with_another_payload_is_a_conflict(up: Daemon, actor: Make) -> None:
    one = actor().start()
    body = {"request_ref": uuid7(), "ref": one.ready(up)["ref"], "text": "first"}
    up.client.act("send", body, PATIENCE)
    for other in ({"text": "second"}, {"enter": True}, {"if_state": ["idle"]}):
        with pytest.raises(AgtmuxError) as caught:
            up.client.act("send", {**body, **other}, PATIENCE)
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
    assert one.keys() == pasted("first")


@pytest.mark.tc("TC-005")
def test_an_action_for_an_agent_that_was_is_stale_and_touches_nobody(up: Daemon, actor: Make, tmux: Tmux) -> None:
    one = actor().start()
    old = one.ready(up)["runtime_id"]
    two = actor().start_in("respawn-pane", "-k", "-t", one.pane)
    until(lambda: (up.pane(one.pane) or {}).get("runtime_id") not in (old, None), within=PATIENCE)
    row = two.ready(up)
    for kind, body in (("send", {"text": "x"}), ("kill", {}), ("attach", {}), ("view-output", {}), ("interrupt", {})):
        assert refusal(up, kind, f"runtime:{old}", **body)[0] == "E_RUNTIME_STALE", kind
        assert refusal(up, kind, row["ref"], if_runtime=old, **body)[0] == "E_RUNTIME_STALE", kind
    assert two.keys() == b""
    assert up.pane(one.pane)["runtime_id"] == row["runtime_id"]  # type: ignore[index]


@pytest.mark.tc("TC-022")
def test_attach_to_a_stale_runtime_or_snapshot_is_refused(up: Daemon, actor: Make, tmux: Tmux) -> None:
    one = actor().start()
    row = one.ready(up)
    nonce = up.client.explain(row["ref"]).json()["snapshot"]
    assert ask(up, "attach", row["ref"], snapshot=nonce)["result_code"] == "done"
    one.asks(up)
    assert refusal(up, "attach", row["ref"], snapshot=nonce) == ("E_PRECONDITION_FAILED", "state_version")
    listed, result = (up.pane(one.pane) or {})["snapshot"], ask(up, "attach", row["ref"], select=False)
    for handed_out in (listed, result["result"]["snapshot"]):
        assert ask(up, "view-output", row["ref"], snapshot=handed_out)["result_code"] == "done"
    assert up.client.actions({"action": result["action_id"]}).json()["items"][0]["result"].get("snapshot") is None
    old = f"{int(nonce.split('.')[0]) - 31_000_000_000}.{nonce.split('.', 1)[1]}"
    assert refusal(up, "attach", row["ref"], snapshot=old) == ("E_RUNTIME_STALE", "snapshot")
    assert refusal(up, "attach", row["ref"], snapshot="made.up.nonce") == ("E_RUNTIME_STALE", "snapshot")
    tmux.start("sh", session="stays")
    one.vanish()
    until(lambda: up.pane(one.pane) is None, within=PATIENCE)
    assert refusal(up, "attach", f"runtime:{row['runtime_id']}")[0] == "E_RUNTIME_STALE"


# ------------------------------------------------------------ what is typed, and where it is not


@pytest.mark.tc("TC-107")
def test_a_target_that_does_not_answer_gets_nothing_and_the_action_failed(
    place: Place, daemon: Daemon, tmux: Tmux, actor: Make
) -> None:
    place.configure(tmux, "[targets]\ncommand_timeout = 1.0\n")
    daemon.start()
    one = actor().start()
    row = one.ready(daemon)
    server = int(tmux.run("display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGSTOP)
    try:
        code, _ = refusal(daemon, "send", row["ref"], text="x", force_stale=True)
    finally:
        os.kill(server, signal.SIGCONT)
    assert code == "E_TARGET_UNREACHABLE"
    assert daemon.client.actions({}).json()["items"][0]["result_code"] == "failed"
    assert one.keys() == b""


# ------------------------------------------------------------ reading, and the audit


@pytest.mark.tc("TC-028")
def test_view_output_is_bounded_and_holds_nothing_a_terminal_obeys(up: Daemon, tmux: Tmux, place: Place) -> None:
    text = "for i in $(seq 1 500); do echo row $i; done; printf '\\033[31mred\\033[0m \\342\\200\\256bidi\\n'; cat"
    pane = tmux.start("sh", "-c", text)
    until(lambda: "bidi" in tmux.run("capture-pane", "-p", "-t", pane), within=PATIENCE)
    until(lambda: up.pane(pane), within=PATIENCE)
    out = place.cli("view-output", pane, "--lines", "20")
    rows = out.stdout.splitlines()
    assert len(rows) == 20
    assert rows[-1] == "red bidi"
    assert rows[0] == "row 482"
    assert "older rows" in out.stderr
    coloured = place.cli("view-output", pane, "--lines", "3", "--ansi").stdout
    assert ("\x1b[31m" in coloured, coloured.endswith("\x1b[0m")) == (True, True)  # what follows is not coloured by it
    assert "\u202e" not in place.cli("view-output", pane, "--lines", "3", "--ansi").stdout
    assert len(place.cli("view-output", pane, "--lines", "10000").stdout.splitlines()) == 501
    assert place.cli("view-output", pane, "--lines", "10001").returncode == 2
    ref = str((up.pane(pane) or {})["ref"])
    assert refusal(up, "view-output", ref, lines=10_001)[0] == "E_INVALID_REQUEST"


@pytest.mark.tc("TC-028")
def test_what_a_pane_shows_is_told_and_never_stored(up: Daemon, actor: Make, place: Place, tmux: Tmux) -> None:
    pane = tmux.start("sh", "-c", "echo rosebud-words; exec cat")
    until(lambda: up.pane(pane), within=PATIENCE)
    ref = str((up.pane(pane) or {})["ref"])
    body = {"request_ref": uuid7(), "ref": ref}
    first = up.client.act("view-output", body, PATIENCE).json()
    assert "rosebud" in first["result"]["output"]
    assert up.client.act("view-output", body, PATIENCE).json()["result"] == first["result"]
    other = actor().start("agents").ready(up)
    done = ask(up, "ack", other["ref"])
    assert refusal(up, "view-output", ref, again=done["action_id"])[0] == "E_ACTION_NOT_FOUND"
    assert refusal(up, "view-output", other["ref"], again=first["action_id"])[0] == "E_RUNTIME_STALE"
    assert up.stop() == 0
    connection = sqlite3.connect(place.state / "agtmux.db")
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert first["action_id"] in dump
    assert "rosebud" not in dump


@pytest.mark.tc("TC-031")
def test_events_of_an_action_are_found_by_its_id(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    row = one.ready(up)
    done = ask(up, "send", row["ref"], text="hello")
    (event,) = place.json("events", "--action", done["action_id"])["items"]
    assert (event["event_type"], event["source"]) == ("action:send", "action")
    assert event["runtime_id"] == row["runtime_id"]
    (item,) = place.json("actions", "--action", done["action_id"])["items"]
    assert item["events"] == [event["event_id"]]
    assert refusal(up, "send", row["ref"], text="x", if_state=["error"])[1] == "state"
    items = place.json("actions", one.pane)["items"]
    assert [i["result_code"] for i in items] == ["refused", "done"]
    assert all(i["events"] for i in items)
    assert place.cli("actions", "--action", "01890000-0000-7000-8000-000000000001").returncode == 4


@pytest.mark.tc("TC-031")
def test_the_audit_tells_who_asked_for_what_and_holds_no_text(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    row = one.ready(up)
    secret = "hunter2-SECRET-words"
    done = ask(up, "send", row["ref"], text=secret)
    (item,) = place.json("actions", "--action", done["action_id"])["items"]
    assert item["caller"]["uid"] == os.getuid()
    assert item["caller"]["pid"] == os.getpid()
    assert item["caller"]["command"]
    assert (item["state_version"], item["runtime_id"]) == (row["state_version"], row["runtime_id"])
    assert item["request"]["params"]["text"]["characters"] == len(secret)
    assert secret not in json.dumps(item)
    assert up.stop() == 0
    connection = sqlite3.connect(place.state / "agtmux.db")
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert "hunter2" not in dump
    assert "hunter2" not in up.said()


@pytest.mark.tc("TC-053")
@pytest.mark.tc("TC-032")
def test_a_refused_action_is_told_the_same_by_api_and_command_line(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    row = one.ready(up)
    one.tell(draft="mine")
    until(lambda: (up.pane(one.pane) or {})["accepts_input"] is False, within=PATIENCE)
    for argv, code in (
        (["send", one.pane, "--text", "x"], "E_PRECONDITION_FAILED"),
        (["send", f"runtime:{'0' * 20}", "--text", "x"], "E_REF_NOT_FOUND"),
        (["send", one.pane], "E_INVALID_REQUEST"),
        (["interrupt", one.pane], "E_PRECONDITION_FAILED"),
        (["send", one.pane, "--text", "x", "--if-runtime", "0" * 20], "E_RUNTIME_STALE"),
    ):
        done = place.cli(*argv, "--json")
        assert json.loads(done.stdout)["error"]["code"] == code, argv
        assert done.returncode == CODES[code].exit, argv
        assert done.stderr.rstrip().endswith(f"({code})"), argv
    assert row["ref"].startswith("pane:")


# ------------------------------------------------------------ who may act


@pytest.mark.tc("TC-113")
def test_a_supervised_agent_may_read_and_not_act(up: Daemon, actor: Make, agent: Callable[..., Any]) -> None:
    other = actor().start("other")
    row = other.ready(up)
    mine = agent().start("mine")
    up.wait_agent(mine.pane)
    program = str(PROGRAMS / "agtmux")

    def by_the_agent(*argv: str) -> Item:
        result: Item = mine.tell(hook={"argv": list(argv), "payload": {}, "env": {"AGTMUX_NO_AUTOSTART": "1"}})
        return result

    assert by_the_agent(program, "ls", "--json")["status"] == 0
    assert by_the_agent(program, "view-output", other.pane)["status"] == 0
    for argv in (["send", other.pane, "--text", "x"], ["attach", other.pane, "--print"], ["ack", other.pane]):
        result = by_the_agent(program, *argv)
        assert result["status"] == 3, result
        assert "E_FORBIDDEN" in result["out"]
    later = f"sleep 0.3; {program} send {other.pane} --text x >/dev/null 2>&1"
    detached = by_the_agent("setsid", "-f", "sh", "-c", later)
    assert detached["status"] == 0
    until(lambda: len([a for a in up.client.actions({}).json()["items"] if a["error_code"] == "E_FORBIDDEN"]) == 4,
          within=PATIENCE)  # fmt: skip
    assert other.keys() == b""
    assert row["state"] == "idle"


@pytest.mark.tc("TC-113")
def test_a_supervised_agent_may_act_where_the_config_says_so(
    place: Place, daemon: Daemon, tmux: Tmux, actor: Make, agent: Callable[..., Any]
) -> None:
    place.configure(tmux, "allow_agent_actions = true\n")
    daemon.start()
    other = actor().start("other")
    other.ready(daemon)
    mine = agent().start("mine")
    daemon.wait_agent(mine.pane)
    argv = [str(PROGRAMS / "agtmux"), "send", other.pane, "--text", "from a friend", "--enter"]
    assert mine.tell(hook={"argv": argv, "payload": {}, "env": {}})["status"] == 0
    assert other.sent() == ["from a friend"]


@pytest.mark.tc("TC-950")
@pytest.mark.parametrize(
    "rule",
    ["allow_agent_actions = true\n", '[[policies]]\neffect = "allow"\nsubject = "*"\nverb = "*"\nobject = "*"\n'],
    ids=["short form", "rule"],
)
def test_an_agent_never_answers_its_own_dialog_but_may_answer_that_of_another(
    place: Place, daemon: Daemon, tmux: Tmux, actor: Make, rule: str
) -> None:
    place.configure(tmux, rule)
    daemon.start()
    mine, other = actor().start("mine"), actor().start("other")
    mine.ready(daemon)
    other.ready(daemon)
    program = str(PROGRAMS / "agtmux")
    mine.asks(daemon)
    detached = ["setsid", "-f", program, "approve", mine.pane, "--yes"]
    mine.tell(hook={"argv": detached, "payload": {}, "env": {}})
    until(lambda: len(daemon.client.actions({}).json()["items"]) == 1, within=PATIENCE, what="it was refused too")
    for argv in (
        ("approve", mine.pane, "--yes"), ("deny", mine.pane, "--yes"), ("answer", mine.pane, "1", "--yes"),
        ("send", mine.pane, "--key", "Enter", "--if-state", "waiting_approval"), ("send", mine.pane, "--key", "1"),
    ):  # fmt: skip
        done = mine.tell(hook={"argv": [program, *argv], "payload": {}, "env": {}})
        assert (done["status"], "the dialog of its own pane" in done["out"]) == (3, True), (argv, done)
    assert {one["error_code"] for one in daemon.client.actions({}).json()["items"]} == {"E_POLICY_DENIED"}
    assert (mine.keys(), mine.sent()) == (b"", [])
    other.asks(daemon, "make")
    done = mine.tell(hook={"argv": [program, "approve", other.pane, "--yes"], "payload": {}, "env": {}})
    assert done["status"] == 0, done
    assert place.cli("approve", mine.pane, "--yes").returncode == 0, "a person may"
    assert mine.keys() != b""
