"""What git's own files say of a repository, a branch and a worktree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.protocol.text import one_line
from agtmuxd.core import git_files
from agtmuxd.core.model import Project

pytestmark = pytest.mark.tc("TC-260")
SHA1, SHA256 = "0123456" + "a" * 33, "89abcde" + "f" * 57


@pytest.mark.parametrize(
    ("head", "branch"),
    [
        (b"ref: refs/heads/main\n", "main"),
        (b"ref: refs/heads/feature/a b\n", "feature/a b"),
        (b"ref:refs/heads/main", "main"),
        ("ref: refs/heads/größe\n".encode(), "größe"),
        (b"ref: refs/remotes/origin/main\n", "remotes/origin/main"),
        (f"{SHA1}\n".encode(), "@0123456"),
        (f"{SHA256}\n".encode(), "@89abcde"),
        (b"ref: refs/heads/.invalid\n", None),
        (b"ref: refs/heads/a\x1b[31m\xe2\x80\xaeb\n", "a[31mb"),
        (b"ref: refs/heads/one\ntwo\n", None),
        (b"0123456", None),
        (b"anything else", None),
        (b"", None),
        (b"\xff\xfe\x00", None),
    ],
)
def test_head_names_a_branch_or_a_commit(head: bytes, branch: str | None) -> None:
    assert git_files.branch_of(head) == branch


@pytest.mark.parametrize(
    ("root", "git", "common", "project"),
    [
        ("/src/agtmux", "/src/agtmux/.git", None, Project("agtmux", "main")),
        ("/src/agtmux.git", "/src/agtmux.git", None, Project("agtmux", "main")),
        ("/src/agtmux/.bare", "/src/agtmux/.bare", None, Project("agtmux", "main")),
        ("/src/sub", "/src/.git/modules/lib", None, Project("sub", "main")),
        ("/wt/rows", "/src/agtmux/.git/worktrees/rows1", "/src/agtmux/.git", Project("agtmux", "main", "rows")),
        (
            "/src/agtmux/rows",
            "/src/agtmux/.bare/worktrees/rows",
            "/src/agtmux/.bare",
            Project("agtmux", "main", "rows"),
        ),
        (
            "/src/agtmux.git/rows",
            "/src/agtmux.git/worktrees/rows",
            "/src/agtmux.git",
            Project("agtmux", "main", "rows"),
        ),
        ("/wt/x", "/src/.git/modules/lib/worktrees/x", "/src/.git/modules/lib", Project("lib", "main", "x")),
        ("/wt/a\u202eb\x1b", "/src/agtmux/.git/worktrees/x", "/src/agtmux/.git", Project("agtmux", "main", "ab")),
        ("/", "/.git", None, Project("/", "main")),
    ],
)
def test_a_repository_is_named_by_its_main_folder(root: str, git: str, common: str | None, project: Project) -> None:
    assert git_files.in_repository(root, git, b"ref: refs/heads/main\n", common) == project


def test_the_file_git_and_commondir_name_folders_absolute_or_beside_them() -> None:
    assert git_files.git_folder(b"gitdir: /src/.git/worktrees/x\n", "/wt/x") == "/src/.git/worktrees/x"
    assert git_files.git_folder(b"gitdir: ../.git/modules/x\n", "/src/x") == "/src/x/../.git/modules/x"
    assert git_files.common_folder(b"../..\n", "/src/.git/worktrees/x") == "/src/.git"
    for wrong in (b"", b"gitdir:", b"gitdir: \n", b"other: x", b"gitdir: a\0b", b"gitdir: a\nb"):
        assert git_files.git_folder(wrong, "/src") is None, wrong


def test_outside_git_the_folder_names_the_project() -> None:
    assert git_files.outside_git("/home/me/notes") == Project("notes")
    assert git_files.outside_git("/") == Project("/")
    assert git_files.missing("/home/me/notes (deleted)") == Project("notes")


@given(st.text(max_size=300))
def test_upwards_ends_at_the_root_and_is_bounded(path: str) -> None:
    found = git_files.upwards("/" + path)
    assert len(found) <= git_files.DEEPEST
    assert all(one.startswith("/") for one in found)
    assert found[-1] == "/" or len(found) == git_files.DEEPEST
    assert git_files.upwards("/a/b/../c") == ["/a/c", "/a", "/"]


@given(st.binary(max_size=300), st.text(min_size=1, max_size=50))
def test_whatever_the_files_hold_names_are_short_and_on_one_line(data: bytes, folder: str) -> None:
    git = git_files.git_folder(b"gitdir:" + data, "/" + folder)
    common = git_files.common_folder(data, "/x")
    found = git_files.in_repository("/" + folder, git or "/x/.git", b"ref: refs/heads/" + data, common)
    for name in (found.name, found.branch, found.worktree):
        assert name is None or (0 < len(name) <= 200 and name == one_line(name))
