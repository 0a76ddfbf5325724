"""What is read of a worktree, and that reading runs nothing that the repository names."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.git.capture import capture
from agtmux.git.conflict_scan import scan
from agtmux.git.merge_preview import preview_merge
from agtmux.git.repository import find_repository, make_tree
from agtmux.git.salvage import salvage
from agtmux.git.tree_state import place_of, read_tree
from tests.git_repo import git
from tests.worktree_shapes import Tree, submodule, unstaged, untracked

HOOKS = ("post-checkout", "reference-transaction", "post-index-change", "pre-commit", "post-commit")


@pytest.mark.tc("TC-825")
def test_a_sparse_checkout_hides_nothing_of_its_own(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.run("sparse-checkout", "set", "--no-cone", "/code.py")
    state = read_tree(place_of(tree.git, str(tree.path), tree.common))
    assert (state.hidden, state.changes, state.nested) == ((), (), ())


@pytest.mark.tc("TC-825")
def test_stashes_of_other_branches_keep_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (tree.main / "code.py").write_bytes(b"in main\n")
    git(tree.main, "stash")
    assert read_tree(place_of(tree.git, str(tree.path), tree.common)).stashes == ()


@pytest.mark.tc("TC-832")
def test_a_hostile_configuration_runs_no_code(tmp_path: Path) -> None:
    """Hooks, monitors, filters (also with an odd name), diff and merge drivers, signatures, in the repository and in a
    submodule: each would leave a mark."""
    tree = Tree(tmp_path)
    submodule(tree)
    mark = tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >>'{mark}'\ncat\n")
    program.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in HOOKS:
        (hooks / name).symlink_to(program)
        (Path(tree.common) / "hooks" / name).symlink_to(program)
    (tree.path / ".gitattributes").write_text("*.py filter=a=b diff=evil merge=evil\n*.c filter=evil\n")
    tree.run("add", ".gitattributes")
    tree.run("commit", "-q", "-m", "attributes")
    (tree.path / "lib" / ".gitattributes").write_text("*.c filter=evil\n")
    settings = {
        "core.fsmonitor": program, "core.hooksPath": hooks, "core.pager": program, "core.editor": program,
        "core.sshCommand": program, "core.askPass": program, "filter.a=b.clean": program, "filter.a=b.smudge": program,
        "filter.a=b.required": "true", "filter.evil.clean": program, "filter.evil.process": program,
        "diff.external": program, "diff.evil.textconv": program, "diff.evil.command": program,
        "merge.evil.driver": f"{program} %A", "log.showSignature": "true", "gpg.program": program,
        "commit.gpgSign": "true", "credential.helper": f"!{program}", "pager.log": program, "pager.status": program,
    }  # fmt: skip
    mark.unlink(missing_ok=True)
    for folder in (tree.main, tree.path / "lib"):
        for key, value in settings.items():
            config = git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir") + "/config"
            git(tmp_path, "config", "--file", config, key, str(value))
    mark.unlink(missing_ok=True)
    unstaged(tree)
    untracked(tree)
    found = find_repository(str(tree.main))
    place = place_of(found.git, str(tree.path), found.common)
    state = read_tree(place)
    capture(place, state, None)
    salvage(place, state, None, str(tmp_path / "salvage"), "s-1")
    scan(found.git.at(str(tree.path)), str(tree.path))
    commit = git(tree.main, "rev-parse", "HEAD")
    preview_merge(found.git, found.common, commit, str(state.head))
    make_tree(found.git, str(tmp_path / "b"), "agtmux/b", commit, "agtmux:b")
    assert not mark.exists(), mark.read_text()
    git(tree.path, "status")
    assert mark.exists(), "an ordinary git status would have run some of it"
