"""``agtmux conflict`` on a real merge, and the number of conflicts in the record of a worktree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.stage import Daemon, Place
from tests.acceptance.test_worktree import added, listed
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-828")


def merging(place: Place, repo: Path) -> Path:
    """A worktree of ann's, in a merge with two conflicts in one file."""
    lines = [str(number) for number in range(40)]
    (repo / "f.txt").write_text("\n".join(lines) + "\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "base")
    tree = Path(added(place, repo)["path"])
    for folder, word in ((repo, "main"), (tree, "ann")):
        changed = [*lines]
        changed[3], changed[30] = f"{word} \x1b[31m", word
        (folder / "f.txt").write_text("\n".join(changed) + "\n")
        git(folder, "commit", "-q", "-a", "-m", word)
    git(tree, "merge", "main", check=False)
    return tree


def test_conflicts_are_listed_shown_and_resolved(place: Place, daemon: Daemon, short_dir: Path) -> None:
    daemon.start()
    tree = merging(place, repository(short_dir / "repo"))
    body = json.loads(place.cli("conflict", "list", "--agent", "ann", "--json").stdout)
    first, second = (one["id"] for one in body["trees"][0]["conflicts"])
    assert "conflict markers: f.txt" in place.cli("worktree", "check", "ann").stdout
    assert [one["conflicts"] for one in listed(place)] == [1]
    shown = place.cli("conflict", "show", first, "--repo", str(tree))
    assert ("--- ours HEAD" in shown.stdout, "\x1b" in shown.stdout) == (True, False), shown
    done = place.cli("conflict", "resolve", first, "--with", "ours", "--repo", str(tree))
    assert (done.returncode, "f.txt has 1 more" in done.stderr) == (0, True), done
    (short_dir / "merged").write_text("both of us\n")
    done = place.cli("conflict", "resolve", second, "--with", str(short_dir / "merged"), "--repo", str(tree))
    assert (done.returncode, "run git add on it" in done.stderr) == (0, True), done
    text = (tree / "f.txt").read_text()
    assert ("ann \x1b[31m\n" in text, "both of us\n" in text, "<<<" in text) == (True, True, False)
    again = place.cli("conflict", "resolve", second, "--with", "ours", "--repo", str(tree))
    assert (again.returncode, "there is no conflict" in again.stderr) == (4, True), again
    missing = place.cli("conflict", "resolve", second, "--with", str(short_dir / "none"), "--repo", str(tree))
    assert missing.returncode == 2
    place.cli("worktree", "check", "ann")
    assert [one["conflicts"] for one in listed(place)] == [0]
