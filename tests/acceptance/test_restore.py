"""Agents whose tmux server died come back in their places, each with its own session, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.acceptance.stage import PATIENCE, STANDIN, Agent, Daemon, Place
from tests.conftest import Tmux, until

pytestmark = pytest.mark.tc("TC-258")


def install(place: Place) -> Path:
    """Put a ``claude`` on the path that notes how it is called and then is a stand-in; the file with the notes."""
    folder, notes = place.root / "path", place.root / "calls"
    folder.mkdir()
    program = folder / "claude"
    program.write_text(
        f'#!/bin/sh\nprintf "%s|%s\\n" "$*" "$PWD" >>{notes}\n'
        f"exec {place.root}/bin/claude {STANDIN} {place.root}/again$$.sock\n"
    )
    program.chmod(0o755)
    notes.touch()
    return notes


def restore(place: Place, *arguments: str) -> CompletedProcess[str]:
    return place.cli("restore", *arguments, env={"PATH": f"{place.root}/path:{place.env['PATH']}"})


@pytest.fixture
def lost(place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]) -> Path:
    """Three agents, two in one window, whose server has been killed; the file that notes what is started."""
    notes = install(place)
    daemon.start()
    first = agent().start("main")
    agents = [first, agent().start_in("split-window", "-t", first.pane), agent().start("it's $(odd)")]
    for number, one in enumerate(agents):
        daemon.wait_agent(one.pane)
        one.hook("UserPromptSubmit", session_id=f"s-{number}", prompt="go")
    until(lambda: {one["agent_session_id"] for one in daemon.panes()} == {"s-0", "s-1", "s-2"}, within=PATIENCE)
    assert json.loads(restore(place, "--json").stdout)["items"] == []
    tmux.run("kill-server")
    until(lambda: daemon.panes() == [], within=PATIENCE, what="the agents are gone")
    return notes


def test_each_comes_back_in_its_place_and_two_calls_start_none_twice(
    place: Place, daemon: Daemon, tmux: Tmux, lost: Path
) -> None:
    plan = restore(place)
    assert plan.stdout.count("starts in a new pane: claude --resume s-") == 3, plan
    assert lost.read_text() == "", "the plan starts nothing"
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: restore(place, "--apply"), range(2)))
    assert [one.returncode for one in done] == [0, 0], done
    until(lambda: len(daemon.panes()) == 3, within=PATIENCE, what="three agents are back")
    calls = sorted(line.partition("|")[0] for line in lost.read_text().splitlines())
    assert calls == ["--resume s-0", "--resume s-1", "--resume s-2"]
    windows = tmux.run("list-panes", "-a", "-F", "#{session_name} #{window_index} #{pane_index}").splitlines()
    assert sorted(windows) == ["it's $(odd) 0 0", "main 0 0", "main 0 1"]
    again = restore(place, "--apply")
    assert again.stdout.count("stays away: ") == 3, again
    assert len(lost.read_text().splitlines()) == 3


def test_a_pane_that_was_made_again_is_used_if_its_shell_is_idle(
    place: Place, daemon: Daemon, tmux: Tmux, lost: Path
) -> None:
    idle = tmux.start("bash", "--norc", session="main")
    busy = tmux.start("bash", "--norc", "-c", "sleep 1000; true", session="it's $(odd)")
    until(lambda: len(daemon.panes(all="true")) == 2, within=PATIENCE, what="the panes are seen")
    shell = tmux.pid(busy)
    children = Path(f"/proc/{shell}/task/{shell}/children")
    until(lambda: children.read_text() != "", within=PATIENCE, what="one is busy, though tmux shows it as bash")
    done = restore(place, "--apply", "--json")
    assert done.returncode == 0, done
    items = {one["agent_session_id"]: one for one in json.loads(done.stdout)["items"]}
    assert items["s-0"]["pane_id"] == idle
    assert items["s-2"]["pane_id"] not in (idle, busy)
    assert (tmux.pid(busy), children.read_text() != "") == (shell, True), "it was left alone"
    until(lambda: len(daemon.panes()) == 3, within=PATIENCE, what="three agents are back")


@pytest.mark.tc("TC-949")
def test_a_session_whose_name_is_a_format_comes_back_by_the_same_name(
    place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    install(place)
    daemon.start()
    tmux.start("cat", session="other")
    one = agent().start("odd")
    tmux.run("rename-session", "-t", "odd", "##{pid} #[x] ;")
    tmux.run("rename-window", "-t", one.pane, "##{pid};")
    daemon.wait_agent(one.pane)
    one.hook("UserPromptSubmit", session_id="s-0", prompt="go")
    names = "#{session_name}|#{window_name}"
    before = tmux.run("list-panes", "-t", one.pane, "-F", names)
    assert "#{pid}" in before

    def known() -> bool:
        row = daemon.pane(one.pane) or {}
        return f"{row['identity']['session_name']}|{row['window_name']}" == before and row["agent_session_id"] == "s-0"

    until(known, within=PATIENCE, what="its names are known")
    tmux.run("kill-server")
    until(lambda: daemon.panes() == [], within=PATIENCE, what="the agent is gone")
    done = restore(place, "--apply")
    assert done.returncode == 0, done
    assert tmux.run("list-panes", "-a", "-F", names) == before


def test_what_was_started_and_did_not_come_up_is_started_again_on_request_only(place: Place, lost: Path) -> None:
    (place.root / "path" / "claude").write_text(f"#!/bin/sh\necho no >>{lost}\nexit 1\n")
    assert restore(place, "--apply").returncode == 0
    until(lambda: lost.read_text().count("no") == 3, within=PATIENCE, what="all were tried")
    assert restore(place, "--apply").stdout.count("add --again") == 3
    assert lost.read_text().count("no") == 3
    restore(place, "--apply", "--again")
    until(lambda: lost.read_text().count("no") == 6, within=PATIENCE, what="all were tried again")


def test_without_the_program_nothing_is_claimed(place: Place, daemon: Daemon, lost: Path) -> None:
    (place.root / "path" / "claude").unlink()
    done = restore(place, "--apply")
    assert done.stdout.count("claude is not on your PATH") == 3, done
    assert restore(place, "--json").stdout.count('"claimed_at":null') == 3
