"""How git is run: which variables stay, which configuration wins, and which filters are turned off."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agtmux.protocol.git_command import FILTERS, environment, filter_names, version_of
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-832")


def test_variables_that_point_git_elsewhere_are_dropped() -> None:
    made = environment({"GIT_DIR": "/x", "GIT_INDEX_FILE": "/y", "GIT_CONFIG_COUNT": "9", "HOME": "/h"})
    assert "GIT_DIR" not in made
    assert "GIT_INDEX_FILE" not in made
    assert (made["HOME"], made["GIT_OPTIONAL_LOCKS"], made["GIT_ALLOW_PROTOCOL"]) == ("/h", "0", "none")


def test_filters_of_the_repository_are_named_whatever_their_names_hold(tmp_path: Path) -> None:
    top = repository(tmp_path)
    (tmp_path / "global").write_text('[filter "lfs"]\n\tclean = x\n')
    for name in ("plain", "a=b", "dots.in.it", "sp ace"):
        git(top, "config", f"filter.{name}.clean", "x")
    env = environment({"GIT_CONFIG_GLOBAL": str(tmp_path / "global"), "GIT_CONFIG_NOSYSTEM": "1"})
    listed = subprocess.run(["git", *FILTERS], cwd=top, env=env, capture_output=True, check=True).stdout
    own = ["plain", "a=b", "dots.in.it", "sp ace"]
    assert filter_names(listed) == own
    assert sorted(filter_names(listed, everywhere=True)) == sorted([*own, "lfs"])
    off = environment(env, own)
    for name in own:
        shown = subprocess.run(
            ["git", "config", f"filter.{name}.clean"], cwd=top, env=off, capture_output=True, check=True
        )
        assert shown.stdout == b"\n", "the environment wins over the repository"


@pytest.mark.parametrize(
    ("text", "version"),
    [("git version 2.39.5 (Apple Git-154)", (2, 39)), ("git version 3.0", (3, 0)), ("what", (0, 0))],
)
def test_a_version_is_read(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version
