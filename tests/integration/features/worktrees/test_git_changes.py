"""Which files of a tree changed, asked of the real git: bounded, and without code that the repository names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agtmuxd.features.worktrees import git_changes
from agtmuxd.features.worktrees.git_changes import changed_files, find_tree
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-830")
GIT = shutil.which("git") or "git"


def test_the_tree_of_a_folder_is_found_without_git(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    (top / "deep" / "er").mkdir(parents=True)
    git(top, "worktree", "add", "-q", "-b", "w", str(tmp_path / "w"))
    assert find_tree(str(top / "deep" / "er")) == (str(top), str(top / ".git"))
    assert find_tree(str(tmp_path / "w")) == (str(tmp_path / "w"), str(top / ".git"))
    assert find_tree(str(tmp_path)) is None
    assert find_tree(str(tmp_path / "missing")) is None


def test_changed_untracked_and_committed_files_are_listed_with_their_times(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    (top / "same").touch()
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "x")
    base = git(top, "rev-parse", "HEAD")
    (top / "done").write_text("x")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "x")
    (top / "new" / "odd \n").parent.mkdir()
    (top / "new" / "odd \n").touch()
    os.utime(top / "new" / "odd \n", ns=(7, 7))
    assert changed_files(GIT, str(top), None, os.environ) == {"new/odd \n": 7}
    found = changed_files(GIT, str(top), base, os.environ)
    assert found is not None
    assert set(found) == {"new/odd \n", "done"}
    assert set(changed_files(GIT, str(top), "0" * 40, os.environ) or ()) == {"new/odd \n"}


def test_nothing_that_the_repository_names_runs(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    mark, program = tmp_path / "mark", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho x >>'{mark}'\ncat\n")
    program.chmod(0o755)
    (top / ".gitattributes").write_text("* filter=a=b\n")
    (top / "file").write_text("one")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "x")
    for key in ("core.fsmonitor", "filter.a=b.clean", "filter.a=b.process", "diff.external"):
        git(tmp_path, "config", "--file", str(top / ".git" / "config"), key, str(program))
    (top / "file").write_text("two")
    index = (top / ".git" / "index").read_bytes()
    assert set(changed_files(GIT, str(top), "HEAD", os.environ) or ()) == {"file"}
    assert not mark.exists()
    assert (top / ".git" / "index").read_bytes() == index
    git(top, "status")
    assert mark.exists()


def test_a_long_answer_is_cut_between_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    for number in range(50):
        (top / f"file-{number:02d}").touch()
    monkeypatch.setattr(git_changes, "MOST_BYTES", 100)
    found = changed_files(GIT, str(top), None, os.environ)
    assert found is not None
    assert list(found) == [f"file-{number:02d}" for number in range(len(found))]
    assert 0 < len(found) < 50


def test_a_git_that_hangs_fails_or_is_gone_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "r")
    monkeypatch.setattr(git_changes, "WITHIN", 0.05)
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 1000\n")
    slow.chmod(0o755)
    assert changed_files(str(slow), str(top), None, os.environ) is None
    assert changed_files(str(tmp_path / "none"), str(top), None, os.environ) is None
    monkeypatch.setattr(git_changes, "WITHIN", 5.0)
    assert changed_files(GIT, str(tmp_path), None, os.environ) is None
