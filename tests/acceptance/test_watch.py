"""The stream and its cursors, through changes and restarts of the daemon."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Item, Place, Replay, Watch, lasting
from tests.conftest import until


def state_of(line: Item, pane: str) -> str | None:
    """What a line says of a pane's state."""
    rows = line.get("items", []) + [c.get("item") or {} for c in line.get("changes", [])]
    return next((row["state"] for row in rows if row.get("identity", {}).get("pane_id") == pane), None)


def stream(daemon: Daemon, **params: str) -> list[Item]:
    """What the API streams from a cursor up to now, one-shot."""
    with daemon.client.watch({"once": "true", **params}) as exchange:
        return [json.loads(line) for line in exchange.read().splitlines()]


@pytest.mark.tc("TC-019")
def test_every_cursor_of_the_stream_resumes_right_after_it(
    daemon: Daemon, agent: Callable[..., Agent], watch: Callable[..., Watch]
) -> None:
    daemon.start()
    watcher = watch()
    watcher.until(lambda line: line["type"] == "snapshot")
    one, two = agent().start("one"), agent().start("two")
    daemon.wait_agent(one.pane)
    daemon.wait_agent(two.pane)
    one.ask()
    two.hook("UserPromptSubmit", prompt="count")
    two.hook("Stop")
    watcher.until(lambda line: state_of(line, two.pane) == "completed")
    one.title("another title")
    one.hook("UserPromptSubmit", prompt="go on")
    watcher.until(lambda line: state_of(line, one.pane) == "running")

    seen = list(watcher.lines)
    assert len(seen) >= 5
    for place, line in enumerate(seen):
        later = [x for x in stream(daemon, cursor=line["cursor"]) if x["type"] == "delta"]
        assert lasting(later)[: len(seen) - place - 1] == lasting(seen[place + 1 :])

    held = Replay()
    for line in seen + stream(daemon, cursor=seen[-1]["cursor"]):
        held.take(line)
    now = stream(daemon)[0]
    assert now["type"] == "snapshot"
    if now["sequence"] == held.sequence:
        assert held.same_as(now["items"])


@pytest.mark.tc("TC-020")
def test_a_cursor_that_left_the_kept_log_gets_a_reset_and_a_snapshot(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    old = stream(daemon)[0]["cursor"]
    one.ask()
    daemon.wait_for(one.pane, "waiting_approval")
    daemon.stop()
    place.config.write_text(place.config.read_text() + "[retention]\nstream = 0.000001\n")
    daemon.start()  # what is due goes at the start

    def expired() -> bool:
        return '"E_CURSOR_EXPIRED"' in place.cli("watch", "--once", "--json", "--cursor", old).stdout

    until(expired, within=PATIENCE, what="the log is purged")
    done = place.cli("watch", "--once", "--json", "--cursor", old)
    assert done.returncode == 5
    with daemon.client.watch({"cursor": old}) as exchange:
        reset, snapshot = json.loads(exchange.line() or b""), json.loads(exchange.line() or b"")
    assert (reset["type"], reset["reason"]) == ("reset", "cursor_expired")
    assert snapshot["type"] == "snapshot"
    assert state_of(snapshot, one.pane) == "waiting_approval"


@pytest.mark.tc("TC-020")
def test_a_cursor_of_another_stream_gets_a_reset_and_a_snapshot(daemon: Daemon, watch: Callable[..., Watch]) -> None:
    daemon.start()
    watcher = watch("--cursor", "another:7")
    watcher.until(lambda line: line["type"] == "snapshot")
    assert [line["type"] for line in watcher.lines] == ["reset", "snapshot"]
    assert watcher.lines[0]["reason"] == "other_stream"


@pytest.mark.tc("TC-051")
@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_a_watcher_lives_through_a_restart_and_neither_loses_nor_repeats_a_change(
    daemon: Daemon, agent: Callable[..., Agent], watch: Callable[..., Watch], how: str
) -> None:
    daemon.start()
    one, two = agent().start("one"), agent().start("two")
    daemon.wait_agent(one.pane)
    daemon.wait_agent(two.pane)
    watcher = watch()
    watcher.until(lambda line: line["type"] == "snapshot")
    one.ask()
    watcher.until(lambda line: state_of(line, one.pane) == "waiting_approval")
    getattr(daemon, how)()
    two.hook("UserPromptSubmit", prompt="while nobody looks")
    three = agent().start("three")
    daemon.start()
    watcher.until(lambda line: state_of(line, two.pane) == "running")
    three.ask("make")
    watcher.until(lambda line: state_of(line, three.pane) == "waiting_approval")

    assert len({line["stream_id"] for line in watcher.lines}) == 1
    assert [line["type"] for line in watcher.lines].count("snapshot") == 1
    assert {line["reason"] for line in watcher.lines if line["type"] == "reset"} <= {"shutdown"}
    held = Replay()
    for line in watcher.lines:
        held.take(line)
    assert {row["identity"]["pane_id"]: row["state"] for row in held.rows.values() if row["state"]} == {
        one.pane: "waiting_approval",
        two.pane: "running",
        three.pane: "waiting_approval",
    }
    result = stream(daemon, cursor=watcher.lines[-1]["cursor"])
    for line in result:
        held.take(line)
    now = stream(daemon)[0]
    if now["sequence"] == held.sequence:
        assert held.same_as(now["items"])


@pytest.mark.tc("TC-051")
def test_a_watcher_is_told_of_the_shutdown(daemon: Daemon, watch: Callable[..., Watch]) -> None:
    daemon.start()
    watcher = watch("--no-reconnect")
    watcher.until(lambda line: line["type"] == "snapshot")
    assert daemon.stop() == 0
    last = watcher.until(lambda line: line["type"] == "reset")
    assert last["reason"] == "shutdown"
    assert watcher.process.wait(PATIENCE) == 0
