"""Run git in a repository, within limits. Owns how a failure of git becomes an error."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.git_command import FILTERS, OLDEST, environment, filter_names, version_of
from agtmux.protocol.text import one_line

PATIENCE = 120.0
"""Seconds for one command that reads."""


@dataclass(frozen=True)
class Git:
    """The git program, and where it works.

    ``folder``: its working directory. ``more``: further variables, such as ``GIT_DIR``. ``filters``: filters that the
    repository configures. They never run.
    """

    program: str
    version: tuple[int, int]
    folder: str
    more: Mapping[str, str] = field(default_factory=dict)
    filters: Sequence[str] = ()

    def at(self, folder: str, **more: str) -> Git:
        """Return git for another folder of the same repository. ``more``: variables."""
        return replace(self, folder=folder, more=more)

    def with_env(self, **more: str) -> Git:
        """Return git with further variables."""
        return replace(self, more={**self.more, **more})

    def run(self, *words: str, stdin: bytes = b"", within: float | None = PATIENCE) -> bytes:
        """Run git and return what it prints. Raises E_PRECONDITION_FAILED if it fails, E_TIMEOUT."""
        done = self.attempt(*words, stdin=stdin, within=within)
        if done.returncode:
            raise failure(words[0], done)
        return done.stdout

    def line(self, *words: str) -> str:
        """Run git and return the one line that it prints, as a file name or an id."""
        return os.fsdecode(self.run(*words).removesuffix(b"\n"))

    def attempt(
        self, *words: str, stdin: bytes = b"", within: float | None = PATIENCE
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git and return how it ended. Raises E_PRECONDITION_FAILED if it cannot be started, E_TIMEOUT."""
        env = {**environment(os.environ, self.filters), **self.more}
        try:
            return subprocess.run(
                [self.program, *words], cwd=self.folder, env=env, input=stdin, capture_output=True, timeout=within,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise AgtmuxError("E_TIMEOUT", f"git {words[0]} did not end within {within:.0f} s") from None
        except (OSError, ValueError) as error:
            raise AgtmuxError("E_PRECONDITION_FAILED", f"git cannot be run in {self.folder}: {error}") from None


def failure(name: str, done: subprocess.CompletedProcess[bytes]) -> AgtmuxError:
    """Make the error of a git command that failed, in git's own words."""
    lines = [one for one in done.stderr.decode("utf-8", "replace").splitlines() if one.strip()]
    worst = next((one for one in lines if one.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
    why = one_line(worst)[:300] or f"exit status {done.returncode}"
    return AgtmuxError("E_PRECONDITION_FAILED", f"git {name} failed: {why}", {"git": name})


def find_git(folder: str) -> Git:
    """Find git for a folder, in a repository or not. Raises E_PRECONDITION_FAILED if git is missing or old."""
    program = shutil.which("git")
    wanted = ".".join(map(str, OLDEST))
    if program is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"git is not on your PATH: install git {wanted} or newer")
    git = Git(program, (0, 0), folder)
    if not os.path.isdir(folder):
        raise AgtmuxError("E_INVALID_REQUEST", f"{folder} is not a folder: pass the folder of a repository")
    version = version_of(git.run("--version", within=10.0).decode("utf-8", "replace"))
    if version < OLDEST:
        shown = ".".join(map(str, version))
        raise AgtmuxError("E_PRECONDITION_FAILED", f"git {shown} is too old: install git {wanted} or newer")
    return replace(git, version=version)


def without_own_filters(git: Git) -> Git:
    """Return git that runs no filter which the repository at its folder configures. Those of the user still run."""
    done = git.attempt(*FILTERS)
    if done.returncode not in (0, 1):
        raise failure("config", done)
    return replace(git, filters=[*git.filters, *filter_names(done.stdout)])
