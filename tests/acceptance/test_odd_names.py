"""Names that a user may choose and a program may stumble over: of sockets, folders, sessions, windows."""

from __future__ import annotations

import json
import os
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.ref import format_pane
from tests.acceptance.asking import ask
from tests.acceptance.stage import PATIENCE, Actor, Agent, Daemon, Place
from tests.acceptance.test_actions_attach import terminal  # noqa: F401 fixture
from tests.conftest import Tmux, until

SOCKET = "a b,'c\"$x %1;ü"
NAMES = [
    "-dash", "=same", "@1", "%0", "{last}", "+1", "!", "~", "^", "$HOME", "a b", "'q\"", "#{pane_id}", "#(id)",
    "ü日本🦀", "50%", "semi;colon", "back\\slash", "runtime", "tab\there", "new\nline", "a/b", "*", "[x]", "none/../..",
]  # fmt: skip
"""``:`` and ``.`` tmux itself turns into ``_``, and control characters into words; from 3.7 on it refuses those."""
SHELL: dict[str, Any] = {"shell": True}


@pytest.fixture
def tmux(short_dir: Path) -> Iterator[Tmux]:
    """In the place of the usual one: its socket lies in a folder of such a name."""
    (short_dir / SOCKET).mkdir()
    made = Tmux(short_dir / SOCKET / "s,1,2")
    yield made
    made.stop()


@pytest.fixture
def place(short_dir: Path, tmux: Tmux) -> Place:
    made = Place(short_dir)
    made.config.write_text(
        f"[host]\ntmux_socket = {json.dumps(str(tmux.socket), ensure_ascii=False)}\n"
        "[observe]\nquiet_interval = 0.25\nempty_interval = 0.25\n"
    )
    assert tomllib.loads(made.config.read_text())["host"]["tmux_socket"] == str(tmux.socket)
    tmux.env = dict(made.env)
    return made


@pytest.mark.tc("TC-106")
def test_a_server_whose_socket_has_an_odd_path_is_heard_written_to_and_attached_to(
    place: Place,
    daemon: Daemon,
    tmux: Tmux,
    terminal: Callable[..., object],  # noqa: F811
) -> None:
    daemon.start()
    one = Actor(tmux, place).start("-a 'b\" $x;c")
    ref = one.ready(daemon)["ref"]
    assert ask(daemon, "send", ref, text="hello", enter=True)["result"]["delivery"] == "submitted"
    assert one.sent() == ["hello"]
    one.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "make"})
    asked = daemon.wait_for(one.pane, "waiting_approval")
    assert (asked["source"], asked["waiting_for"]["text"]) == ("hook", "make"), (
        "the commas of TMUX are those of the path"
    )
    printed = place.cli("attach", ref, "--print").stdout
    assert str(tmux.socket) in shlex.split(printed)
    inside = {"TMUX": f"{tmux.socket},{tmux.show(one.pane, '#{pid}')},0"}
    output = place.cli("attach", ref, "--json", env=inside).stdout
    assert json.loads(output)["result"]["selected"] is True, "it is this very server that the terminal is in"
    terminal(*shlex.split(printed))
    until(lambda: tmux.run("list-clients", "-F", "#{session_name}"), within=PATIENCE)


@pytest.mark.tc("TC-106")
def test_a_target_with_an_odd_socket_is_added_and_found_again(
    place: Place, daemon: Daemon, tmux: Tmux, new_tmux: Callable[[], Tmux], short_dir: Path
) -> None:
    other = Tmux(short_dir / "x,y z" / "'s\"")
    other.socket.parent.mkdir()
    other.env = dict(place.env)
    daemon.start()
    try:
        one = Agent(other, place).start("%3")
        place.json("target", "add", "odd", "--kind", "local", "--tmux-socket", str(other.socket))
        daemon.wait_agent(one.pane, "odd")
        assert daemon.stop() == 0
        daemon.start()
        assert daemon.wait_agent(one.pane, "odd")["identity"]["session_name"] == "%3"
    finally:
        other.stop()


