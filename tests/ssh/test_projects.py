"""Projects, branches and worktrees of folders on a machine behind a real sshd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.core.model import Project
from agtmuxd.targets import projects
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.acceptance.stage import PATIENCE, Agent, Daemon
from tests.conftest import until
from tests.git_repo import git, repository
from tests.ssh.sshd import Sshd
from tests.ssh.test_target_manager import RemoteMachine, daemon, far, place  # noqa: F401 fixtures


@pytest.mark.tc("TC-262")
async def test_folders_behind_ssh_have_the_projects_that_they_have_here(
    new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor], tmp_path: Path
) -> None:
    new_sshd("vm1")
    main = repository(tmp_path / 'it\'s "agtmux"', branch="größe/x")
    (main / "src").mkdir()
    git(main, "worktree", "add", "-q", "-b", "rows", str(tmp_path / "wt"))
    (tmp_path / "plain").mkdir()
    found = await projects.look(
        reach("vm1"), [str(main), str(main / "src"), str(tmp_path / "wt"), str(tmp_path / "plain")]
    )
    assert found == {
        str(main): Project('it\'s "agtmux"', "größe/x"),
        str(main / "src"): Project('it\'s "agtmux"', "größe/x"),
        str(tmp_path / "wt"): Project('it\'s "agtmux"', "rows", "wt"),
        str(tmp_path / "plain"): Project("plain"),
    }


@pytest.mark.tc("TC-262")
def test_a_row_behind_ssh_names_its_project_and_follows_the_branch(
    daemon: Daemon,  # noqa: F811
    far: Callable[..., RemoteMachine],  # noqa: F811
    short_dir: Path,
) -> None:
    folder = repository(short_dir / "agtmux")
    machine = far("vm1")
    agent = Agent(machine.tmux, machine.place).start_in("new-session", "-s", "main", "-c", str(folder))
    machine.add()

    def shown(branch: str) -> bool:
        row = daemon.pane(agent.pane, "vm1") or {}
        return (row.get("project"), row.get("branch")) == ("agtmux", branch)

    until(lambda: shown("main"), within=PATIENCE, what="the project of the far pane")
    git(folder, "switch", "-q", "-c", "next")
    until(lambda: shown("next"), within=PATIENCE, what="its new branch")
