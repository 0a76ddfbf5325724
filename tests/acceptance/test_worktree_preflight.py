"""``agtmux worktree preflight``: what merging two agents' work would do, and who holds the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agtmux.cli.worktree_preflight import lease_pattern
from agtmuxd.core.globs import Budget, compile_pattern, overlap
from tests.acceptance.stage import Daemon, Place
from tests.acceptance.test_worktree import added
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-829")


def test_two_worktrees_conflict_in_the_files_that_both_changed(place: Place, daemon: Daemon, short_dir: Path) -> None:
    daemon.start()
    repo = repository(short_dir / "repo")
    (repo / "a[1].txt").write_text("a\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "a")
    trees = {name: Path(added(place, repo, name)["path"]) for name in ("ann", "bob")}
    (trees["ann"] / "other.txt").write_text("x\n")
    git(trees["ann"], "add", "-A")
    git(trees["ann"], "commit", "-q", "-m", "other")
    clean = place.cli("worktree", "preflight", "ann", "bob")
    assert (clean.returncode, clean.stdout) == (0, "ann and bob merge without conflicts\n"), clean
    for name, tree in trees.items():
        (tree / "a[1].txt").write_text(f"{name}\n")
        git(tree, "commit", "-q", "-a", "-m", name)
    (trees["bob"] / "loose.txt").touch()
    found = place.cli("worktree", "preflight", "ann", "agtmux/bob", "--json")
    body = json.loads(found.stdout)
    assert (found.returncode, body["conflicts"], body["b"]["uncommitted"]) == (1, ["a[1].txt"], 1), found
    assert body["leases"] == []
    against = place.cli("worktree", "preflight", "ann", "main", "--repo", str(repo))
    assert against.returncode == 0, against
    assert place.cli("worktree", "preflight", "ann", "nothing").returncode == 2


def test_a_file_is_the_only_one_that_its_pattern_matches() -> None:
    for path in ("a[1].txt", "src/*.py", "b\\c{d}?", "odd \udcff name"):
        pattern = compile_pattern(lease_pattern(path))
        assert pattern.literal
        assert not overlap(pattern, compile_pattern("other"), Budget())
