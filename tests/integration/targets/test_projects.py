"""Projects of folders by what another machine's shell tells of a few files. The script runs in this machine's shell."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from agtmuxd.core.model import Project
from agtmuxd.targets import projects
from agtmuxd.targets.executor import ExecutorError, ProgramResult, TargetExecutor
from agtmuxd.targets.local.projects import LocalProjects
from agtmuxd.targets.ssh import commands
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-262")


class Far:
    """Reads files as an ssh target does: by the script that is sent there. ``asked``: how many paths, each time."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.broken = False

    async def read_files(self, paths: Sequence[str], *, max_bytes: int = 65536) -> dict[str, bytes | None]:
        return await asyncio.to_thread(self._read, paths, max_bytes)

    def _read(self, paths: Sequence[str], max_bytes: int) -> dict[str, bytes | None]:
        if self.broken:
            raise ExecutorError("timeout", "no answer")
        self.asked.append(len(paths))
        done = subprocess.run(
            ["sh", "-c", commands.FILES, "sh", "all", *paths], input=b"mark\n", capture_output=True, check=False
        )
        read = commands.parse_files(ProgramResult(done.returncode, done.stdout, done.stderr), "mark", list(paths))
        return {path: None if data is None else data[:max_bytes] for path, data in read.items()}


async def look(far: Far, *folders: Path) -> list[Project]:
    found = await projects.look(cast(TargetExecutor, far), [str(folder) for folder in folders])
    return [found[str(folder)] for folder in folders]


async def test_they_are_the_same_as_here(tmp_path: Path) -> None:
    main = repository(tmp_path / "agtmux")
    (main / "src").mkdir()
    git(main, "worktree", "add", "-q", "-b", "rows", str(tmp_path / "wt"))
    git(tmp_path, "clone", "-q", "--bare", str(main), "tool.git")
    git(main, "submodule", "--quiet", "add", str(tmp_path / "tool.git"), "sub")
    (tmp_path / "store").mkdir()
    repository(tmp_path / "apart", "--separate-git-dir", str(tmp_path / "store" / "x"))
    (tmp_path / "plain").mkdir()
    folders = [main, main / "src", tmp_path / "wt", tmp_path / "tool.git", main / "sub", tmp_path / "apart",
               tmp_path / "plain", tmp_path / "plain"]  # fmt: skip
    far = Far()
    assert await look(far, *folders) == [LocalProjects().look(str(folder)) for folder in folders]
    assert len(far.asked) == 2, "one command for all of them, one more for worktrees"
    assert await look(far, main) == [Project("agtmux", "main")]
    assert len(far.asked) == 3, "a plain repository needs one"


async def test_what_cannot_be_read_there_is_not_known(tmp_path: Path) -> None:
    for name in ("pipe", "lost", "bad"):
        repository(tmp_path / name)
    (tmp_path / "pipe" / ".git" / "HEAD").unlink()
    os.mkfifo(tmp_path / "pipe" / ".git" / "HEAD")
    shutil.rmtree(tmp_path / "lost" / ".git")
    (tmp_path / "lost" / ".git").write_text("gitdir: /nowhere\n")
    (tmp_path / "bad" / ".git" / "HEAD").write_text("who knows\n")
    assert await look(Far(), tmp_path / "pipe", tmp_path / "lost") == [Project(), Project()]
    assert await look(Far(), tmp_path / "bad") == [Project("bad")]


async def test_the_question_is_bounded(tmp_path: Path) -> None:
    far = Far()
    many = [f"{tmp_path}/{n}" + "/x" * 40 for n in range(200)]
    found = await projects.look(cast(TargetExecutor, far), many)
    assert len(found) == projects.FOLDERS_MOST
    assert sum(far.asked) <= projects.FOLDERS_MOST * 4 * 12
    assert await projects.look(cast(TargetExecutor, far), []) == {}
    far.broken = True
    with pytest.raises(ExecutorError):
        await projects.look(cast(TargetExecutor, far), many)
