"""Panes that tmux lists in a way that cannot be read: they are told and counted, and cost no other pane anything."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, Actor, Agent, Daemon, Item, Place
from tests.conftest import Tmux, until

_TITLES = """
import os, sys, tty
tty.setraw(0)
n = 0
while True:
    n += 1
    title = f"{sys.argv[1]}-{n}-".encode() + b"x" * 900_000
    os.write(1, b"\\x1b]2;" + title + b"\\x07\\x1b[c")
    while b"c" not in os.read(0, 100):  # the answer to the request comes when tmux has read all before it
        pass
"""
"""A program that sets one title of 900 kB after the other."""


class Spoiler:
    """A tmux program whose answers a ``sed`` script changes, where there is one."""

    def __init__(self, place: Place) -> None:
        self._script = place.root / "spoil"
        program = place.root / "tmux"
        real, script = shlex.quote(shutil.which("tmux") or "tmux"), shlex.quote(str(self._script))
        program.write_text(
            f'#!/bin/sh\n[ -e {script} ] || exec {real} "$@"\n{real} "$@" | LC_ALL=C sed -E -f {script}\n'
        )
        program.chmod(0o755)
        text = place.config.read_text()
        place.config.write_text(text.replace("[host]\n", f'[host]\ntmux_path = "{program}"\n'))

    def field(self, pane: str, number: int, value: str) -> None:
        """From now on the pane's ``number``-th field, of those that are numbers, reads ``value``."""
        before = " [^ ]*" * (number - 1)
        self.script(f"s/(p{pane}{before}) [^ ]*/\\1 {value}/\n")

    def script(self, text: str) -> None:
        fresh = self._script.with_name("fresh")
        fresh.write_text(text)
        fresh.replace(self._script)

    def stop(self) -> None:
        self._script.unlink()


@pytest.fixture
def spoiler(place: Place) -> Spoiler:
    """The target ``host`` is read through this."""
    return Spoiler(place)


def host(place: Place) -> Item:
    (found,) = place.json("target", "list")["items"]
    return dict(found)


@pytest.mark.tc("TC-130")
def test_a_pane_that_outlives_its_program_costs_no_other_pane_anything_and_can_be_attached(
    place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    one = agent().start()
    tmux.run("set-option", "-g", "remain-on-exit", "on")
    dead = tmux.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main", "--", "sh", "-c", "exit 3")
    empty = tmux.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", dead, "")
    until(lambda: tmux.show(dead, "#{pane_dead}") == "1", within=PATIENCE)
    daemon.start()
    daemon.wait_agent(one.pane)
    assert (host(place)["health"], host(place)["panes"], host(place)["unread_panes"]) == ("ok", 3, 0)
    for pane in (dead, empty):
        done = place.cli("attach", pane, "--print", "--json")
        assert done.returncode == 0, done.stdout
        command = json.loads(done.stdout)["result"]["argv"]
        assert command[0].endswith("tmux"), command
        refused = place.cli("send", pane, "--text", "x", "--shell", "--json")
        reason = json.loads(refused.stdout)["error"]["details"]["reason"]
        assert (refused.returncode, reason in ("dead", "changed")) == (5, True), refused.stdout


@pytest.mark.tc("TC-130")
def test_attach_selects_a_pane_whose_program_has_ended(place: Place, daemon: Daemon, tmux: Tmux) -> None:
    tmux.start()
    tmux.run("set-option", "-g", "remain-on-exit", "on")
    dead = tmux.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main", "--", "sh", "-c", "exit 3")
    until(lambda: tmux.show(dead, "#{pane_dead}") == "1", within=PATIENCE)
    daemon.start()
    until(lambda: daemon.pane(dead), within=PATIENCE)
    ref = f"pane:host/main/{tmux.show(dead, '#{window_id}')}/{dead}"
    done = daemon.client.act("attach", {"request_ref": "r" * 20, "ref": ref, "select": True}).json()
    assert done["result"]["selected"] is True
    assert tmux.run("display-message", "-p", "-t", "main:", "#{pane_id}") == dead


@pytest.mark.tc("TC-130")
@pytest.mark.parametrize("value", ["x", "9" * 40])
def test_a_row_that_cannot_be_read_is_told_and_costs_no_other_pane_anything(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], spoiler: Spoiler, value: str
) -> None:
    one, two = actor().start(), actor().start("other")
    daemon.start()
    before = one.ready(daemon), two.asks(daemon)
    spoiler.field(two.pane, 5, value)
    until(lambda: host(place)["unread_panes"] == 1, within=PATIENCE)
    unknown = daemon.wait_for(two.pane, "unknown")
    assert (unknown["reason_code"], unknown["runtime_id"]) == ("pane_unreadable", before[1]["runtime_id"])
    assert host(place)["health"] == "ok"
    one.asks(daemon)
    health = daemon.health()
    (message,) = [error for error in health["last_errors"] if two.pane in error]
    assert "pane_pid" in message and health["counters"]["unread_rows_host"] >= 1
    assert daemon.said().count("a pane cannot be read") == 1
    assert " 2 (1 unreadable)" in place.cli("target", "list").stdout
    spoiler.stop()
    daemon.wait_for(two.pane, "waiting_approval")
    until(lambda: host(place)["unread_panes"] == 0, within=PATIENCE)
    assert daemon.wait_agent(two.pane)["runtime_id"] == before[1]["runtime_id"]


