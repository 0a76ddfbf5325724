"""Programs of a target: what they print is told from what a login shell prints, and what fails says why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agtmux.cli import target_shell
from agtmux.cli.target_shell import TargetShell, last_line
from agtmux.protocol.errors import AgtmuxError

pytestmark = pytest.mark.tc("TC-868")


def remote(
    tmp_path: Path, script: str = 'echo welcome; echo "Warning: noise" >&2; exec /bin/sh -c "$1"'
) -> TargetShell:
    """A machine that is reached by a program like ssh, whose login shell prints something first."""
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return TargetShell("gpu", [str(program), "-t"], ["tmux", "-u"])


def test_a_program_runs_here_without_a_terminal_and_outside_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/x,1,0")
    here = TargetShell("host", [], ["echo"])
    script = "import os, sys; print(os.environ.get('TMUX'), sys.stdin.read(), os.getsid(0) == os.getpid())"
    assert here.run([sys.executable, "-c", script]).stdout == "None  True\n"
    assert here.tmux("new", "a;", "b") == "new a\\; b\n", "a word that ends in ; would end tmux's command"
    assert not here.is_remote


def test_what_a_login_shell_prints_is_left_out(tmp_path: Path) -> None:
    far = remote(tmp_path)
    assert far.is_remote
    assert far.run(["printf", "%s|", "it's", "$HOME"]).stdout == "it's|$HOME|"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo 'no route to host' >&2; exit 255", "E_TARGET_UNREACHABLE", "gpu: no route to host; check it with"),
        ("echo 'This account is not available.'", "E_TARGET_UNREACHABLE", "gpu does not run commands"),
        ("exec sleep 60", "E_TIMEOUT", "gpu did not answer within 0.5 s"),
    ],
)
def test_a_machine_that_is_not_reached_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: str, words: str
) -> None:
    monkeypatch.setattr(target_shell, "TIMEOUT", 0.5)
    with pytest.raises(AgtmuxError) as caught:
        remote(tmp_path, script).run(["true"])
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value.message


def test_what_cannot_be_run_at_all_is_named() -> None:
    with pytest.raises(AgtmuxError) as caught:
        TargetShell("host", [], ["tmux"]).run(["/no/such/program"])
    assert caught.value.code == "E_TARGET_UNREACHABLE"
    with pytest.raises(AgtmuxError) as caught:
        TargetShell("host", [], ["tmux"]).run(["echo", "a\0b"])
    assert caught.value.code == "E_INVALID_REQUEST"


def test_a_refused_tmux_command_says_what_tmux_said(tmp_path: Path) -> None:
    far = remote(tmp_path, 'exec /bin/sh -c "$1"')
    far = TargetShell(
        "gpu", far._way, ["sh", "-c", "echo 'Warning: slow' >&2; echo 'no space for new pane' >&2; exit 1"]
    )
    with pytest.raises(AgtmuxError, match="gpu: tmux new-window failed: no space for new pane"):
        far.tmux("new-window")
    assert last_line("\n \n") == ""
