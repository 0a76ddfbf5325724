"""People and agents send each other messages through a real daemon, each in its own name."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Item, Place, Watch
from tests.conftest import Tmux, until

AGTMUX = str(PROGRAMS / "agtmux")


def run(agent: Agent, *argv: str) -> Item:
    """What ``agtmux`` came to, run by the agent: ``status`` and ``out``."""
    told = {"argv": [AGTMUX, *argv], "payload": {}, "env": {"AGTMUX_NO_AUTOSTART": "1"}}
    result: Item = agent.tell(hook=told)
    return result


def said(agent: Agent, *argv: str) -> Any:
    """The JSON that one successful call by the agent prints."""
    done = run(agent, *argv, "--json")
    assert done["status"] == 0, (argv, done)
    return json.loads(done["out"])


def names(daemon: Daemon, *agents: Agent) -> list[str]:
    """The names of these agents, once the daemon sees them."""
    found = []
    for one in agents:
        runtime = daemon.wait_agent(one.pane)["runtime_id"]

        def name(runtime: str = runtime) -> str | None:
            items = daemon.client.agents().json()["items"]
            return next((item["name"] for item in items if item["runtime_id"] == runtime), None)

        found.append(str(until(name, within=PATIENCE, what=f"{one.pane} has a name")))
    return found


@pytest.mark.tc("TC-695")
def test_a_person_asks_an_agent_and_gets_its_answer(place: Place, daemon: Daemon, agent: Callable[..., Agent]) -> None:
    daemon.start()
    mine = agent().start("mine")
    (name,) = names(daemon, mine)
    asked = place.json("msg", "send", "--to", mine.pane, "-s", "port", "-m", "which port?", "--kind", "question")[
        "item"
    ]
    assert (asked["sender"], [d["agent"] for d in asked["deliveries"]]) == ("person", [name])
    (listed,) = said(mine, "inbox", "--unread")["items"]
    assert listed["message_id"] == asked["message_id"]
    assert said(mine, "inbox", "show", str(asked["seq"]))["item"]["body"] == "which port?"
    answer = said(mine, "msg", "reply", str(asked["seq"]), "-m", "8080")["item"]
    assert (answer["sender"], answer["kind"]) == (f"agent:{name}", "answer")
    (got,) = place.json("inbox", "--unread")["items"]
    assert (got["preview"], got["parent_id"]) == ("8080", asked["message_id"])
    states = [d["state"] for d in place.json("msg", "status", str(asked["seq"]))["item"]["deliveries"]]
    assert states == ["acked"]
    text = place.cli("thread", str(asked["seq"])).stdout
    assert text.index("which port?") < text.index("8080")
    assert place.cli("inbox", "show", str(answer["seq"])).returncode == 0
    assert place.json("inbox", "--unread")["items"] == []


@pytest.mark.tc("TC-696")
def test_an_agent_cannot_read_the_inbox_of_another_and_a_wrong_name_is_no_empty_inbox(
    place: Place, daemon: Daemon, agent: Callable[..., Agent], watch: Callable[..., Watch]
) -> None:
    daemon.start()
    one, two = agent().start("one"), agent().start("two")
    first, second = names(daemon, one, two)
    seen = watch("--scope", "coord", "--cursor", place.json("inbox")["stream_cursor"])
    sent = said(one, "msg", "send", "--to", second, "-m", "secret plan")["item"]
    assert sent["deliveries"][0]["route"] == "pull"
    for argv in (("inbox", "--agent", second), ("inbox", "--agent", "person"), ("outbox", "--agent", second)):
        refused = run(one, *argv)
        assert (refused["status"], "E_FORBIDDEN" in refused["out"]) == (3, True), refused
    empty = said(one, "inbox")
    assert (empty["items"], empty["agent"], empty["bound_runtime"]) == (
        [],
        first,
        daemon.wait_agent(one.pane)["runtime_id"],
    )
    assert place.cli("inbox", "--agent", "nobody-here").returncode == 4
    assert [item["preview"] for item in place.json("inbox", "--agent", second)["items"]] == ["secret plan"]
    seen.until(lambda line: {"message", "delivery"} <= {one["identity"]["kind"] for one in line.get("changes") or ()})
    assert "secret" not in json.dumps(seen.lines), "everybody may read the stream"


@pytest.mark.tc("TC-697")
def test_a_request_is_done_once_over_a_crash_and_what_was_sent_is_still_there(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    mine = agent().start("mine")
    (name,) = names(daemon, mine)
    argv = ("msg", "send", "--to", name, "-m", "once", "--request-ref", "ref-once-0001")
    first = place.json(*argv)["item"]
    cursor = place.json("inbox")["next_cursor"]
    daemon.kill9()
    daemon.start()
    names(daemon, mine)
    assert place.json(*argv)["item"]["message_id"] == first["message_id"]
    assert [item["preview"] for item in said(mine, "inbox")["items"]] == ["once"]
    other = place.cli("msg", "send", "--to", name, "-m", "twice", "--request-ref", "ref-once-0001")
    assert (other.returncode, "E_IDEMPOTENCY_CONFLICT" in other.stderr) == (5, True)
    said(mine, "msg", "send", "--to", "person", "-m", "after the crash")
    assert [item["preview"] for item in place.json("inbox", "--since", cursor)["items"]] == ["after the crash"]


@pytest.mark.tc("TC-690")
def test_a_wait_ends_with_the_answer_also_over_a_restart(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    mine = agent().start("mine")
    (name,) = names(daemon, mine)
    asked = place.json("msg", "send", "--to", name, "-m", "which port?", "--kind", "question")["item"]
    late = place.cli("wait", f"msg:{asked['seq']}=answered", "--timeout", "1s")
    assert late.returncode == 7, late.stderr
    wait = subprocess.Popen(
        [AGTMUX, "wait", "--all", f"msg:{asked['seq']}=answered", f"msg:{asked['seq']}=acked", "--timeout", "60s"],
        env={**place.env, "AGTMUX_NO_AUTOSTART": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: "open" in place.cli("wait", "--list", "--json").stdout, within=PATIENCE, what="the wait is open")
        assert daemon.stop() == 0
        daemon.start()
        names(daemon, mine)
        said(mine, "msg", "reply", str(asked["seq"]), "-m", "8080")
        assert wait.wait(PATIENCE) == 0
    finally:
        if wait.poll() is None:
            wait.kill()
            wait.wait(PATIENCE)


@pytest.mark.tc("TC-698")
def test_a_blocker_shows_on_the_row_at_once_and_the_reply_ends_it(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    mine = agent().start("mine")
    names(daemon, mine)
    sent = said(mine, "msg", "send", "--to", "person", "--kind", "blocker", "-m", "no access")["item"]
    row = daemon.pane(mine.pane) or {}
    assert (row["asks"]["message_id"], row["attention"]) == (sent["message_id"], "needs_action")
    place.json("msg", "reply", str(sent["seq"]), "-m", "granted")
    assert "asks" not in (daemon.pane(mine.pane) or {})


@pytest.mark.tc("TC-699")
def test_old_messages_are_deleted_after_the_time_that_is_set(
    place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    """Read messages go; one that nobody has read and that has not expired stays."""
    place.configure(tmux, "[retention]\nmessages = 0.000001\n")
    daemon.start()
    mine = agent().start("mine")
    (name,) = names(daemon, mine)
    for text in ("old", "open"):
        place.json("msg", "send", "--to", name, "-m", text)
    assert daemon.stop() == 0
    with sqlite3.connect(place.state / "agtmux.db") as connection:  # the first one has had its time
        connection.execute("UPDATE messages SET expires_at = created_at WHERE body = 'old'")
    connection.close()
    daemon.start()
    until(lambda: len(place.json("outbox")["items"]) == 1, within=PATIENCE, what="the old message is deleted")
    assert [item["preview"] for item in place.json("outbox")["items"]] == ["open"]
    done = place.cli("inbox", "--since", place.json("inbox")["next_cursor"].partition(":")[0] + ":0")
    assert (done.returncode, "E_CURSOR_EXPIRED" in done.stderr) == (5, True)
