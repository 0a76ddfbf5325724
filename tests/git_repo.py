"""Makes git repositories for tests with the real git, which reads none of the user's settings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "LC_ALL": "C",
    "PATH": os.environ.get("PATH", os.defpath),
}


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, (arguments, done.stderr)
    return done.stdout.strip()


def repository(folder: Path, *options: str, branch: str = "main") -> Path:
    """Make a repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", branch, *options)
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder
