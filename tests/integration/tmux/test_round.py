"""Rounds of real tmux servers: what is there is told, and what cannot be told proves nothing."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from agtmuxd.core.model import PaneRow, Proc
from agtmuxd.core.process_tree import Match, ProcessIndex, find_agents
from agtmuxd.targets.executor import TargetExecutor
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.tmux.round import Round, RoundFailure, build, build_chunks, lines, parse
from agtmuxd.tmux.server import tmux_argv
from tests.conftest import Tmux, until


class Observer:
    """Makes rounds of a server as the daemon does."""

    def __init__(self, executor: TargetExecutor) -> None:
        self.executor = executor

    async def raw(self, socket_path: Path, panes: Iterable[str] = ()) -> Round | RoundFailure:
        nonce = secrets.token_hex(8)
        argv = [*tmux_argv("tmux", str(socket_path)), "source-file", "-"]
        done = await self.executor.run(argv, stdin=build(nonce, panes), timeout=20)
        return parse(nonce, done.stdout, done.stderr, done.returncode)

    async def round(self, socket_path: Path, panes: Iterable[str] = ()) -> Round:
        found = await self.raw(socket_path, panes)
        assert isinstance(found, Round), found
        return found

    async def in_chunks(self, socket_path: Path, panes: Iterable[str], limit: int) -> Round:
        nonce = secrets.token_hex(8)
        argv = tmux_argv("tmux", str(socket_path))
        done = [
            await self.executor.run([*argv, *chunk], timeout=20) for chunk in build_chunks(nonce, panes, limit=limit)
        ]
        stdout, stderr = b"".join(one.stdout for one in done), b"".join(one.stderr for one in done)
        found = parse(nonce, stdout, stderr, max(one.returncode for one in done))
        assert isinstance(found, Round), found
        return found

    async def pane(self, tmux: Tmux, until_true: Callable[[PaneRow], object]) -> PaneRow:
        """The only pane of a server, as soon as something is true of it."""
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            (pane,) = (await self.round(tmux.socket)).panes
            if until_true(pane):
                return pane
            assert asyncio.get_running_loop().time() < deadline, pane
            await asyncio.sleep(0.02)


@pytest.fixture
async def observer() -> AsyncIterator[Observer]:
    executor = LocalExecutor(os.environ)
    yield Observer(executor)
    await executor.close()


def _write(tmux: Tmux, pane: str, text: str) -> None:
    """Have a pane's ``cat`` print a line, and wait until it did."""
    tmux.run("send-keys", "-t", pane, "-l", text)
    tmux.run("send-keys", "-t", pane, "Enter")
    until(lambda: tmux.run("capture-pane", "-p", "-t", pane).count(text) == 2, what=f"{pane} shows {text}")


def _told(tmux: Tmux, row: PaneRow) -> bool:
    """Whether a dead pane tells how it died; if not, tmux is given a reason to look."""
    if row.dead_status is not None or row.dead_signal is not None:
        return True
    tmux.run("run-shell", "true")
    return False


async def test_a_round_lists_every_pane_and_captures_those_asked_for(tmux: Tmux, observer: Observer) -> None:
    first = tmux.start(cols=70, rows=12)
    second = tmux.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", first, "sleep 600")
    _write(tmux, first, "grüße 🦀")
    found = await observer.round(tmux.socket, [first])
    assert found.server is not None
    assert str(found.server.pid) == tmux.show(first, "#{pid}")
    assert found.server.socket_path == str(tmux.socket)
    assert [pane.pane_id for pane in found.panes] == [first, second]
    assert [pane.active for pane in found.panes] == [True, False]
    assert [pane.pid for pane in found.panes] == [tmux.pid(first), tmux.pid(second)]
    assert found.panes[0].cols == 70
    assert set(found.captures) == {first}
    assert lines(found.captures[first]) == ("grüße 🦀", "grüße 🦀")


@pytest.mark.tc("TC-250")
async def test_a_round_lists_what_libtmux_lists(tmux: Tmux, observer: Observer) -> None:
    """Another reader of tmux sees the same sessions, windows, panes, processes and sizes."""
    tmux.start(session="grüße", cols=90, rows=20)
    tmux.run("split-window", "-d", "-t", "grüße:", "cat")
    tmux.run("new-window", "-t", "grüße:", "-n", "two words", "cat")
    tmux.start(session="other")
    found = await observer.round(tmux.socket)
    ours = {
        (
            *(row.pane_id, row.session_name, row.window_id, str(row.window_index), row.window_name),
            *(str(row.pane_index), str(row.pid), row.tty, str(row.cols), str(row.rows)),
        )
        for row in found.panes
    }
    assert len(ours) == 4
    assert ours == {
        (
            *(pane.pane_id, pane.session_name, pane.window_id, pane.window_index, pane.window_name),
            *(pane.pane_index, pane.pane_pid, pane.pane_tty, pane.pane_width, pane.pane_height),
        )
        for pane in tmux.server.panes
    }


async def test_names_titles_and_paths_may_hold_anything(tmux: Tmux, observer: Observer, short_dir: Path) -> None:
    odd = "a\tb\nc|é;#{pid}'\"🦀%1"
    (short_dir / odd).mkdir()
    made = ("new-session", "-d", "-P", "-F", "#{pane_id}", "-c", str(short_dir))
    name = odd.translate({9: " ", 10: " "})  # tmux refuses control characters in names from 3.7 on
    took = tmux.try_run(*made, "-s", odd, "-n", odd, "cat")
    pane = took.stdout.strip() or tmux.run(*made, "-s", name, "-n", name, "cat")
    tmux.run("select-pane", "-t", pane, "-T", odd.replace("#", "##"))
    other = tmux.run("new-window", "-d", "-P", "-F", "#{pane_id}", f"cd '{short_dir}'/a*; exec cat")
    await asyncio.to_thread(until, lambda: tmux.show(other, "#{pane_current_path}").endswith("%1"))
    found = await observer.round(tmux.socket, [pane])
    assert [row.pane_id for row in found.panes] == [pane, other]
    assert [row.session_name for row in found.panes] == [tmux.show(pane, "#{session_name}")] * 2
    assert found.panes[0].window_name == tmux.show(pane, "#{window_name}")
    assert found.panes[0].title == tmux.show(pane, "#{pane_title}")
    assert found.panes[1].cwd == str(short_dir / odd)


@pytest.mark.tc("TC-131")
@pytest.mark.parametrize("title", ["x" * 300_000, "ü日" * 5_000, "#[bold]" * 500, "x" * 513, "###" * 200])
async def test_a_title_of_any_length_makes_no_long_reply_and_is_cut(tmux: Tmux, observer: Observer, title: str) -> None:
    pane = tmux.start("sh", "-c", "stty raw -echo; exec sleep 600")
    with open(tmux.show(pane, "#{pane_tty}"), "w") as tty:  # noqa: ASYNC230 a terminal that tmux empties
        tty.write(f"\x1b]2;{title}\x07")
    await asyncio.to_thread(until, lambda: len(tmux.show(pane, "#{pane_title}")) >= len(title), within=40)
    nonce = secrets.token_hex(8)
    argv = [*tmux_argv("tmux", str(tmux.socket)), "source-file", "-"]
    done = await observer.executor.run(argv, stdin=build(nonce, [pane]), timeout=20)
    assert len(done.stdout) < 4096
    (row,) = (await observer.round(tmux.socket)).panes
    assert 250 <= len(row.title) <= 512 and title.startswith(row.title[:200])


@pytest.mark.tc("TC-131")
@pytest.mark.parametrize("name", ["#[bold]x", "Fix #[12", "###", "#", "a,b}c{", "#{pid}", "x" * 512, "ü" * 256])
async def test_a_title_and_a_name_of_usual_length_come_as_they_are(tmux: Tmux, observer: Observer, name: str) -> None:
    pane = tmux.start("sh", "-c", "stty raw -echo; exec sleep 600")
    with open(tmux.show(pane, "#{pane_tty}"), "w") as tty:  # noqa: ASYNC230 a terminal that tmux empties
        tty.write(f"\x1b]2;{name}\x07")
    await asyncio.to_thread(until, lambda: tmux.show(pane, "#{n:pane_title}") == str(len(name.encode())))
    tmux.run("rename-window", "-t", pane, name)
    (row,) = (await observer.round(tmux.socket)).panes
    assert (row.title, row.window_name) == (name, tmux.show(pane, "#{window_name}"))


async def test_a_pane_that_went_drops_nothing_else(tmux: Tmux, observer: Observer) -> None:
    first = tmux.start()
    second = tmux.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", first, "cat")
    _write(tmux, second, "still here")
    found = await observer.round(tmux.socket, ["%98", first, "%99", second])
    assert found.gone == {"%98", "%99"}
    assert lines(found.captures[first]) == ()
    assert lines(found.captures[second]) == ("still here", "still here")


async def test_no_server_is_healthy_and_empty_and_is_not_started(observer: Observer, short_dir: Path) -> None:
    assert await observer.round(short_dir / "none") == Round(None)
    assert not (short_dir / "none").exists()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(short_dir / "stale"))
    assert await observer.round(short_dir / "stale", ["%1"]) == Round(None)


async def test_what_is_no_tmux_server_is_no_empty_one(observer: Observer, short_dir: Path) -> None:
    (short_dir / "file").write_text("")
    found = await observer.raw(short_dir / "file" / "s")
    assert isinstance(found, RoundFailure)


async def test_a_server_without_sessions_is_there_and_empty(tmux: Tmux, observer: Observer) -> None:
    tmux.run("start-server", ";", "set-option", "-s", "exit-empty", "off")
    for found in (await observer.round(tmux.socket, ["%0"]), await observer.in_chunks(tmux.socket, ["%0"], 12_000)):
        assert found.server is not None
        assert found.panes == ()
        assert found.gone == {"%0"}


@pytest.mark.tc("TC-360")
@pytest.mark.parametrize("sessions", [True, False])
async def test_a_round_reads_the_user_options_for_agtmux(tmux: Tmux, observer: Observer, sessions: bool) -> None:
    """Read in the same commands as before, as they are, and without those that are too long to be ours."""
    tmux.run("start-server", ";", "set-option", "-s", "exit-empty", "off")
    if sessions:
        tmux.start()
    assert (await observer.round(tmux.socket)).options == {}
    tmux.run("set-option", "-g", "@agtmux", "on")
    tmux.run("set-option", "-g", "@agtmux_by", "#{pid} #(id) %H ü")
    tmux.run("set-option", "-g", "@agtmux_at", "x" * 3000)
    tmux.run("set-option", "-g", "@other", "1")
    for found in (await observer.round(tmux.socket), await observer.in_chunks(tmux.socket, [], 12_000)):
        assert found.options == {"@agtmux": "on", "@agtmux_by": "#{pid} #(id) %H ü"}
    tmux.run("set-option", "-gu", "@agtmux")
    tmux.run("set-option", "-s", "@agtmux", "on")
    assert (await observer.round(tmux.socket)).options["@agtmux"] == "on"


async def test_a_restarted_server_is_another_one(tmux: Tmux, observer: Observer) -> None:
    pane = tmux.start()
    before = (await observer.round(tmux.socket)).server
    tmux.stop()
    assert await observer.round(tmux.socket, [pane]) == Round(None)
    assert tmux.start() == pane
    after = (await observer.round(tmux.socket)).server
    assert before is not None
    assert after is not None
    assert before.boot_id != after.boot_id


async def test_several_servers_are_told_apart(new_tmux: Callable[[], Tmux], observer: Observer) -> None:
    servers = [new_tmux() for _ in range(3)]
    for i, server in enumerate(servers):
        _write(server, server.start(session=f"s{i}"), f"server {i}")
    found = await asyncio.gather(*(observer.round(server.socket, ["%0"]) for server in servers))
    assert [one.panes[0].session_name for one in found] == ["s0", "s1", "s2"]
    assert [lines(one.captures["%0"])[0] for one in found] == ["server 0", "server 1", "server 2"]
    assert len({one.server.boot_id for one in found if one.server}) == 3


async def test_grouped_sessions_and_linked_windows_give_one_row_per_pane(tmux: Tmux, observer: Observer) -> None:
    pane = tmux.start(session="zebra")
    tmux.run("new-session", "-d", "-t", "zebra", "-s", "ant")
    other = tmux.start(session="other")
    tmux.run("link-window", "-d", "-s", "zebra:0", "-t", "other:5")
    found = await observer.round(tmux.socket)
    assert [row.pane_id for row in found.panes] == [pane, other]
    assert (found.panes[0].session_name, set(found.panes[0].other_sessions)) == ("zebra", {"ant", "other"})


