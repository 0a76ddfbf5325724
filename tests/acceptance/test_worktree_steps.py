"""Two calls at once, and a daemon that ends in between: record and disk agree afterwards, and nothing is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agtmux.cli.worktree_steps import find_record
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import Daemon, Place
from tests.acceptance.test_worktree import added, listed
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-831")


@pytest.fixture
def repo(short_dir: Path, daemon: Daemon) -> Path:
    daemon.start()
    return repository(short_dir / "repo")


def test_of_several_calls_that_add_the_same_one_wins(place: Place, repo: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: place.cli("worktree", "add", "--agent", "ann", "--repo", str(repo)), range(4)))
    assert sorted(one.returncode for one in done) == [0, 5, 5, 5], done
    assert [one["state"] for one in listed(place)] == ["active"]
    assert len(git(repo, "worktree", "list").splitlines()) == 2


def test_of_several_calls_that_remove_the_same_none_lies(place: Place, repo: Path) -> None:
    path = Path(added(place, repo)["path"])
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: place.cli("worktree", "remove", "ann"), range(3)))
    for _ in range(3):
        if listed(place):
            place.cli("worktree", "remove", "ann")
    assert any(one.returncode == 0 for one in done) or listed(place) == [], done
    assert (path.exists(), listed(place)) == (False, [])
    assert list(path.parent.iterdir()) == []


def test_without_a_daemon_nothing_changes(place: Place, daemon: Daemon, repo: Path) -> None:
    path = Path(added(place, repo)["path"])
    daemon.kill9()
    assert place.cli("worktree", "remove", "ann").returncode == 3
    assert place.cli("worktree", "add", "--agent", "bob", "--repo", str(repo)).returncode == 3
    assert path.exists()
    assert len(git(repo, "worktree", "list").splitlines()) == 2
    daemon.start()
    assert place.cli("worktree", "check").returncode == 0
    assert place.cli("worktree", "remove", "ann").returncode == 0


def test_a_record_is_found_by_agent_team_branch_path_and_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(name: str, team: str | None, branch: str) -> dict[str, object]:
        path = str(tmp_path / branch.rpartition("/")[2])
        return {"worktree_id": branch, "agent": name, "team": team, "branch": branch, "path": path}

    items = [
        record("ann", None, "agtmux/ann"),
        record("ann", "core", "agtmux/core/ann+fix"),
        record("bob", None, "b/x"),
    ]
    for text, wanted in (
        ("b/x", "b/x"), ("BOB", "b/x"), ("core/ann", "agtmux/core/ann+fix"), ("ann+fix", "agtmux/core/ann+fix"),
        (str(tmp_path / "x"), "b/x"),
    ):  # fmt: skip
        assert find_record(items, text)["branch"] == wanted
    with pytest.raises(AgtmuxError) as caught:
        find_record(items, "ann")
    assert caught.value.code == "E_REF_AMBIGUOUS"
    for missing in ("nobody", None):
        with pytest.raises(AgtmuxError) as caught:
            find_record(items, missing)
        assert caught.value.code == "E_NOT_FOUND"
    (tmp_path / "x" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "x" / "deep")
    assert find_record(items, None)["branch"] == "b/x"
