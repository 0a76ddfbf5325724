"""The tmux of another machine may be older or newer than the one here."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stage import Daemon, Place
from tests.ssh.test_target_manager import RemoteMachine, becomes, daemon, far, place  # noqa: F401 fixtures


def calls_itself(folder: Path, version: str) -> Path:
    """A tmux that says that it is of another version; a release before 3.3 knows some options not at all."""
    real = shutil.which("tmux") or "tmux"
    program = folder / f"tmux {version}"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = -V ] && {{ echo "tmux {version}"; exit 0; }}\n'
        f"v=$({shlex.quote(real)} -V | cut -d' ' -f2)\n"
        f'{shlex.quote(real)} "$@" | sed "s/^\\([0-9a-z]*s[0-9]* [0-9]*\\) $v/\\1 {version}/"\n'
    )
    program.chmod(0o700)
    return program


@pytest.mark.tc("TC-014")
@pytest.mark.tc("TC-041")
def test_an_older_tmux_there_is_told_and_is_no_crash_and_an_update_is_noticed(
    place: Place,  # noqa: F811
    daemon: Daemon,  # noqa: F811
    far: Callable[..., RemoteMachine],  # noqa: F811
    short_dir: Path,
) -> None:
    vm = far("vm1")
    pane = vm.start_agent().pane
    program = calls_itself(short_dir, "3.2a")
    vm.add("--tmux-path", str(program))
    assert becomes(daemon, "vm1", "down")["reason"] == "tmux_too_old"
    (error,) = place.json("ls")["target_errors"]
    assert (error["target"], error["code"], error["reason"]) == ("vm1", "E_TMUX_UNSUPPORTED", "tmux_too_old")
    done = place.cli("target", "connect", "vm1")
    assert (done.returncode, "FAIL  version" in done.stdout) == (6, True), done.stdout
    assert daemon.pane(pane, "vm1") is None
    calls_itself(short_dir, "3.4").replace(program)
    daemon.wait_agent(pane, "vm1")
    assert becomes(daemon, "vm1", "ok")["tmux_version"] == "3.4"


@pytest.mark.tc("TC-014")
def test_a_newer_tmux_there_is_watched(
    place: Place,  # noqa: F811
    daemon: Daemon,  # noqa: F811
    far: Callable[..., RemoteMachine],  # noqa: F811
    short_dir: Path,
) -> None:
    vm = far("vm1")
    pane = vm.start_agent().pane
    for version in ("4.0", "next-3.8", "openbsd-7.9", "master"):
        vm.add("--tmux-path", str(calls_itself(short_dir, version)))
        daemon.wait_agent(pane, "vm1")
        assert becomes(daemon, "vm1", "ok")["tmux_version"] == version
        assert place.cli("target", "connect", "vm1").returncode == 0
        place.json("target", "remove", "vm1", "--yes")
