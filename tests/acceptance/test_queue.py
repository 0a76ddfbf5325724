"""agtmux queue: a person's prompts wait for an agent, one a turn, and can be changed until they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Agent, Daemon, Place
from tests.conftest import until

Make = Callable[..., Actor]


def queued(daemon: Daemon, ref: str) -> list[dict[str, Any]]:
    """What waits, in its order."""
    items: list[dict[str, Any]] = daemon.client.queue({"ref": ref}).json()["items"]
    return items


def texts(daemon: Daemon, ref: str) -> list[str]:
    return [item["text"] for item in queued(daemon, ref) if item["place"] is not None]


def sent_more(one: Actor, before: int) -> bool:
    return len(one.sent()) > before


def name_of(daemon: Daemon, one: Agent) -> str:
    """The name of the agent in a pane, once it has one."""
    ref = daemon.wait_agent(one.pane)["ref"]

    def named() -> str | None:
        try:
            body = {"request_ref": uuid7(), "ref": ref, "text": "x"}
            item = daemon.client.queue_add(body).json()["item"]
        except AgtmuxError:
            return None
        daemon.client.queue_change(item["id"], "drop", {"request_ref": uuid7()})
        return str(item["agent"])

    return str(until(named, within=PATIENCE, what="the agent has a name"))


@pytest.mark.tc("TC-713")
def test_prompts_are_typed_as_they_are_one_a_turn_in_the_order_of_the_queue(
    place: Place, daemon: Daemon, actor: Make
) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    for text in ("first", "second\nin two lines", "third"):
        done = place.cli("queue", "claude", text)
        assert done.returncode == 0, done.stderr
    assert one.sent() == []
    for text in ("first", "second\nin two lines", "third"):
        before = len(one.sent())
        one.tell(run=False)
        until(partial(sent_more, one, before), within=PATIENCE, what=f"{text} is typed")
        daemon.wait_for(one.pane, "running")
        assert one.sent()[before:] == [text]
    until(lambda: queued(daemon, "claude-1") == [], within=PATIENCE, what="the last one is delivered")
    one.tell(run=False)
    one.ready(daemon)
    assert one.sent() == ["first", "second\nin two lines", "third"]


@pytest.mark.tc("TC-713")
def test_a_prompt_can_be_edited_moved_and_dropped_until_it_is_typed(place: Place, daemon: Daemon, actor: Make) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    for text in ("a", "b", "c"):
        assert place.cli("queue", one.pane, text).returncode == 0
    assert place.cli("queue", one.pane, "move", "3", "1").stdout.startswith("moved for claude-1 at place 1")
    assert place.cli("queue", one.pane, "edit", "2", "a, edited").returncode == 0
    assert place.cli("queue", one.pane, "drop", "3").returncode == 0
    assert texts(daemon, "claude-1") == ["c", "a, edited"]
    listed = place.json("queue", one.pane, "list")["items"]
    assert (listed[0]["place"], listed[0]["text"], listed[0]["hold_reason"]) == (1, "c", "running")
    first = listed[0]["id"]
    one.tell(run=False)
    until(lambda: one.sent() == ["c"], within=PATIENCE, what="the first is typed")
    daemon.wait_for(one.pane, "running")
    for arguments in (("edit", first, "no"), ("move", first, "1"), ("drop", first)):
        refused = place.cli("queue", one.pane, *arguments)
        assert refused.returncode == 5, refused.stdout
        assert "only a prompt that was not typed yet" in refused.stderr
    assert place.cli("queue", one.pane, "drop", "9").returncode == 4
    assert one.sent() == ["c"]


@pytest.mark.tc("TC-713")
def test_a_queue_survives_a_restart_and_the_end_of_the_runtime(place: Place, daemon: Daemon, actor: Make) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    assert place.cli("queue", "claude-1", "later").returncode == 0
    daemon.kill9()
    daemon.start()
    daemon.wait_for(one.pane, "running")
    assert texts(daemon, "claude-1") == ["later"]
    one.tell(exit=True)
    until(lambda: queued(daemon, "claude-1")[0]["hold_reason"] == "no_runtime", within=PATIENCE, what="it is held")
    (item,) = queued(daemon, "claude-1")
    assert (item["runtime_id"], "does not run" in item["why"]) == (None, True)
    two = actor().start("second")
    two.ready(daemon)
    assert name_of(daemon, two) == "claude-2"
    assert texts(daemon, "claude-1") == ["later"]
    assert two.sent() == []


@pytest.mark.tc("TC-713")
def test_the_same_request_queues_once_and_another_one_under_its_name_is_refused(
    place: Place, daemon: Daemon, actor: Make
) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(run=True)
    daemon.wait_for(one.pane, "running")
    ref = uuid7()
    ids = {json.loads(place.cli("queue", "claude-1", "once", "--request-ref", ref, "--json").stdout)["item"]["id"]
           for _ in range(2)}  # fmt: skip
    assert len(ids) == 1
    assert texts(daemon, "claude-1") == ["once"]
    other = place.cli("queue", "claude-1", "other", "--request-ref", ref)
    assert (other.returncode, "E_IDEMPOTENCY_CONFLICT" in other.stderr) == (5, True)


@pytest.mark.tc("TC-714")
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\x1b[201~b", "E_INVALID_REQUEST"), ("a\rb", "E_INVALID_REQUEST"), ("  ", "E_INVALID_REQUEST"),
        ("x" * 65_537, "E_PAYLOAD_TOO_LARGE"), ("key sk-ant-api03-" + "a1B2" * 20, "E_INVALID_REQUEST"),
    ],
    ids=["paste end", "return", "blank", "too long", "secret"],
)  # fmt: skip
def test_a_text_that_cannot_be_typed_as_it_is_or_stored_is_refused(
    daemon: Daemon, actor: Make, text: str, code: str
) -> None:
    daemon.start()
    one = actor().start()
    ref = one.ready(daemon)["ref"]
    with pytest.raises(AgtmuxError) as caught:
        daemon.client.queue_add({"request_ref": uuid7(), "ref": ref, "text": text})
    assert caught.value.code == code
    assert daemon.client.queue({}).json()["items"] == []
    assert one.keys() == b""


@pytest.mark.tc("TC-714")
def test_wrong_words_are_explained_and_nothing_is_queued(place: Place, daemon: Daemon) -> None:
    daemon.start()
    assert place.cli("queue").stdout == "nothing is queued\n"
    assert place.cli("queue", "nobody", "text").returncode == 4
    for arguments in (
        ("x", "two", "words"),
        ("x", "edit", "1"),
        ("x", "move", "1", "first"),
        ("x", "y", "--text", "z"),
    ):
        assert place.cli("queue", *arguments).returncode == 2, arguments


@pytest.mark.tc("TC-714")
def test_a_supervised_agent_cannot_queue_a_prompt(daemon: Daemon, agent: Callable[..., Agent]) -> None:
    """The queue is typed as if the person typed it, so only people may fill it."""
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    argv = [str(PROGRAMS / "agtmux"), "queue", "claude-1", "rm -rf /"]
    result = one.tell(hook={"argv": argv, "payload": {}, "env": {"AGTMUX_NO_AUTOSTART": "1"}})
    assert result["status"] == 3
    assert daemon.client.queue({}).json()["items"] == []