@pytest.mark.parametrize(
    ("command", "status", "killed"), [("exit 7", 7, None), ("kill -KILL $$", None, signal.SIGKILL)]
)
async def test_a_dead_pane_tells_how_it_died(
    tmux: Tmux, observer: Observer, command: str, status: int | None, killed: int | None
) -> None:
    pane = tmux.start("sh", "-c", f"read answer; {command}")
    tmux.run("set-option", "-g", "remain-on-exit", "on")
    tmux.run("send-keys", "-t", pane, "Enter")
    await observer.pane(tmux, lambda row: row.dead)
    # The status comes after the end of the terminal, on some systems only when tmux reaps another child.
    row = await observer.pane(tmux, lambda row: _told(tmux, row))
    assert (row.dead_status, row.dead_signal) == (status, killed)


async def test_modes_and_the_alternate_screen_are_seen_and_captures_show_the_program(
    tmux: Tmux, observer: Observer
) -> None:
    pane = tmux.start("sh", "-c", "printf '\\033[?1049h\\033[?25lalt'; exec sleep 600")
    row = await observer.pane(tmux, lambda row: row.alternate_on)
    assert (row.cursor_visible, row.in_mode, row.cursor_x) == (False, False, 3)
    tmux.run("copy-mode", "-t", pane)
    found = await observer.round(tmux.socket, [pane])
    assert found.panes[0].in_mode
    assert lines(found.captures[pane]) == ("alt",)


async def test_argument_lists_tell_the_same_as_standard_input(tmux: Tmux, observer: Observer) -> None:
    first = tmux.start()
    for _ in range(9):
        tmux.run("new-window", "-d", "seq 1 40; exec sleep 600")
    panes = [*tmux.run("list-panes", "-a", "-F", "#{pane_id}").split(), "%99"]
    await asyncio.to_thread(until, lambda: all("40" in tmux.run("capture-pane", "-p", "-t", p) for p in panes[1:10]))
    whole = await observer.round(tmux.socket, panes)
    for limit in (700, 12_000):
        chunked = await observer.in_chunks(tmux.socket, panes, limit)
        assert (chunked.server, chunked.captures, chunked.gone) == (whole.server, whole.captures, whole.gone)
        assert [pane.pane_id for pane in chunked.panes] == panes[:-1]
    assert first in whole.captures


async def test_more_captures_than_an_argument_list_could_ask_for_fit_one_round(tmux: Tmux, observer: Observer) -> None:
    pane = tmux.start()
    found = await observer.round(tmux.socket, [pane] + [f"%{i}" for i in range(1000, 3000)])
    assert len(found.gone) == 2000
    assert set(found.captures) == {pane}


async def test_an_agent_of_a_pane_is_found_by_its_processes(tmux: Tmux, observer: Observer, short_dir: Path) -> None:
    agent = short_dir / "agent"
    agent.symlink_to("/bin/sleep")
    pane = tmux.start("bash", "-c", f"bash -c '{agent} 600; true'; exec cat", session="one")
    bare = tmux.start("cat", session=str(agent).replace(".", "_"))

    def identify(proc: Proc) -> Match[None] | None:
        return Match("agent", False, None) if proc.comm == "agent" else None

    async def agents_of(pane_id: str) -> list[Proc]:
        index = ProcessIndex(await observer.executor.process_table())
        return [found.proc for found in find_agents(index, tmux.pid(pane_id), identify)]

    async def states(wanted: list[str]) -> list[Proc]:
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            procs = await agents_of(pane)
            if [proc.state for proc in procs] == wanted:
                return procs
            assert asyncio.get_running_loop().time() < deadline, procs
            await asyncio.sleep(0.02)

    (agent_process,) = await states(["S"])
    assert await agents_of(bare) == []
    os.kill(agent_process.pid, signal.SIGSTOP)
    await states(["T"])
    os.kill(agent_process.pid, signal.SIGKILL)
    await states([])
