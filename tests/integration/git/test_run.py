"""How git is started, and what its failures say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmux.git.run import Git, find_git
from agtmux.protocol.errors import AgtmuxError
from tests.git_repo import repository

pytestmark = pytest.mark.tc("TC-824")


def program(folder: Path, text: str) -> Path:
    made = folder / "bin" / "git"
    made.parent.mkdir(exist_ok=True)
    made.write_text(f"#!/bin/sh\n{text}\n")
    made.chmod(0o755)
    return made


def test_a_missing_and_an_old_git_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(AgtmuxError, match=r"git is not on your PATH: install git 2\.31 or newer"):
        find_git(str(tmp_path))
    program(tmp_path, "echo git version 2.30.9")
    with pytest.raises(AgtmuxError, match=r"git 2\.30 is too old: install git 2\.31 or newer"):
        find_git(str(tmp_path))
    program(tmp_path, "echo git version 2.31.0")
    assert find_git(str(tmp_path)).version == (2, 31)
    with pytest.raises(AgtmuxError, match="is not a folder"):
        find_git(str(tmp_path / "missing"))


def test_a_failure_says_what_git_said_in_one_line(tmp_path: Path) -> None:
    git = find_git(str(repository(tmp_path)))
    with pytest.raises(AgtmuxError) as caught:
        git.run("rev-parse", "--verify", "no\nsuch")
    assert caught.value.message.startswith("git rev-parse failed: fatal: ")
    assert "\n" not in caught.value.message


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    git = Git(str(program(tmp_path, "exec sleep 1000")), (2, 40), str(tmp_path))
    with pytest.raises(AgtmuxError) as caught:
        git.run("status", within=0.05)
    assert caught.value.code == "E_TIMEOUT"


def test_variables_of_another_repository_do_not_reach_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a hook, where git itself sets them."""
    one, two = repository(tmp_path / "one"), repository(tmp_path / "two")
    monkeypatch.setenv("GIT_DIR", str(one / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(one))
    assert find_git(str(two)).line("rev-parse", "--show-toplevel") == os.path.realpath(two)
