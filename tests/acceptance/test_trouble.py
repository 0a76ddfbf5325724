"""Targets that fail, databases that are locked, daemons that are killed: nothing untrue is served, nothing is lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmux.client import Client
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Item, Place
from tests.conftest import Tmux, until


class Switch:
    """A tmux program that can be made to fail and to work again."""

    def __init__(self, folder: Path) -> None:
        self._broken = folder / "broken"
        self.path = folder / "tmux"
        self.path.write_text(f'#!/bin/sh\n[ -e "{self._broken}" ] && exit 1\nexec {shutil.which("tmux")} "$@"\n')
        self.path.chmod(0o755)

    def turn(self, *, works: bool) -> None:
        if works:
            self._broken.unlink()
        else:
            self._broken.touch()


@pytest.fixture
def switch(place: Place) -> Switch:
    """The target ``host`` reads its server through this."""
    made = Switch(place.root)
    text = place.config.read_text()
    place.config.write_text(text.replace("[host]\n", f'[host]\ntmux_path = "{made.path}"\n'))
    return made


def health(place: Place, name: str) -> str:
    found = next(item for item in place.json("target", "list")["items"] if item["target"] == name)
    return str(found["health"])


def host_pane(daemon: Daemon, pane: str, state: str) -> Item:
    return daemon.wait_for(pane, state)


@pytest.mark.tc("TC-010")
@pytest.mark.tc("TC-034")
def test_a_target_that_goes_down_reads_as_unknown_and_comes_back_as_it_was(
    place: Place, daemon: Daemon, switch: Switch, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.ask()
    before = host_pane(daemon, one.pane, "waiting_approval")
    switch.turn(works=False)
    down = host_pane(daemon, one.pane, "unknown")
    assert down["reason_code"] == "target_unreachable"
    assert (down["last_known"]["state"], down["attention"]) == ("waiting_approval", "needs_action")
    switch.turn(works=True)
    after = host_pane(daemon, one.pane, "waiting_approval")
    assert (after["since"], after["resumed"]) == (before["since"], True)
    assert (after["attention"], after["attention_since"]) == (before["attention"], before["attention_since"])
    assert after["runtime_id"] == before["runtime_id"]
    until(lambda: health(place, "host") == "ok", within=PATIENCE)


@pytest.mark.tc("TC-023")
@pytest.mark.tc("TC-034")
def test_one_target_failing_makes_listings_partial_and_costs_the_other_nothing(
    place: Place, daemon: Daemon, switch: Switch, agent: Callable[..., Agent], new_tmux: Callable[[], Tmux]
) -> None:
    daemon.start()
    other = new_tmux()
    other.env = dict(place.env)
    place.json("target", "add", "work", "--kind", "local", "--tmux-socket", str(other.socket))
    here, there = agent().start(), agent(other).start()
    daemon.wait_agent(here.pane, "host")
    daemon.wait_agent(there.pane, "work")
    switch.turn(works=False)
    until(lambda: health(place, "host") == "down", within=PATIENCE)
    there.ask()
    daemon.wait_for(there.pane, "waiting_approval", "work")
    body = place.json("ls")
    assert (body["partial"], body["requested_targets"], body["responded_targets"]) == (True, ["host", "work"], ["work"])
    (error,) = body["target_errors"]
    assert (error["target"], error["code"]) == ("host", "E_TARGET_UNREACHABLE")
    assert error["reason"]
    assert error["last_seen_at"]
    assert {row["identity"]["target"] for row in body["items"]} == {"host", "work"}
    assert "partial: host did not answer" in place.cli("ls").stderr
    alone = place.json("ls", "--target", "work")
    assert (alone["partial"], alone["target_errors"]) == (False, [])
    switch.turn(works=True)
    until(lambda: not place.json("ls")["partial"], within=PATIENCE)


@pytest.mark.tc("TC-052")
@pytest.mark.tc("TC-156")
def test_a_locked_database_is_waited_for_and_reads_go_on(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    lock = sqlite3.connect(place.state / "agtmux.db", isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        one.hook("UserPromptSubmit", prompt="while it is locked")
        until(lambda: daemon.health()["status"] == "degraded", within=PATIENCE)
        assert [row["identity"]["pane_id"] for row in daemon.panes()] == [one.pane]
        assert place.json("events", one.pane)["items"]
        assert place.json("actions")["items"] == []
        assert place.json("explain", one.pane)["recent_events"]
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    daemon.wait_for(one.pane, "running")
    until(lambda: daemon.health()["status"] == "ok", within=PATIENCE)
    one.hook("Stop")
    daemon.wait_for(one.pane, "completed")


@pytest.mark.tc("TC-052")
@pytest.mark.tc("TC-115")
def test_an_end_waits_for_nobody_who_holds_the_database(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    lock = sqlite3.connect(place.state / "agtmux.db", isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        one.hook("UserPromptSubmit", prompt="while it is locked")
        assert daemon.stop() == 0
    finally:
        lock.execute("ROLLBACK")
        lock.close()


@pytest.mark.tc("TC-108")
def test_no_acknowledged_event_is_lost_by_a_kill(place: Place, daemon: Daemon, agent: Callable[..., Agent]) -> None:
    daemon.start()
    one = agent().start()
    runtime = daemon.wait_agent(one.pane)["runtime_id"]
    acknowledged: list[str] = []
    enough, stop = threading.Event(), threading.Event()

    def post() -> None:
        client, n = Client([str(place.socket)], timeout=PATIENCE), 0
        while not stop.is_set():
            event = {
                "event_id": f"event-{n:06}", "event_type": "PreToolUse", "source": "hook", "agent_type": "claude",
                "event_time": 0, "runtime_id": runtime, "payload": {"hook_event_name": "PreToolUse", "n": n},
            }  # fmt: skip
            n += 1
            try:
                body = client._ask("POST", "/v1/events", event).json()["results"][0]
            except AgtmuxError:
                return
            assert body["status"] in ("bound", "late")
            acknowledged.append(body["event_id"])
            if n == 200:
                enough.set()

    poster = threading.Thread(target=post)
    poster.start()
    assert enough.wait(PATIENCE)
    daemon.kill9()  # somewhere between two of its transactions, or within one
    stop.set()
    poster.join(PATIENCE)
    daemon.start()
    kept: set[str] = set()
    before: list[str] = []
    while True:
        page = place.json("events", f"runtime:{runtime}", "--limit", "1000", *before)["items"]
        kept |= {row["event_id"] for row in page}
        if len(page) < 1000:
            break
        before = ["--before", page[-1]["event_id"]]
    assert set(acknowledged) <= kept
    assert len(acknowledged) >= 200


@pytest.mark.tc("TC-011")
@pytest.mark.tc("TC-050")
def test_no_secret_of_a_hook_is_found_in_any_file_of_the_daemon(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    secret = "sk-ant-api03-" + "Q7x" * 30
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.hook("UserPromptSubmit", prompt=f"use the key {secret} please")
    one.hook("PermissionRequest", tool_name="Bash", tool_input={"command": f"curl -H 'x-api-key: {secret}' x"})
    daemon.wait_for(one.pane, "waiting_approval")
    listed = json.dumps(place.json("events", one.pane)) + json.dumps(place.json("ls"))
    daemon.stop()
    one.hook("UserPromptSubmit", prompt=f"spooled {secret}")
    for path in [*place.state.iterdir(), daemon.log]:
        assert secret.encode() not in path.read_bytes(), path
    assert secret not in listed
