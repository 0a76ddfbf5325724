"""Projects, branches and worktrees of folders on this machine, with the real git."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from agtmuxd.core.model import Project
from agtmuxd.targets.local.projects import ANEW, LocalProjects
from tests.git_repo import ENVIRONMENT, git, repository

pytestmark = pytest.mark.tc("TC-260")


def look(folder: Path | str) -> Project:
    """Look with nothing remembered."""
    return LocalProjects().look(str(folder))


def test_folders_of_a_repository_have_its_project_and_branch(tmp_path: Path) -> None:
    main = repository(tmp_path / "agtmux")
    (main / "src" / "deep").mkdir(parents=True)
    for folder in (main, main / "src", main / "src" / "deep", main / ".git", main / ".git" / "hooks"):
        assert look(folder) == Project("agtmux", "main"), folder
    assert look(tmp_path) == Project(tmp_path.name)


def test_a_linked_worktree_has_the_project_of_the_main_repository_and_its_own_name(tmp_path: Path) -> None:
    main = repository(tmp_path / "agtmux")
    git(main, "worktree", "add", "-q", "-b", "one", str(tmp_path / "elsewhere" / "wt"))
    git(main, "worktree", "add", "-q", "-b", "two", str(main / ".worktrees" / "wt"))
    assert look(tmp_path / "elsewhere" / "wt") == Project("agtmux", "one", "wt")
    assert look(main / ".worktrees" / "wt") == Project("agtmux", "two", "wt")
    assert look(main) == Project("agtmux", "main")
    git(main, "worktree", "move", str(tmp_path / "elsewhere" / "wt"), str(tmp_path / "moved"))
    assert look(tmp_path / "moved") == Project("agtmux", "one", "moved")


def test_worktrees_of_a_bare_repository_have_its_name(tmp_path: Path) -> None:
    main = repository(tmp_path / "seed")
    git(tmp_path, "clone", "-q", "--bare", str(main), "tool.git")
    git(tmp_path, "clone", "-q", "--bare", str(main), "kit/.bare")
    git(tmp_path / "tool.git", "worktree", "add", "-q", "-b", "x", str(tmp_path / "x"))
    git(tmp_path / "kit" / ".bare", "worktree", "add", "-q", "-b", "y", str(tmp_path / "kit" / "y"))
    (tmp_path / "kit" / ".git").write_text("gitdir: ./.bare\n")
    assert look(tmp_path / "tool.git") == Project("tool", "main")
    assert look(tmp_path / "tool.git" / "refs") == Project("tool", "main")
    assert look(tmp_path / "x") == Project("tool", "x", "x")
    assert look(tmp_path / "kit" / "y") == Project("kit", "y", "y")
    assert look(tmp_path / "kit") == Project("kit", "main")


def test_a_submodule_is_a_project_of_its_own(tmp_path: Path) -> None:
    outer, inner = repository(tmp_path / "outer"), repository(tmp_path / "inner", branch="trunk")
    git(outer, "submodule", "--quiet", "add", str(inner), "lib/parser")
    assert look(outer / "lib" / "parser") == Project("parser", "trunk")
    assert look(outer / "lib") == Project("outer", "main")


def test_a_git_folder_that_lies_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    repository(tmp_path / "agtmux", "--separate-git-dir", str(tmp_path / "store" / "x.git"))
    assert look(tmp_path / "agtmux") == Project("agtmux", "main")
    (tmp_path / "by-link").mkdir()
    (tmp_path / "by-link" / ".git").symlink_to(tmp_path / "store" / "x.git")
    assert look(tmp_path / "by-link") == Project("by-link", "main")


@pytest.mark.parametrize("branch", ["main", "feature/a-b", "größe/日本", "x\u202ey\u200bz", "@", "a" * 200])
def test_branches_of_any_name_are_shown_as_safe_text(tmp_path: Path, branch: str) -> None:
    folder = repository(tmp_path / "r", branch=branch if branch != "@" else "at")
    shown = branch.replace("\u202e", "").replace("\u200b", "") if branch != "@" else "at"
    assert look(folder) == Project("r", shown)


def test_a_branch_without_a_commit_and_a_commit_without_a_branch(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "-q", "-b", "later")
    assert look(tmp_path / "new") == Project("new", "later")
    old = repository(tmp_path / "old")
    git(old, "checkout", "-q", "--detach")
    assert look(old) == Project("old", "@" + git(old, "rev-parse", "HEAD")[:7])


def test_a_repository_of_sha256_objects(tmp_path: Path) -> None:
    folder = repository(tmp_path / "new-hash", "--object-format=sha256")
    git(folder, "checkout", "-q", "--detach")
    commit = git(folder, "rev-parse", "HEAD")
    assert len(commit) == 64
    assert look(folder) == Project("new-hash", "@" + commit[:7])


def test_refs_in_tables_give_no_branch(tmp_path: Path) -> None:
    made = subprocess.run(
        ["git", "init", "-q", "--ref-format=reftable", str(tmp_path / "t")], env=ENVIRONMENT, capture_output=True,
        check=False,
    )  # fmt: skip
    if made.returncode:  # this git is older than 2.45: lay out what such a git leaves
        repository(tmp_path / "t")
        (tmp_path / "t" / ".git" / "HEAD").write_text("ref: refs/heads/.invalid\n")
    assert look(tmp_path / "t") == Project("t")


def test_a_head_that_is_a_link_as_very_old_repositories_have(tmp_path: Path) -> None:
    folder = repository(tmp_path / "old")
    (folder / ".git" / "HEAD").unlink()
    (folder / ".git" / "HEAD").symlink_to("refs/heads/main")
    assert git(folder, "branch", "--show-current") == "main"
    assert look(folder) == Project("old", "main")


def test_a_switch_of_the_branch_shows_at_once_though_files_are_remembered(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r")
    os.utime(folder / ".git" / "HEAD", (1_000_000_000, 1_000_000_000))
    projects = LocalProjects()
    assert projects.look(str(folder)) == projects.look(str(folder)) == Project("r", "main")
    git(folder, "switch", "-q", "-c", "other")
    assert projects.look(str(folder)) == Project("r", "other")
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/third\n")
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/again\n")
    assert projects.look(str(folder)) == Project("r", "again")


def test_a_new_repository_on_the_way_and_one_that_went_show_after_a_while(tmp_path: Path) -> None:
    now = [0.0]
    projects = LocalProjects(lambda: now[0])
    outer = repository(tmp_path / "outer")
    folder = outer / "inner"
    folder.mkdir()
    os.utime(outer / ".git" / "HEAD", (1_000_000_000, 1_000_000_000))
    assert projects.look(str(folder)) == Project("outer", "main")
    repository(folder, branch="own")
    assert projects.look(str(folder)) == Project("outer", "main")
    now[0] += ANEW
    assert projects.look(str(folder)) == Project("inner", "own")
    shutil.rmtree(folder / ".git")
    shutil.rmtree(outer / ".git")
    assert projects.look(str(folder)) == Project("inner"), "a HEAD that went shows at once"


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    def fresh(name: str) -> Path:
        return repository(tmp_path / name) / ".git" / "HEAD"

    head = fresh("pipe")
    head.unlink()
    os.mkfifo(head)
    assert look(tmp_path / "pipe") == Project(), "a pipe is not opened"
    head = fresh("long")
    head.write_text("ref: refs/heads/" + "x" * 5000)
    assert look(tmp_path / "long") == Project()
    head = fresh("loop")
    head.unlink()
    head.symlink_to("HEAD")
    assert look(tmp_path / "loop") == Project()
    head = fresh("device")
    head.unlink()
    head.symlink_to("/dev/zero")
    assert look(tmp_path / "device") == Project()
    with socket.socket(socket.AF_UNIX) as server:
        (tmp_path / "socket").mkdir()
        before = Path.cwd()
        os.chdir(tmp_path / "socket")  # socket paths are short
        try:
            server.bind(".git")
        finally:
            os.chdir(before)
        assert look(tmp_path / "socket") == Project()
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / ".git").write_text("gitdir: /nowhere/.git/worktrees/lost\n")
    assert look(tmp_path / "lost") == Project(), "git refuses it, too"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_git_folder_of_somebody_else_is_not_known(tmp_path: Path) -> None:
    folder = repository(tmp_path / "shut")
    (folder / ".git").chmod(0)
    assert look(folder) == Project()
    (folder / ".git").chmod(0o700)


def test_an_empty_git_folder_is_none_and_a_folder_that_is_gone_has_only_its_name(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r") / "sub"
    (folder / ".git").mkdir(parents=True)
    assert look(folder) == Project("r", "main")
    assert look(tmp_path / "r" / "was-here (deleted)") == Project("was-here")


@pytest.mark.parametrize("path", ["/", "", "relative", "/a\0b", "/" + "x" * 5000, "/" + "y/" * 3000])
def test_any_path_has_an_answer(path: str) -> None:
    assert isinstance(look(path), Project)
