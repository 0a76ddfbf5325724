"""Panes, servers and daemons come and go; what is served stays true."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import Tmux, until


def waiting(daemon: Daemon) -> set[tuple[str, str]]:
    """(target, pane) of every agent that waits for an approval."""
    rows = daemon.panes(state="waiting_approval")
    return {(row["identity"]["target"], row["identity"]["pane_id"]) for row in rows}


@pytest.mark.tc("TC-041")
def test_a_pane_that_comes_back_has_nothing_of_the_one_before(daemon: Daemon, agent: Callable[..., Agent]) -> None:
    daemon.start()
    one = agent().start()
    one.tmux.run("set-option", "-g", "remain-on-exit", "on")
    daemon.wait_agent(one.pane)
    one.ask()
    before = daemon.wait_for(one.pane, "waiting_approval")
    one.hook("SessionEnd", reason="prompt_input_exit")
    one.exit()
    daemon.wait_for(one.pane, None)
    two = agent().start_in("respawn-pane", "-t", one.pane)
    assert two.pane == one.pane
    after = daemon.wait_agent(two.pane)
    assert after["runtime_id"] != before["runtime_id"]
    assert after["pane_epoch"] > before["pane_epoch"]
    assert (after["waiting_for"], after["attention"], after["task"]) == (None, "none", None)
    assert waiting(daemon) == set()


@pytest.mark.tc("TC-041")
def test_an_agent_that_vanishes_in_mid_turn_is_told_as_crashed_until_another_starts_there(
    daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    one.tmux.run("set-option", "-g", "remain-on-exit", "on")
    daemon.wait_agent(one.pane)
    one.ask()
    daemon.wait_for(one.pane, "waiting_approval")
    one.vanish()
    item = daemon.wait_for(one.pane, "error")
    assert (item["reason_code"], item["attention"]) == ("agent_crashed", "needs_action")
    two = agent().start_in("respawn-pane", "-t", one.pane)
    until(lambda: (daemon.pane(two.pane) or {}).get("pid") == two.pid, within=PATIENCE)
    after = daemon.pane(two.pane)
    assert after is not None
    assert after["reason_code"] != "agent_crashed"


@pytest.mark.tc("TC-041")
def test_a_server_that_restarts_while_nobody_looks_leaves_nothing_behind(
    daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.ask()
    before = daemon.wait_for(one.pane, "waiting_approval")
    daemon.stop()
    tmux.stop()
    two = agent().start()
    assert two.pane == one.pane
    daemon.start()
    until(lambda: (daemon.pane(two.pane) or {}).get("pid") == two.pid, within=PATIENCE)
    after = daemon.pane(two.pane)
    assert after is not None
    assert after["runtime_id"] != before["runtime_id"]
    assert after["state"] != "waiting_approval"
    assert waiting(daemon) == set()


@pytest.mark.tc("TC-041")
def test_a_server_may_stop_and_start_under_the_daemon(
    place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    assert place.json("ls", "--all")["items"] == []
    assert place.json("target", "list")["items"][0]["health"] == "ok"  # no server is healthy and empty
    for _ in range(2):
        one = agent().start()
        daemon.wait_agent(one.pane)
        one.ask()
        daemon.wait_for(one.pane, "waiting_approval")
        tmux.stop()
        until(lambda: daemon.panes(all="true") == [], within=PATIENCE, what="the panes are gone")
        assert place.json("target", "list")["items"][0]["health"] == "ok"


@pytest.mark.tc("TC-041")
def test_panes_that_come_and_go_in_heaps_end_as_tmux_lists_them(
    daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    keep = agent().start()
    daemon.wait_agent(keep.pane)
    keep.hook("UserPromptSubmit", prompt="stay")
    for n in range(12):
        tmux.run("new-window", "-d", "-t", "main", "-n", f"w{n}", "--", "cat")
    for n in range(0, 12, 2):
        tmux.run("kill-window", "-t", f"main:w{n}")
    tmux.run("move-pane", "-s", "main:w1", "-t", "main:w3")
    tmux.run("rename-session", "-t", "main", "other")
    tmux.run("join-pane", "-d", "-s", keep.pane, "-t", "other:w5")

    def listed() -> set[tuple[str, ...]]:
        fmt = "#{session_name}\t#{window_id}\t#{pane_id}"
        return {tuple(line.split("\t")) for line in tmux.run("list-panes", "-a", "-F", fmt).splitlines()}

    def served() -> set[tuple[str, ...]]:
        ids = [row["identity"] for row in daemon.panes(all="true")]
        return {(one["session_name"], one["window_id"], one["pane_id"]) for one in ids}

    until(lambda: served() == listed(), within=PATIENCE, what="what is served is what tmux lists")
    item = daemon.wait_for(keep.pane, "running")
    assert item["pid"] == keep.pid


@pytest.mark.tc("TC-014")
def test_targets_are_added_tried_listed_and_removed(
    place: Place, daemon: Daemon, new_tmux: Callable[[], Tmux], agent: Callable[..., Agent]
) -> None:
    daemon.start()
    other = new_tmux()
    other.env = dict(place.env)
    made = place.json("target", "add", "work", "--kind", "local", "--tmux-socket", str(other.socket))["item"]
    assert (made["target"], made["kind"], made["connection_ref"]) == ("work", "local", str(other.socket))
    one = agent(other).start()
    daemon.wait_agent(one.pane, "work")
    tried = place.json("target", "connect", "work")
    assert all(step["ok"] for step in tried["steps"])
    assert [step["step"] for step in tried["steps"]] == ["tmux found", "version", "round trip"]
    listed = {item["target"]: item for item in place.json("target", "list")["items"]}
    assert set(listed) == {"host", "work"}
    assert (listed["work"]["health"], listed["work"]["agents"], listed["work"]["is_default"]) == ("ok", 1, False)
    place.json("target", "add", "bad", "--kind", "local", "--tmux-path", "/nowhere/tmux")
    failed = place.cli("target", "connect", "bad")
    assert failed.returncode == 6
    assert "FAIL  tmux found: no tmux at /nowhere/tmux\n" in failed.stdout
    place.json("target", "remove", "bad", "--yes")
    again = place.cli("target", "add", "twin", "--kind", "local", "--tmux-socket", str(other.socket))
    assert (again.returncode, "E_TARGET_EXISTS" in again.stderr) == (4, True)

    assert place.cli("target", "remove", "work").returncode == 2  # nobody can be asked
    assert place.json("target", "remove", "work", "--yes")["removed"] == "work"
    assert {item["target"] for item in place.json("target", "list")["items"]} == {"host"}
    assert daemon.panes(all="true") == []
    assert other.run("list-panes", "-a", "-F", "#{pane_id}") == one.pane  # the server itself is not touched
    assert place.cli("target", "remove", "host", "--yes").returncode == 2


@pytest.mark.tc("TC-014")
def test_an_added_target_is_still_there_after_a_restart(
    place: Place, daemon: Daemon, new_tmux: Callable[[], Tmux], agent: Callable[..., Agent]
) -> None:
    daemon.start()
    other = new_tmux()
    other.env = dict(place.env)
    place.json("target", "add", "work", "--kind", "local", "--tmux-socket", str(other.socket))
    one = agent(other).start()
    daemon.wait_agent(one.pane, "work")
    daemon.stop()
    daemon.start()
    one.ask()
    daemon.wait_for(one.pane, "waiting_approval", "work")


@pytest.mark.tc("TC-041")
def test_the_same_pane_id_on_two_servers_is_never_confused(
    place: Place, daemon: Daemon, new_tmux: Callable[[], Tmux], agent: Callable[..., Agent]
) -> None:
    daemon.start()
    other = new_tmux()
    other.env = dict(place.env)
    place.json("target", "add", "work", "--kind", "local", "--tmux-socket", str(other.socket))
    here, there = agent().start(), agent(other).start()
    assert here.pane == there.pane
    daemon.wait_agent(here.pane, "host")
    daemon.wait_agent(there.pane, "work")
    there.ask()
    daemon.wait_for(there.pane, "waiting_approval", "work")
    assert waiting(daemon) == {("work", there.pane)}
    here.ask()
    there.hook("Stop")
    daemon.wait_for(here.pane, "waiting_approval", "host")
    until(lambda: waiting(daemon) == {("host", here.pane)}, within=PATIENCE)


@pytest.mark.tc("TC-104")
def test_what_hooks_spooled_while_the_daemon_was_away_is_taken_in_once_and_in_order(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    daemon.stop()
    for n in range(5):
        one.hook("UserPromptSubmit", prompt=f"task {n}")
        one.hook("Stop")
    one.ask()
    spool = place.state / "spool.jsonl"
    spooled = [json.loads(line)["event_id"] for line in spool.read_text().splitlines()]
    assert len(spooled) == 12
    daemon.start()
    daemon.wait_for(one.pane, "waiting_approval")

    def taken() -> list[str]:
        rows = place.json("events", one.pane, "--limit", "100")["items"]
        return [row["event_id"] for row in reversed(rows) if row["source"] == "hook"]

    until(lambda: len(taken()) >= 12, within=PATIENCE)
    assert taken() == spooled
    assert not spool.exists()
    until(lambda: not _left(place.state), within=PATIENCE, what="the spool that was taken over is gone")

    spool.write_text("".join(json.dumps(_again(place, event)) + "\n" for event in spooled))
    until(lambda: not spool.exists() and not _left(place.state), within=PATIENCE, what="the spool is drained again")
    assert taken() == spooled


@pytest.mark.tc("TC-104")
def test_nothing_that_lies_in_the_spool_ends_the_daemon_or_holds_up_what_is_behind_it(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    daemon.stop()
    one.hook("UserPromptSubmit", prompt="a task")
    spool = place.state / "spool.jsonl"
    good = spool.read_text()
    event = json.loads(good) | {"event_id": "0199a000-0000-7000-8000-000000000001", "source_event_id": None}
    cut = json.dumps(event | {"payload": {"cut \ud83d": "\ud83d"}})
    deep = json.dumps(event | {"payload": {"a": 1}}).replace('{"a": 1}', '{"a":' + "[" * 600 + "]" * 600 + "}")
    huge = json.dumps(event | {"payload": {"a": 1}}).replace('{"a": 1}', '{"a": 1e999}')
    gone = json.dumps(event | {"event_id": "0199a000-0000-7000-8000-000000000002", "target": "was-removed"})
    spool.write_text("\n".join(["[" * 200_000, deep, huge, "no JSON", gone, cut, good]))
    daemon.start()
    until(lambda: not spool.exists() and not _left(place.state), within=PATIENCE, what="the spool is drained")
    health = daemon.health()
    assert (health["spool"]["broken"], health["spool"]["events"], health["last_errors"]) == (4, 2, [])
    assert health["spool"]["refused"] == 1
    assert {"UserPromptSubmit"} <= {row["event_type"] for row in place.json("events", one.pane)["items"]}


def _left(folder: Path) -> list[Path]:
    return list(folder.glob("spool.jsonl.*"))


def _again(place: Place, event_id: str) -> dict[str, object]:
    """The same event once more, as a hook that was not sure whether it arrived would send it."""
    return {
        "event_id": event_id, "source_event_id": event_id, "event_type": "UserPromptSubmit", "source": "hook",
        "agent_type": "claude", "event_time": 0, "payload": {"hook_event_name": "UserPromptSubmit"},
    }  # fmt: skip


@pytest.mark.tc("TC-104")
def test_a_hook_of_a_daemon_that_was_killed_loses_nothing(daemon: Daemon, agent: Callable[..., Agent]) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.hook("UserPromptSubmit", prompt="first")
    daemon.kill9()
    one.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "make"})
    daemon.start()
    item = daemon.wait_for(one.pane, "waiting_approval")
    assert (item["task"], item["waiting_for"]["text"]) == ("first", "make")