@pytest.mark.tc("TC-130")
def test_where_not_even_the_pane_of_a_row_is_known_no_pane_is_taken_for_gone(
    place: Place, daemon: Daemon, agent: Callable[..., Agent], spoiler: Spoiler
) -> None:
    one, two = agent().start(), agent().start("other")
    daemon.start()
    before = {pane: daemon.wait_agent(pane)["runtime_id"] for pane in (one.pane, two.pane)}
    spoiler.script(f"s/p{two.pane} [$][0-9]* @[0-9]*/pnothing/\n")
    until(lambda: host(place)["unread_panes"] == 1, within=PATIENCE)
    daemon.stop()
    daemon.start()  # the daemon that comes next has never seen a row of it
    until(lambda: host(place)["unread_panes"] == 1, within=PATIENCE)
    spoiler.stop()
    until(lambda: host(place)["unread_panes"] == 0, within=PATIENCE)
    assert {pane: daemon.wait_agent(pane)["runtime_id"] for pane in (one.pane, two.pane)} == before


def large(tmux: Tmux, pane: str, cols: int, rows: int) -> None:
    tmux.run("resize-window", "-t", pane, "-x", str(cols), "-y", str(rows))


@pytest.mark.tc("TC-221")
@pytest.mark.parametrize("how", ["huge", "full"])
def test_a_screen_that_is_too_large_costs_no_other_pane_anything(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], tmux: Tmux, how: str
) -> None:
    """A pane whose screen is too large to be read is unknown, with the reason and what to do. The target stays ok, the
    other panes are read. The pane is read again when its screen is smaller. So it is for a size that is over every
    bound, and for a screen that is so full that the reply is too long."""
    place.config.write_text(place.config.read_text() + "\n[targets]\nmax_answer = 1\n")
    one, two = actor().start(), actor().start("other")
    daemon.start()
    one.ready(daemon)
    before = two.ready(daemon)
    if how == "huge":
        large(tmux, two.pane, 10_000, 10_000)
    else:
        large(tmux, two.pane, 1000, 900)
        with open(tmux.show(two.pane, "#{pane_tty}"), "w", encoding="utf-8") as terminal:
            terminal.write("\x1b[H" + "█" * (1000 * 890))
    unknown = daemon.wait_for(two.pane, "unknown")
    assert (unknown["reason_code"], unknown["runtime_id"]) == ("pane_unreadable", before["runtime_id"])
    (message,) = [error for error in daemon.health()["last_errors"] if two.pane in error]
    assert "make it smaller" in message
    until(lambda: host(place)["health"] == "ok", within=PATIENCE)
    one.asks(daemon)
    assert host(place)["unread_panes"] == 1
    large(tmux, two.pane, 80, 24)
    until(lambda: host(place)["unread_panes"] == 0, within=PATIENCE)
    assert two.asks(daemon)["runtime_id"] == before["runtime_id"]


@pytest.mark.tc("TC-221")
def test_an_agent_that_starts_or_ends_on_a_screen_that_is_too_large_is_listed_and_taken_off(
    daemon: Daemon, actor: Callable[..., Actor], tmux: Tmux
) -> None:
    """Who runs in such a pane is told by its process alone."""
    one = actor().start_in_shell()
    large(tmux, one.pane, 10_000, 10_000)
    daemon.start()
    row = daemon.wait_for(one.pane, "unknown")
    assert row["reason_code"] == "pane_unreadable"
    one.tell(exit="0")
    until(lambda: (daemon.pane(one.pane) or {"runtime_id": None})["runtime_id"] is None, within=PATIENCE)


@pytest.mark.tc("TC-131")
def test_titles_of_any_length_leave_the_daemons_memory_as_it_was(daemon: Daemon, tmux: Tmux) -> None:
    for n in range(4):
        tmux.start(sys.executable, "-c", _TITLES, str(n), session=f"s{n}")
    daemon.start()
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status")

    def most() -> int:
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) // 1024

    def rounds() -> int:
        return int(daemon.health()["counters"]["rounds_host"])

    until(lambda: len(daemon.panes(all="true")) == 4, within=PATIENCE)
    before, begun = most(), rounds()
    until(lambda: rounds() >= begun + 25, within=PATIENCE)
    titles = [pane["title"] for pane in daemon.panes(all="true")]
    assert all(title.startswith(f"{n}-") and len(title) <= 200 for n, title in enumerate(titles)), titles
    assert most() - before < 20, f"{before} MiB became {most()} MiB"
