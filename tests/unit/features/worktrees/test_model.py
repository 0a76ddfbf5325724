"""The names of branches and folders, and which steps a record may take."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import NAME
from agtmuxd.features.worktrees.model import (
    STEPS,
    Owner,
    Worktree,
    branch_name,
    folder_name,
    is_inside,
    lock_reason,
    next_state,
    repo_id,
)

pytestmark = pytest.mark.tc("TC-820")


def record(state: str) -> Worktree:
    return Worktree("w", "r", "/g", Owner("a"), "/p", "b", "main", "c", state, None, None, 1, 1)


@pytest.mark.parametrize(
    ("owner", "slug", "taken", "branch"),
    [
        (Owner("bob"), None, (), "agtmux/bob"),
        (Owner("bob", "core"), None, (), "agtmux/core/bob"),
        (Owner("bob", "core"), "fix", (), "agtmux/core/bob/fix"),
        (Owner("bob"), "fix", ("agtmux/bob",), "agtmux/bob+fix"),
        (Owner("bob"), "fix", ("agtmux/BOB",), "agtmux/bob+fix"),
        (Owner("a..b"), "x.lock", (), "agtmux/a-b/x-"),
    ],
)
def test_a_branch_is_named_by_team_agent_and_slug(owner: Owner, slug: str, taken: tuple[str, ...], branch: str) -> None:
    assert branch_name(owner, slug, taken) == branch


@pytest.mark.parametrize(
    ("slug", "taken"),
    [(None, ("agtmux/bob",)), (None, ("agtmux/bob/fix",)), (None, ("agtmux",)),
     ("fix", ("agtmux/bob", "agtmux/bob+fix"))],
)  # fmt: skip
def test_a_branch_that_is_there_or_in_the_way_is_refused(slug: str | None, taken: tuple[str, ...]) -> None:
    with pytest.raises(AgtmuxError, match="choose another name with --slug"):
        branch_name(Owner("bob"), slug, taken)


@settings(max_examples=60, deadline=None)
@given(st.from_regex(NAME, fullmatch=True), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True))
def test_every_name_gives_a_branch_that_git_takes(name: str, slug: str) -> None:
    for branch in (branch_name(Owner(name, name), slug, ()), branch_name(Owner(name), slug, (f"agtmux/{name}",))):
        git = shutil.which("git") or "git"
        assert subprocess.run([git, "check-ref-format", f"refs/heads/{branch}"], check=False).returncode == 0, branch


def test_a_folder_belongs_to_one_agent_of_one_team() -> None:
    names = [folder_name(Owner("a", team), slug) for team in (None, "t") for slug in (None, "s")]
    assert names == ["a", "a+s", "t+a", "t+a+s"]


def test_the_lock_names_the_agent_by_its_id_if_there_is_one() -> None:
    assert [lock_reason(Owner("a", None, agent_id)) for agent_id in ("id-1", None)] == ["agtmux:id-1", "agtmux:a"]


def test_a_record_takes_only_steps_that_follow() -> None:
    allowed = {
        state: [step for step in STEPS if state in STEPS[step][0]]
        for state in ("adding", "active", "removing", "removed")
    }
    assert allowed == {
        "adding": ["added", "not_added", "removing", "salvaged", "checked"],
        "active": ["removing", "salvaged", "checked"],
        "removing": ["removing", "kept", "removed", "salvaged", "checked"],
        "removed": [],
    }
    assert next_state(record("active"), "salvaged") == "active"
    with pytest.raises(AgtmuxError, match="this worktree is removed"):
        next_state(record("removed"), "removed")


def test_a_folder_is_inside_itself_and_not_inside_one_whose_name_begins_like_it() -> None:
    assert [is_inside(folder, "/a/b") for folder in ("/a/b", "/a/b/c", "/a/bc", "/a", None)] == [
        True, True, False, False, False
    ]  # fmt: skip
    assert repo_id("/a") != repo_id("/a", "gpu")
