"""Find the projects of folders of a machine behind ssh: one small command for all of them, seldom two.

Runs no git there. Owns which files are asked for; ``core.git_files`` understands them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Final

from agtmuxd.core import git_files
from agtmuxd.core.model import Project
from agtmuxd.targets.executor import TargetExecutor

FOLDERS_MOST: Final = 64
"""Folders of one target that are looked at. For the others nothing is known."""
_LEVELS: Final = 12
"""Folders above each of them that are looked at."""

_Files = Mapping[str, bytes | None]


async def look(executor: TargetExecutor, folders: Sequence[str]) -> dict[str, Project]:
    """Return the project by folder. Raises ExecutorError."""
    wanted = list(folders[:FOLDERS_MOST])
    chains = {folder: git_files.upwards(folder)[:_LEVELS] for folder in wanted}
    levels = list(dict.fromkeys(level for chain in chains.values() for level in chain))
    asked = [posixpath.join(level, name) for level in levels for name in (".git", ".git/HEAD", "HEAD", "config")]
    files: dict[str, bytes | None] = await executor.read_files(asked, max_bytes=git_files.MOST) if asked else {}
    links = [git for level in levels if (git := _linked(level, files)) is not None]
    more = [posixpath.join(git, name) for git in dict.fromkeys(links) for name in ("HEAD", "commondir")]
    if more:
        files |= await executor.read_files(more, max_bytes=git_files.MOST)
    return {folder: _found(folder, chain, files) for folder, chain in chains.items()}


def _linked(level: str, files: _Files) -> str | None:
    data = files.get(posixpath.join(level, ".git"))
    return None if data is None else git_files.git_folder(data, level)


def _found(folder: str, chain: Sequence[str], files: _Files) -> Project:
    for level in chain:
        dot = posixpath.join(level, ".git")
        if dot in files and files[dot] is None:
            head, settings = files.get(posixpath.join(level, "HEAD")), files.get(posixpath.join(level, "config"))
            if head and git_files.is_head(head) and settings and b"[core]" in settings:
                return git_files.in_repository(level, level, head, None)
            continue
        git = _linked(level, files) if dot in files else dot
        head = None if git is None else files.get(posixpath.join(git, "HEAD"))
        if git is None or not head:
            return Project()  # something is there that cannot be read
        common = files.get(posixpath.join(git, "commondir"))
        return git_files.in_repository(level, git, head, git_files.common_folder(common, git) if common else None)
    return git_files.outside_git(folder)
