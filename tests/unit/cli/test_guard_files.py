"""The files of a commit and of a push are those that git itself changes, whatever their names hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmux.cli import git_repo, guard_files
from tests.git_repo import ENVIRONMENT, git, repository

pytestmark = pytest.mark.tc("TC-798")
ODD = (b"a b", b"tab\t", b"new\nline", b"\xff\xfe", "é".encode(), b"-rf", b'"quoted"', b"a\\b")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def found(folder: Path) -> git_repo.Repo:
    repo = git_repo.find(str(folder))
    assert repo is not None
    return repo


def write(folder: Path, *names: bytes) -> None:
    for name in names:
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), name)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"line {n} of {os.fsdecode(name)!r}\n" for n in range(20)))


def test_odd_names_deletions_and_both_names_of_a_rename_are_staged(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    write(repo, *ODD, b"old name", b"gone")
    git(repo, "add", "-A")
    assert guard_files.staged(found(repo)) == sorted((*ODD, b"old name", b"gone"))
    git(repo, "commit", "-q", "-m", "x")
    assert guard_files.staged(found(repo)) == []
    git(repo, "config", "diff.renames", "true")
    git(repo, "config", "diff.relative", "true")
    git(repo, "mv", "old name", "new name")
    git(repo, "rm", "-q", "gone")
    (repo / "unstaged").touch()
    (repo / "sub").mkdir()
    assert guard_files.staged(found(repo / "sub")) == [b"gone", b"new name", b"old name"]


def test_a_first_commit_and_another_index_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q")
    write(repo, b"a", b"b")
    git(repo, "add", "a")
    assert guard_files.staged(found(repo)) == [b"a"]
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other"))
    git_repo.git("add", "b", cwd=str(repo))
    assert guard_files.staged(found(repo)) == [b"b"]


def test_of_a_merge_only_what_differs_from_every_parent_counts(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    write(repo, b"both")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "base")
    git(repo, "checkout", "-q", "-b", "side")
    (repo / "both").write_text("side\n")
    write(repo, b"theirs")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "side")
    git(repo, "checkout", "-q", "main")
    (repo / "both").write_text("main\n")
    git(repo, "commit", "-q", "-a", "-m", "main")
    git(repo, "merge", "side", check=False)
    (repo / "both").write_text("resolved\n")
    git(repo, "add", "-A")
    assert guard_files.staged(found(repo)) == [b"both"]


def test_a_push_has_the_files_of_the_commits_that_the_other_side_lacks(tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    git(far, "init", "-q", "--bare")
    repo = repository(tmp_path / "repo")
    git(repo, "remote", "add", "origin", str(far))
    git(repo, "push", "-q", "origin", "main")
    for name in (b"one", b"\xfftwo"):
        write(repo, name)
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "x")
    new, old, none = git(repo, "rev-parse", "HEAD"), git(repo, "rev-parse", "HEAD~2"), "0" * 40
    files = [b"one", b"\xfftwo"]
    assert guard_files.pushed(found(repo), f"refs/heads/main {new} refs/heads/main {old}\n".encode()) == files
    assert guard_files.pushed(found(repo), f"refs/heads/x {new} refs/heads/x {none}\n".encode()) == files
    assert guard_files.pushed(found(repo), f"(delete) {none} refs/heads/x {new}\n".encode()) == []
    assert guard_files.pushed(found(repo), b"") == []


def test_a_path_is_also_the_file_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").touch()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "link").symlink_to("real/file")
    real = os.fsencode(tmp_path / "real/file")
    assert list(guard_files.names_of(os.fsencode(tmp_path / "folder/file"))) == [real]
    assert list(guard_files.names_of(os.fsencode(tmp_path / "link"))) == [os.fsencode(tmp_path / "link"), real]
    assert guard_files.nearest_folder(os.fsencode(tmp_path / "real/no/such/file")) == os.fsencode(tmp_path / "real")
