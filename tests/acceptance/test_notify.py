"""Notifications of a real daemon: each thing is told once, on each channel, also over restarts and crashes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.receiver import FAST, Receiver, configure
from tests.acceptance.stage import PATIENCE, Actor, Agent, Daemon, Place
from tests.conftest import Terminal, Tmux, until


@pytest.fixture
def inbox(place: Place) -> Receiver:
    """A program that gets what is told, by a rule that waits for nothing."""
    made = Receiver(place.root)
    configure(place, made.channel(), "[[notify.rules]]", FAST)
    return made


@pytest.mark.tc("TC-400")
def test_a_prompt_is_told_once_and_again_only_if_it_is_another(
    daemon: Daemon, inbox: Receiver, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.ask("rm -rf build")
    (told,) = inbox.wait(1)
    assert told["type"] == "agtmux.waiting_approval"
    assert told["data"]["title"] == "claude needs your approval"
    assert "rm -rf build" in told["data"]["body"]
    one.hook("PostToolUse", tool_name="Bash", tool_input={"command": "rm -rf build"})
    daemon.wait_for(one.pane, "running")
    one.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "make"})
    assert inbox.wait(2)[1]["id"] != told["id"]
    assert inbox.kinds() == ["waiting_approval", "waiting_approval"]


@pytest.mark.tc("TC-401")
@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_a_restart_repeats_nothing_and_loses_nothing(
    daemon: Daemon, inbox: Receiver, agent: Callable[..., Agent], end: str
) -> None:
    daemon.start()
    one = agent().start("one")
    daemon.wait_agent(one.pane)
    one.ask()
    inbox.wait(1)
    until(
        lambda: daemon.place.json("notify", "status")["episodes"][0]["deliveries"][0]["state"] == "sent",
        within=PATIENCE,
        what="it is written that the message was sent",
    )
    getattr(daemon, end)()
    daemon.start()
    daemon.wait_for(one.pane, "waiting_approval")
    two = agent().start("two")
    daemon.wait_agent(two.pane)
    two.ask("make")
    told = inbox.wait(2)
    assert [message["data"]["items"][0]["pane_id"] for message in told] == [one.pane, two.pane]


@pytest.mark.tc("TC-401")
@pytest.mark.parametrize(
    ("point", "received", "state"),
    [
        ("notify_before_intent", 1, "sent"),
        ("notify_after_intent", 0, "unknown"),
        ("notify_after_send", 1, "unknown"),
        ("notify_after_outcome", 1, "sent"),
    ],
)
def test_a_daemon_that_is_killed_while_it_sends_sends_at_most_once(
    daemon: Daemon, inbox: Receiver, agent: Callable[..., Agent], point: str, received: int, state: str
) -> None:
    """A program has no way to know a message again. What may have been sent is said so, and is not sent again."""
    daemon.place.env["AGTMUX_FAILPOINT"] = f"{point}:kill"
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.ask()
    assert daemon.process is not None
    daemon.process.wait(PATIENCE)
    del daemon.place.env["AGTMUX_FAILPOINT"]
    daemon.start()
    daemon.wait_for(one.pane, "waiting_approval")

    def decided() -> list[str]:
        (episode,) = daemon.place.json("notify", "why", one.pane)["items"]
        return [str(delivery["state"]) for delivery in episode["deliveries"]]

    until(lambda: decided() == [state], within=PATIENCE, what=f"{state}: {decided()}")
    assert len(inbox.got()) == received


@pytest.mark.tc("TC-420")
def test_what_you_look_at_is_not_sent(
    daemon: Daemon, inbox: Receiver, agent: Callable[..., Agent], tmux: Tmux, attach: Callable[..., Terminal]
) -> None:
    """Your terminal shows the window, has the focus and reports it, and was used just now."""
    daemon.start()
    one, two = agent().start("one"), agent().start("two")
    for some in (one, two):
        daemon.wait_agent(some.pane)
    tmux.run("set-option", "-g", "focus-events", "on")
    attach(tmux, "one").type(b"\x1b[I")
    one.ask()
    two.ask()

    def decided(pane: str) -> str:
        items = daemon.place.json("notify", "why", pane)["items"]
        return str(items[0]["deliveries"][0]["reason"]) if items and items[0]["deliveries"] else ""

    until(lambda: decided(one.pane) == "you looked at it", within=PATIENCE, what=decided(one.pane))
    (told,) = inbox.wait(1)
    assert told["data"]["items"][0]["pane_id"] == two.pane


@pytest.mark.tc("TC-400")
def test_a_prompt_that_a_hook_reports_and_the_screen_shows_later_is_told_once(
    daemon: Daemon, inbox: Receiver, actor: Callable[..., Actor]
) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.hook("UserPromptSubmit", prompt="tidy up")
    one.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "make site"})
    daemon.wait_for(one.pane, "waiting_approval")
    inbox.wait(1)
    one.asks(daemon, "make site")
    assert daemon.place.cli("notify", "why", one.pane).stdout.count("waiting_approval") == 1
    assert inbox.kinds() == ["waiting_approval"]


@pytest.mark.tc("TC-400")
def test_the_end_of_a_turn_is_told_once_with_what_the_agent_did(
    daemon: Daemon, inbox: Receiver, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.hook("UserPromptSubmit", prompt="tidy up the cellar")
    daemon.wait_for(one.pane, "running")
    one.hook("Stop")
    (told,) = inbox.wait(1)
    assert (told["data"]["title"], told["type"]) == ("claude is done", "agtmux.completed")
    assert "tidy up the cellar" in told["data"]["body"]
    one.hook("UserPromptSubmit", prompt="and the attic")
    daemon.wait_for(one.pane, "running")
    one.hook("Stop")
    inbox.wait(2)
    (first, second) = daemon.place.json("notify", "why", one.pane)["items"]
    assert first["turn_s"] is not None and second["close_reason"] == "the agent is running"
