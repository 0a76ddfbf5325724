"""A repository is known by its real git folder, whichever way a client names it, and nothing else is one."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.leases import repository_folder
from agtmuxd.features.leases.repository_folder import RepositoryFolders, read_scope
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-791")


def test_a_link_and_odd_bytes_name_the_same_repository(tmp_path: Path) -> None:
    repo = repository(tmp_path / "a\udcffb")
    (tmp_path / "link").symlink_to(repo)
    plain = read_scope(f"{tmp_path}/a\\xffb/.git")
    assert read_scope(f"{tmp_path}/link/.git") == plain
    assert (plain.kind, plain.ignore_case, plain.name) == ("path", False, f"{tmp_path}/a\\xffb/.git")
    git(repo, "config", "core.ignorecase", "true")
    assert read_scope(f"{tmp_path}/link/.git").ignore_case


def test_what_is_no_main_git_folder_is_refused(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    git(repo, "worktree", "add", "-q", str(tmp_path / "tree"))
    for wrong in (str(repo), "relative/.git", f"{tmp_path}/none", f"{repo}/.git/worktrees/tree", f"{repo}/.git\0x"):
        with pytest.raises(AgtmuxError, match=r"repo\.git_dir") as caught:
            read_scope(wrong)
        assert caught.value.code == "E_INVALID_REQUEST"


async def test_a_file_system_that_hangs_refuses_the_request_and_no_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_folder, "_LIMIT", 0.05)
    ends = threading.Event()
    folders = RepositoryFolders(lambda _path: ends.wait() and None)  # type: ignore[arg-type,return-value]
    results = await asyncio.gather(*(folders.find("/x") for _ in range(20)), return_exceptions=True)
    assert all(isinstance(r, AgtmuxError) and r.code == "E_UNSUPPORTED" for r in results)
    assert threading.active_count() < 20
    ends.set()
