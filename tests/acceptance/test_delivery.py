"""Messages reach a pane only where nothing else can be hit, once, and never blindly again: real daemon, real tmux."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest

from agtmux.client import uuid7
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Item, Place, pasted
from tests.acceptance.test_msg import said
from tests.conftest import Tmux, until

Make = Callable[..., Actor]
CR = b"\r"


def queue(daemon: Daemon, one: Actor, text: str) -> str:
    """Queue a prompt for the agent in a pane. Return its id."""
    ref = f"pane:{(daemon.pane(one.pane) or {})['ref'].removeprefix('pane:')}"
    item = daemon.client.queue_add({"request_ref": uuid7(), "ref": ref, "text": text}).json()["item"]
    return str(item["id"])


def row(place: Place, message_id: str) -> dict[str, Any]:
    """The delivery of a message, as it is stored."""
    connection = sqlite3.connect(f"file:{place.state / 'agtmux.db'}?mode=ro", uri=True, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM deliveries WHERE message_id = ?", (message_id,)).fetchone()
    finally:
        connection.close()
    return dict(found)


def reaches(place: Place, message_id: str, *states: str) -> dict[str, Any]:
    """Wait until a delivery is in one of these states."""

    seen: dict[str, Any] = {}

    def there() -> bool:
        seen.update(row(place, message_id))
        return seen["state"] in states

    try:
        until(there, within=PATIENCE, what=f"a delivery is {states}")
    except BaseException:
        print(f"the delivery is {seen}")
        raise
    return seen


# ---------------------------------------------------------------- seven states, three screens

TOY = """
format = 1
agent = "toy"
recorded_on = ["1"]
[process]
names = ["toycli"]
[composer]
prompt = '^[❯!#](?:\\s(.*))?$'
above = '^[─━]{8,}'
below = '^[─━]{8,}'
[[rule]]
name = "asks"
priority = 9
claim = "waiting_input"
composer = "visible"
accepts_input = true
all = [{ contains = "Which way?", region = "screen" }]
waiting = { kind = "question" }
sample = { screen = "asks.txt" }
[[rule]]
name = "prompt"
priority = 2
claim = "not_running"
composer = "visible"
sample = { screen = "prompt.txt" }
"""
"""An agent that asks in words, at its input field: Claude Code does so too, but says that it completed the turn."""

RULE = "─" * 60
FIELD = f"{RULE}\n❯ \n{RULE}\n  ? for shortcuts\n"
ODD = ["", "@@ nothing that any rule knows @@"]
STATES = ("idle", "completed", "waiting_input", "running", "waiting_approval", "error", "unknown")
SCREENS = ("composer", "dialog", "unknown")
ALLOWED = {("idle", "composer"), ("completed", "composer"), ("waiting_input", "composer")}


def report(one: Actor, state: str) -> None:
    """Let the agent report a state by its hooks, or be stopped so that nothing is known."""
    if state in ("completed", "running", "error", "waiting_approval", "waiting_input"):
        one.hook("UserPromptSubmit", prompt="go on")
    if state == "completed":
        one.hook("Stop")
    elif state == "error":
        one.hook("StopFailure", error="billing_error")
    elif state == "waiting_approval":
        one.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "rm -rf build"})
    elif state == "waiting_input":
        one.hook("PermissionRequest", tool_name="AskUserQuestion", tool_input={"questions": []})


def draw(one: Actor, state: str, screen: str) -> None:
    """Let the screen show its input field, a dialog, or something that no rule knows."""
    if screen == "unknown":
        one.tell(rows=ODD)
    elif screen == "dialog" and state in ("waiting_input", "idle", "completed"):
        one.tell(question="")
    elif screen == "dialog":
        one.tell(ask="rm -rf build")
    elif state == "running":
        one.tell(run=True)


def settled(daemon: Daemon, one: Actor) -> Item:
    """The row of a pane once it was the same for two seconds."""
    last: list[Any] = [None, 0.0]

    def same() -> Item | None:
        item = daemon.pane(one.pane) or {}
        seen = (item.get("state"), item.get("state_version"), item.get("accepts_input"))
        if seen != last[0]:
            last[:] = [seen, time.monotonic()]
        return item if time.monotonic() - last[1] > 2.0 else None

    return until(same, within=PATIENCE, what="the row rests") or {}


@pytest.mark.tc("TC-715")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("screen", SCREENS)
def test_bytes_reach_a_pane_only_in_the_allowed_cells(  # the states as the daemon shows them in the end
    place: Place, daemon: Daemon, actor: Make, state: str, screen: str
) -> None:
    toy = (state, screen) == ("waiting_input", "composer")
    if toy:
        rules = place.root / "rules"
        rules.mkdir()
        (rules / "asks.txt").write_text(f"Which way?\n{FIELD}")
        (rules / "prompt.txt").write_text(FIELD)
        (rules / "toy.toml").write_text(TOY)
    daemon.start()
    one = actor(name="toycli" if toy else "claude")
    one = one.start_in_shell() if state == "unknown" else one.start()  # tmux continues what it started itself
    if toy:
        one.tell(say="Which way?")
        daemon.wait_for(one.pane, "waiting_input")
    else:
        one.ready(daemon)
        draw(one, state, screen)
        report(one, state)
        if state == "unknown" and screen != "unknown":
            os.kill(one.pid, signal.SIGSTOP)
        if screen == "composer" and state in ("running", "error", "unknown"):
            daemon.wait_for(one.pane, state)
    item = settled(daemon, one)
    name = queue(daemon, one, "hello")
    # a screen that shows the empty input field proves that no approval is open, whatever a hook said before
    allowed = (item["state"], screen) in ALLOWED
    found = reaches(place, name, *(("submitted", "delivered") if allowed else ("held",)))
    typed = one.keys()
    print(f"CELL {state:16} {screen:9} row={item['state']}/{item['accepts_input']} {len(typed)} bytes "
          f"{found['state']} {found['hold_reason']}")  # fmt: skip
    assert len(typed) == (len(pasted("hello") if not toy else b"hello") + 1 if allowed else 0)
    if not allowed:
        daemon.client.health()
        assert one.sent() == []
        assert found["attempts"] == 0
        assert found["action_ref"] is None
    if state == "unknown" and screen != "unknown":
        os.kill(one.pid, signal.SIGCONT)


# ---------------------------------------------------------------- when


@pytest.mark.tc("TC-716")
def test_an_idle_recipient_gets_its_message_within_a_second(place: Place, daemon: Daemon, actor: Make) -> None:
    """Not a timing test: it prints what it took, and would fail only if the message waited for a sweep."""
    daemon.start()
    one = actor().start()
    took = []
    for n in range(5):
        one.ready(daemon)
        began = time.monotonic()
        name = queue(daemon, one, f"message {n}")
        reaches(place, name, "submitted", "delivered")
        took.append(time.monotonic() - began)
        reaches(place, name, "delivered")
        one.tell(run=False)
    print(f"DELIVERY median {sorted(took)[2]:.3f} s of {[round(one, 3) for one in took]}")
    assert sorted(took)[2] < 15
    assert one.sent() == [f"message {n}" for n in range(5)]


@pytest.mark.tc("TC-716")
def test_a_message_that_nothing_reported_is_delivered_by_the_sweep(place: Place, daemon: Daemon, actor: Make) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    name = queue(daemon, one, "from behind")
    reaches(place, name, "held")
    daemon.client.queue_change(name, "drop", {"request_ref": uuid7()})
    one.tell(run=False)
    one.ready(daemon)
    connection = sqlite3.connect(place.state / "agtmux.db", timeout=20, isolation_level=None)
    connection.execute("UPDATE deliveries SET state = 'queued' WHERE message_id = ?", (name,))
    connection.close()
    began = time.monotonic()
    reaches(place, name, "submitted", "delivered")
    print(f"SWEEP {time.monotonic() - began:.1f} s")
    assert one.sent() == ["from behind"]


# ---------------------------------------------------------------- people, and what gets lost


@pytest.mark.tc("TC-717")
def test_a_half_typed_text_of_a_person_stays_as_it_is(place: Place, daemon: Daemon, actor: Make, tmux: Tmux) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    tmux.run("send-keys", "-t", one.pane, "-l", "please do not")
    name = queue(daemon, one, "hello")
    found = reaches(place, name, "held")
    assert found["hold_reason"] in ("draft", "no_composer")
    until(lambda: (daemon.pane(one.pane) or {})["accepts_input"] is not True, within=PATIENCE)
    assert one.keys() == b"please do not"
    assert one.tell()["field"] == "please do not"
    for _ in range(len("please do not")):
        tmux.run("send-keys", "-t", one.pane, "BSpace")
    reaches(place, name, "submitted", "delivered")
    assert one.sent() == ["hello"]


@pytest.mark.tc("TC-717")
def test_a_text_whose_enter_was_lost_is_unconfirmed_and_nothing_is_added_to_it(
    place: Place, daemon: Daemon, actor: Make
) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(how=["deaf"])
    first, second = queue(daemon, one, "first"), queue(daemon, one, "second")
    found = reaches(place, first, "submitted_unconfirmed")
    assert found["hold_reason"] == "no_sign"
    assert reaches(place, second, "held")["hold_reason"] in ("draft", "no_composer")
    settled(daemon, one)
    assert one.keys() == pasted("first") + CR
    assert one.tell()["field"] == "first"
    assert row(place, first)["state"] == "submitted_unconfirmed"
    one.tell(how=[], draft="")
    reaches(place, second, "submitted", "delivered")
    assert one.sent() == ["second"]


@pytest.mark.tc("TC-718")
def test_mail_for_a_runtime_that_ended_is_not_typed_into_the_next_one_in_its_pane(
    place: Place, daemon: Daemon, actor: Make, tmux: Tmux
) -> None:
    daemon.start()
    one = actor().start()
    tmux.run("set-option", "-g", "remain-on-exit", "on")
    one.ready(daemon)
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    name = queue(daemon, one, "for the old one")
    reaches(place, name, "held")
    one.exit()
    two = actor().start_in("respawn-pane", "-k", "-t", one.pane)
    two.ready(daemon)
    found = reaches(place, name, "held")
    until(lambda: row(place, name)["hold_reason"] == "no_runtime", within=PATIENCE, what="it is held")
    assert found["action_ref"] is None
    assert two.keys() == b""


@pytest.mark.tc("TC-947")
def test_held_mail_is_typed_into_the_next_runtime_once_and_only_after_it_is_bound(
    place: Place, daemon: Daemon, actor: Make, tmux: Tmux
) -> None:
    daemon.start()
    one = actor().start()
    tmux.run("set-option", "-g", "remain-on-exit", "on")
    one.ready(daemon)
    assert place.cli("name", one.pane, "builder").returncode == 0
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    message = place.json("msg", "send", "--to", "builder", "-m", "for whoever builds")["item"]["message_id"]
    prompt = queue(daemon, one, "and then this")
    reaches(place, message, "held")
    one.exit()
    two = actor().start_in("respawn-pane", "-k", "-t", one.pane)
    two.ready(daemon)
    until(lambda: row(place, message)["hold_reason"] == "no_runtime", within=PATIENCE, what="it is held")
    settled(daemon, two)
    assert two.keys() == b""
    bound = place.cli("agent", "bind", "builder", two.pane)
    assert bound.returncode == 0, bound.stderr
    reaches(place, message, "delivered")
    two.tell(run=False)
    reaches(place, prompt, "delivered")
    first, second = two.sent()
    assert (first.endswith("for whoever builds"), second) == (True, "and then this")
    assert two.keys() == pasted(first) + CR + pasted(second) + CR


# ---------------------------------------------------------------- from agent to agent


@pytest.mark.tc("TC-948")
def test_mail_of_another_agent_is_typed_only_if_the_team_delivers_to_the_pane(
    place: Place, daemon: Daemon, actor: Make
) -> None:
    daemon.start()
    sender, one = actor().start("sender"), actor().start()
    for agent, name in ((sender, "lead"), (one, "builder")):
        agent.ready(daemon)
        assert place.cli("name", agent.pane, name).returncode == 0
    file = place.root / "team.toml"

    def deliver(how: str) -> None:
        file.write_text(f'name = "web"\ndeliver = "{how}"\n[[agents]]\nname = "lead"\n[[agents]]\nname = "builder"\n')
        done = place.cli("team", "apply", str(file))
        assert done.returncode == 0, done.stderr

    deliver("pull")
    pulled = said(sender, "msg", "send", "--to", "builder", "-m", "read me")["item"]["message_id"]
    assert (row(place, pulled)["route"], row(place, pulled)["state"]) == ("pull", "queued")
    deliver("pane")
    typed = said(sender, "msg", "send", "--to", "builder", "-m", "type me")["item"]["message_id"]
    reaches(place, typed, "delivered")
    one.tell(run=False)
    settled(daemon, one)
    (text,) = one.sent()
    assert text == f"[agtmux msg {typed} from agent:lead] note: type me"
    assert one.keys() == pasted(text) + CR
    assert (row(place, pulled)["state"], sender.keys()) == ("queued", b"")
    deliver("pull")
    said(sender, "msg", "send", "--to", "builder", "-m", "read me too")
    settled(daemon, one)
    assert one.keys() == pasted(text) + CR


# ---------------------------------------------------------------- kill -9

POINTS = (
    "delivery_before_claim", "delivery_after_claim", "delivery_before_act", "delivery_after_act",
    "delivery_after_submitted", "delivery_before_delivered", "delivery_after_delivered", "delivery_sweep",
)  # fmt: skip
INSIDE = ("after_row", "before_act", "mid_act", "after_submit", "after_act", "before_result", "after_result")
"""Points of the action itself. There nobody can know, so what was perhaps typed is not typed again."""


@pytest.mark.tc("TC-719")
@pytest.mark.parametrize("point", [*POINTS, *INSIDE])
def test_a_daemon_that_is_killed_loses_no_message_and_types_none_twice(
    place: Place, daemon: Daemon, actor: Make, point: str
) -> None:
    place.env["AGTMUX_FAILPOINT"] = f"{point}:kill"
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    names = [queue(daemon, one, text) for text in ("first", "second")]
    one.tell(run=False)
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE) == -signal.SIGKILL
    del place.env["AGTMUX_FAILPOINT"]
    daemon.start()
    ends = ("delivered", "submitted_unconfirmed")
    first = reaches(place, names[0], *ends)
    if first["state"] == "submitted_unconfirmed" and one.tell()["field"]:
        reaches(place, names[1], "held")
        one.tell(draft="")  # a person looks at it and removes it
    if one.sent():
        daemon.wait_for(one.pane, "running")
        one.tell(run=False)
    second = reaches(place, names[1], *ends)
    keys = one.keys()
    typed = [keys.count(pasted(text)) for text in ("first", "second")]
    print(f"KILL {point:24} {first['state']}/{second['state']} typed {typed} submitted {one.sent()}")
    assert typed[1] == 1
    assert typed[0] <= 1
    assert typed[0] == 1 or first["state"] == "submitted_unconfirmed"
    if point in POINTS:
        assert one.sent() == ["first", "second"]
        assert (first["state"], second["state"]) == ("delivered", "delivered")
