"""A preview says what a merge then does: on generated repositories, compared with the merge itself."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from agtmux.git.merge_preview import preview_merge
from agtmux.git.repository import find_repository
from agtmux.protocol.errors import AgtmuxError
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-829")
REPOSITORIES = int(os.environ.get("AGTMUX_MERGES", "40"))
NAMES = ("a.txt", "b.txt", "dir/c.txt", "dir/d.txt", 'odd " name\t.txt', "dir", "union.log")


def write(chance: random.Random, top: Path) -> None:
    """Change, add, delete, rename or replace a few files."""
    for name in chance.sample(NAMES, chance.randint(1, 4)):
        path = top / name
        there = path.is_file()
        what = chance.choice(("change", "change", "change", "delete", "rename", "binary", "mode"))
        if path.is_dir() or (path.parent != top and path.parent.is_file()):
            continue
        if there and what == "delete":
            path.unlink()
        elif there and what == "rename":
            path.rename(path.with_name(f"renamed{chance.randint(0, 1)}.txt"))
        elif there and what == "mode":
            path.chmod(0o755)
        elif what == "binary":
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"\0" + chance.randbytes(20))
        else:
            path.parent.mkdir(exist_ok=True)
            lines = path.read_bytes().split(b"\n") if there else [b"%d" % n for n in range(12)]
            lines[chance.randrange(len(lines))] = b"x%d" % chance.randint(0, 2)
            path.write_bytes(b"\n".join(lines))
    git(top, "add", "-A")
    git(top, "commit", "-q", "--allow-empty", "-m", "x")


def generated(seed: int, top: Path) -> None:
    """A repository with the branches ``main`` and ``other``, which forked after a few commits."""
    chance = random.Random(seed)
    repository(top)
    (top / ".gitattributes").write_text("*.log merge=union\n")
    for name in ("a.txt", "b.txt", "dir/c.txt", "union.log"):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(b"".join(b"%d\n" % n for n in range(12)))
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "files")
    write(chance, top)
    git(top, "branch", "other")
    for branch in ("main", "other"):
        git(top, "checkout", "-q", branch)
        for _ in range(chance.randint(1, 3)):
            write(chance, top)
    git(top, "checkout", "-q", "main")


@pytest.mark.parametrize("seed", range(REPOSITORIES))
def test_a_preview_equals_the_merge(tmp_path: Path, seed: int) -> None:
    top = tmp_path / "r"
    generated(seed, top)
    found = find_repository(str(top))
    objects = git(top, "count-objects", "-v")
    ours, theirs = git(top, "rev-parse", "main"), git(top, "rev-parse", "other")
    preview = preview_merge(found.git, found.common, ours, theirs)
    assert git(top, "count-objects", "-v") == objects, "nothing was written to the repository"
    git(top, "merge", "-q", "-m", "merge", "other", check=False)
    listed = git(top, "-c", "core.quotePath=false", "ls-files", "-u", "-z").split("\0")
    conflicts = sorted({one.partition("\t")[2] for one in listed if one})
    assert (preview.clean, list(preview.conflicts)) == (not conflicts, conflicts)
    if preview.clean:
        assert git(top, "rev-parse", "HEAD^{tree}") == preview.tree


def test_generated_repositories_merge_and_conflict() -> None:
    """The generator is worth something: see the seeds."""
    assert REPOSITORIES >= 40


def test_an_old_git_is_named_with_the_next_step(tmp_path: Path) -> None:
    found = find_repository(str(repository(tmp_path)))
    with pytest.raises(AgtmuxError, match=r"git 2\.37 cannot merge .* install git 2\.38 or newer"):
        preview_merge(replace(found.git, version=(2, 37)), found.common, "a", "b")


def test_a_folder_with_a_colon_or_a_quote_is_found(tmp_path: Path) -> None:
    top = tmp_path / 'od:d "x\\y'
    generated(1, top)
    found = find_repository(str(top))
    preview_merge(found.git, found.common, git(top, "rev-parse", "main"), git(top, "rev-parse", "other"))
