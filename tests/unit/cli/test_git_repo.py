"""Paths and patterns reach the daemon as the user meant them, from any folder of a real repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmux.cli import git_repo
from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.globs import Budget, compile_path, compile_pattern, overlap
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-795")


def test_all_folders_and_worktrees_of_a_repository_name_the_same_git_folder(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    git(repo, "worktree", "add", "-q", str(tmp_path / "tree"))
    (tmp_path / "tree/src/api").mkdir(parents=True)
    found = [git_repo.find(str(folder)) for folder in (repo, tmp_path / "tree", tmp_path / "tree/src/api")]
    assert {one.common for one in found if one is not None} == {os.fsencode(repo / ".git")}
    assert [one.prefix for one in found if one is not None] == [b"", b"", b"src/api/"]
    assert git_repo.find(str(tmp_path)) is None
    assert git_repo.find(str(repo / ".git")) is None


@pytest.mark.parametrize(
    ("prefix", "text", "pattern"),
    [
        (b"", "src/*.py", "src/*.py"),
        (b"src/", "*.py", "src/*.py"),
        (b"src/", "../docs", "docs"),
        (b"src/api/", "../../../x", "../x"),
        (b"src/api/", "..", "src/."),
        (b"a[b]/", "x", r"a\[b\]/x"),
        (b"src/", "/top/docs/x", "docs/x"),
        (b"src/", "/elsewhere", "/elsewhere"),
        (b"", "a\udcffb", r"a\xffb"),
        (b"\xff/", "x", r"\xff/x"),
    ],
)
def test_a_pattern_is_given_from_the_current_folder(prefix: bytes, text: str, pattern: str) -> None:
    assert git_repo.pattern(text, git_repo.Repo(b"/top/.git", b"/top", prefix)) == pattern


@pytest.mark.parametrize("name", [b"plain.py", b"a*b?[c]{d}\\e", b"\xff\xfe", b"tab\tnewline\n", "é".encode(), b"~x"])
def test_any_name_of_a_file_is_a_path_for_the_daemon_and_only_that_file(name: bytes) -> None:
    text = git_repo.escape(b"dir/" + name)
    path = compile_path(text)
    assert overlap(path, compile_pattern("dir/*"), Budget())
    assert overlap(path, compile_pattern(text), Budget())
    assert not overlap(path, compile_path(git_repo.escape(b"dir/" + name + b"x")), Budget())


def test_git_that_is_slow_fails_or_is_missing_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = repository(tmp_path / "repo")
    with pytest.raises(AgtmuxError, match="git rev-parse failed: fatal"):
        git_repo.git("rev-parse", "no-such-thing", cwd=str(repo))
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git_repo, "SECONDS", 0.1)
    with pytest.raises(AgtmuxError, match="took more than"):
        git_repo.find(str(repo))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AgtmuxError, match="install it"):
        git_repo.find(str(repo))


def test_long_lists_are_sent_in_pieces() -> None:
    assert list(git_repo.chunks([], 2, 100)) == []
    assert list(git_repo.chunks(["a", "b", "c"], 2, 100)) == [["a", "b"], ["c"]]
    assert list(git_repo.chunks(["a" * 60, "b" * 60, "c"], 9, 100)) == [["a" * 60], ["b" * 60, "c"]]
