"""What people recognise panes by: project, branch, worktree, the agent's own name and its last message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stage import Agent, Daemon, Item, Watch
from tests.git_repo import git, repository


def shows(line: Item, pane: str, **fields: object) -> bool:
    """Whether a line of the stream says this of a pane."""
    rows = line.get("items", []) + [c.get("item") or {} for c in line.get("changes", [])]
    return any(
        row["identity"]["pane_id"] == pane and fields.items() <= row.items() for row in rows if row.get("identity")
    )


@pytest.mark.tc("TC-260")
def test_a_row_names_project_and_branch_and_a_switch_of_the_branch_reaches_a_watcher(
    daemon: Daemon, agent: Callable[..., Agent], watch: Callable[..., Watch], short_dir: Path
) -> None:
    main = repository(short_dir / "agtmux")
    git(main, "worktree", "add", "-q", "-b", "rows", str(short_dir / "wt" / "rows"))
    (main / "src").mkdir()
    daemon.start()
    watcher = watch()
    one = agent().start_in("new-session", "-s", "one", "-c", str(main / "src"))
    two = agent().start_in("new-session", "-s", "two", "-c", str(short_dir / "wt" / "rows"))
    watcher.until(lambda line: shows(line, one.pane, project="agtmux", branch="main", worktree=None))
    if not any(shows(line, two.pane, branch="rows") for line in watcher.lines):
        watcher.until(lambda line: shows(line, two.pane, project="agtmux", branch="rows", worktree="rows"))
    git(main, "switch", "-q", "-c", "fix/names")
    watcher.until(lambda line: shows(line, one.pane, project="agtmux", branch="fix/names"))
    row = daemon.pane(two.pane)
    assert row is not None, "it is there"
    assert (row["project"], row["branch"], row["worktree"]) == ("agtmux", "rows", "rows"), "each has its own branch"
