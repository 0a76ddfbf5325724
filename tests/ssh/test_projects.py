"""Projects, branches and worktrees of folders on a machine behind a real sshd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.core.model import Project
from agtmuxd.targets import projects
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.git_repo import git, repository
from tests.ssh.sshd import Sshd


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
