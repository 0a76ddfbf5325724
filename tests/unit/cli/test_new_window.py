"""What ``agtmux new`` looks up before it starts anything, and how a repeated request finds its window again."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.cli.new_window import SESSION, Machine, checked_session, find_pane, look, open_window, session_here
from agtmux.cli.target_shell import TargetShell
from agtmux.protocol.errors import AgtmuxError
from tests.conftest import Tmux

pytestmark = pytest.mark.tc("TC-864")


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    made = folder / name
    made.write_text("#!/bin/sh\nexit 0\n")
    made.chmod(0o755)
    return made


@pytest.fixture
def here(tmux: Tmux) -> TargetShell:
    """This machine, with the private server of the test."""
    return TargetShell("host", [], ["tmux", "-u", "-S", str(tmux.socket), "-f", "/dev/null"])


def test_the_program_is_found_on_the_path_else_by_the_users_own_shell(
    here: TargetShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:/usr/bin:/bin")
    first, second = program(tmp_path / "a", "one"), program(tmp_path / "b b", "two")
    (tmp_path / ".profile").write_text(f"PATH='{tmp_path}/b b':$PATH\necho PATH=/wrong\n")
    (tmp_path / ".bashrc").write_text(f"PATH='{tmp_path}/b b':$PATH\necho PATH=/wrong\n")
    assert look(here, "one", None) == Machine(str(first), f"{tmp_path / 'a'}:/usr/bin:/bin", str(tmp_path))
    found = look(here, "two", "~/b b")
    assert (found.program, found.folder) == (str(second), str(tmp_path / "b b"))
    assert f"{tmp_path}/b b" in found.path.split(":"), "the program gets the PATH that it was found on"
    with pytest.raises(AgtmuxError, match="three is not on the PATH of host, nor of your shell there"):
        look(here, "three", None)


def test_a_folder_has_to_be_there(here: TargetShell, tmp_path: Path) -> None:
    with pytest.raises(AgtmuxError, match="there is no folder /no/such on host"):
        look(here, "sh", "/no/such")
    (tmp_path / "file").write_text("")
    with pytest.raises(AgtmuxError, match="there is no folder"):
        look(here, "sh", str(tmp_path / "file"))


def test_a_repeated_request_finds_its_pane_also_after_the_program_ended(
    here: TargetShell, tmux: Tmux, tmp_path: Path
) -> None:
    assert find_pane(here, "request-1") is None, "no server runs"
    machine = Machine("/bin/true", "/usr/bin:/bin", str(tmp_path))
    first = open_window(here, machine, ["--x"], session="s", name="n", request_ref="request-12")
    second = open_window(here, machine, [], session="s", name="n", request_ref="request-1")
    assert find_pane(here, "request-1") == second
    assert find_pane(here, "request-12") == first
    assert find_pane(here, "request-123") is None
    assert tmux.run("list-sessions", "-F", "#{session_name}") == "s"


def test_a_session_is_the_callers_only_on_the_same_server(
    here: TargetShell, tmux: Tmux, monkeypatch: pytest.MonkeyPatch
) -> None:
    pane = tmux.start("sleep", "1000", session="mine")
    pid = tmux.run("display-message", "-p", "#{pid}")
    monkeypatch.delenv("TMUX", raising=False)
    assert session_here(here) == SESSION
    monkeypatch.setenv("TMUX", f"{tmux.socket},{pid},0")
    monkeypatch.setenv("TMUX_PANE", pane)
    assert session_here(here) == "mine"
    assert session_here(TargetShell("gpu", ["ssh", "gpu"], ["tmux"])) == SESSION
    monkeypatch.setenv("TMUX", "/tmp/another,1,0")
    assert session_here(here) == SESSION


@pytest.mark.parametrize("name", ["", "a:b", "a.b", "a\nb"])
def test_a_name_that_tmux_would_change_is_refused(name: str) -> None:
    with pytest.raises(AgtmuxError, match="cannot be the name of a tmux session"):
        checked_session(name)
    assert checked_session("it's ok") == "it's ok"