def takes(tmux: Tmux, name: str) -> bool:
    """Whether this tmux takes such a name for a session, tried on a server of its own."""
    other = Tmux(tmux.socket.with_name("other"))
    try:
        return other.try_run("new-session", "-d", "-s", name.replace("#", "##"), "cat").returncode == 0
    finally:
        other.stop()


@pytest.mark.tc("TC-027")
@pytest.mark.tc("TC-106")
def test_panes_of_sessions_and_windows_of_any_name_are_listed_and_acted_on(
    place: Place, daemon: Daemon, tmux: Tmux
) -> None:
    panes = {}
    names = [name for name in NAMES if takes(tmux, name)]
    assert set(NAMES) - set(names) <= {"tab\there", "new\nline"}
    for number, name in enumerate(names):
        panes[number] = tmux.start("cat", session=name.replace("#", "##"))  # of a new session tmux expands formats
        tmux.run("rename-window", "-t", panes[number], "--", name)
        tmux.run("new-window", "-d", "-t", f"{tmux.show(panes[number], '#{session_id}')}:", "-n", name, "cat")
    daemon.start()

    def rows() -> dict[str, Any]:
        items = daemon.client.listing("panes", {"all": "true"}).json()["items"]
        return {row["identity"]["pane_id"]: row for row in items}

    until(lambda: len(rows()) == 2 * len(names), within=PATIENCE)
    found = rows()
    for number, pane in panes.items():
        name, row = tmux.show(pane, "#{session_name}"), found[pane]
        assert row["identity"]["session_name"] == name
        tmux.run("select-window", "-t", f"{row['session_id']}:1")
        message = ask(daemon, "send", row["ref"], text=f"to {number}", enter=True, **SHELL)
        assert message["result"]["delivery"] == "typed"
        assert ask(daemon, "attach", row["ref"])["result"]["selected"] is True
        assert tmux.show(f"{row['session_id']}:", "#{pane_id}") == pane, name
    for number, pane in panes.items():
        until(lambda pane=pane, number=number: f"to {number}" in tmux.run("capture-pane", "-p", "-t", pane))  # type: ignore[misc]
    for name in ("-dash", "ü日本🦀", "a b"):
        assert len(place.json("ls", "--all", "--session", name)["items"]) == 2
    assert os.path.lexists(tmux.socket)


@pytest.mark.tc("TC-027")
@pytest.mark.tc("TC-106")
def test_a_pane_is_attached_to_in_the_session_that_its_ref_names(daemon: Daemon, tmux: Tmux) -> None:
    """A grouped session shows the same windows, and which of them it shows is its own."""
    names = ["-dash", "=same", "@1", "$0", "$99", "%0", "a b", "'q\"", "ü日本🦀", "#{pane_id}"]
    pane = tmux.start("cat", session="first")
    tmux.run("new-window", "-d", "-t", "first:", "cat")
    for name in names:
        tmux.run("new-session", "-d", "-t", "first", "-s", name.replace("#", "##"), "-x", "80", "-y", "24")
    listed = tmux.run("list-sessions", "-F", "#{session_id} #{session_name}").splitlines()
    ids = {name: session for session, _, name in (line.partition(" ") for line in listed)}
    for session in ids.values():
        tmux.run("select-window", "-t", f"{session}:1")
    daemon.start()
    until(lambda: daemon.pane(pane), within=PATIENCE)
    row = daemon.pane(pane) or {}
    assert sorted(row["other_sessions"]) == sorted(names)

    def showing() -> set[str]:
        """The sessions that show the pane."""
        return {name for name, session in ids.items() if tmux.show(f"{session}:", "#{pane_id}") == pane}

    for number, name in enumerate(names, 1):
        result = ask(daemon, "attach", format_pane("host", name, row["identity"]["window_id"], pane))["result"]
        assert showing() == set(names[:number]), result
