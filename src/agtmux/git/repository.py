"""Find a repository and its worktrees, and make one more. Owns the layout that git gives them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from agtmux.git.run import Git, failure, find_git, without_own_filters
from agtmux.protocol.errors import AgtmuxError


@dataclass(frozen=True)
class Repository:
    """A repository as seen from one of its folders. ``top``: the top of that working tree, None in a bare one."""

    git: Git
    common: str
    top: str | None


@dataclass(frozen=True)
class TreeEntry:
    """One working tree in git's own list. ``locked``: the reason, empty if it has none; None: it is not locked."""

    path: str
    head: str | None = None
    branch: str | None = None
    locked: str | None = None
    prunable: bool = False


def find_repository(folder: str) -> Repository:
    """Find the repository of a folder. Raises E_PRECONDITION_FAILED if it is in none, or git is missing or old."""
    git = find_git(folder)
    done = git.attempt("rev-parse", "--path-format=absolute", "--git-common-dir", "--is-bare-repository")
    if done.returncode:
        text = done.stderr.decode("utf-8", "replace")
        if "not a git repository" in text:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"{folder} is in no git repository: pass the folder of one with --repo"
            )
        raise failure("rev-parse", done)
    common, bare = os.fsdecode(done.stdout).removesuffix("\n").rsplit("\n", 1)
    git = without_own_filters(git)
    top = None if bare == "true" else _top(git)
    return Repository(git, os.path.realpath(common), top)


def _top(git: Git) -> str | None:
    done = git.attempt("rev-parse", "--path-format=absolute", "--show-toplevel")
    return os.path.realpath(os.fsdecode(done.stdout.removesuffix(b"\n"))) if done.returncode == 0 else None


def commit_of(git: Git, text: str) -> str:
    """Return the id of the commit that ``text`` names. Raises E_INVALID_REQUEST."""
    done = git.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if done.returncode:
        why = "the repository has no commit yet" if text == "HEAD" else f"{text[:80]!r} names no commit here"
        raise AgtmuxError("E_INVALID_REQUEST", f"{why}: pass a branch, a tag or a commit with --base")
    return done.stdout.decode().strip()


def branches_below(git: Git, prefix: str) -> list[str]:
    """List the branches whose names begin with ``prefix`` and a slash, and the one of that name."""
    listed = git.run("for-each-ref", "--format=%(refname)", f"refs/heads/{prefix}")
    return [os.fsdecode(one).removeprefix("refs/heads/") for one in listed.splitlines()]


def list_trees(git: Git) -> list[TreeEntry]:
    """List the working trees of the repository, the main one first."""
    null = git.version >= (2, 36)
    raw = git.run("worktree", "list", "--porcelain", *(["-z"] if null else []))
    end = b"\0" if null else b"\n"
    out = []
    for record in raw.split(end + end):
        facts: dict[str, str] = {}
        for line in record.split(end):
            name, _, value = os.fsdecode(line).partition(" ")
            facts[name] = value
        if "worktree" in facts:
            branch = facts.get("branch")
            out.append(
                TreeEntry(
                    os.path.realpath(facts["worktree"]), facts.get("HEAD"),
                    None if branch is None else branch.removeprefix("refs/heads/"),
                    facts.get("locked"), "prunable" in facts,
                )
            )  # fmt: skip
    return out


def entry_of(git: Git, path: str) -> TreeEntry | None:
    """Return git's entry for the working tree at ``path``, None if git has none."""
    real = os.path.realpath(path)
    return next((one for one in list_trees(git) if one.path == real), None)


def git_folder(folder: str) -> str:
    """Return the git folder of a working tree, as its ``.git`` names it. Raises E_PRECONDITION_FAILED."""
    link = os.path.join(folder, ".git")
    if os.path.isdir(link):
        return link
    try:
        with open(link, "rb") as file:
            text = os.fsdecode(file.read(4096))
    except OSError as error:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"{folder} has no readable .git file ({error.strerror}): see git worktree repair"
        ) from None
    if not text.startswith("gitdir:"):
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{link} names no repository: see git worktree repair")
    return os.path.realpath(os.path.join(folder, text.removeprefix("gitdir:").strip("\n ")))


def admin_folder(path: str, common: str) -> str:
    """Return git's own folder for the worktree at ``path``. Raises E_PRECONDITION_FAILED unless both agree."""
    folder = git_folder(path)
    if os.path.dirname(folder) != os.path.join(common, "worktrees"):
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{path} is no worktree of {common}: see git worktree list")
    return folder


def make_tree(git: Git, path: str, branch: str, commit: str, reason: str) -> None:
    """Make a locked worktree at ``path`` on a new branch. Undo everything if a step fails, then raise."""
    if os.path.lexists(path):
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"{path} is already there and no worktree of agtmux's: move it away first"
        )
    if git.attempt("show-ref", "--verify", "--quiet", f"refs/heads/{branch}").returncode == 0:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"the branch {branch} is already there: choose another with --slug, or rename it"
        )
    made: list[str] = []
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.mkdir(path, 0o700)
        made.append("folder")
        git.run("update-ref", "-m", "agtmux worktree add", f"refs/heads/{branch}", commit, "0" * len(commit))
        made.append("branch")
        git.run("worktree", "add", "--quiet", path, branch, within=None)
        git.run("worktree", "lock", "--reason", reason, path)
    except BaseException as error:
        undo_tree(git, path, branch if "branch" in made else None, commit, folder="folder" in made)
        if isinstance(error, OSError):
            raise AgtmuxError("E_PRECONDITION_FAILED", f"{path} cannot be made: {error.strerror}") from None
        if isinstance(error, AgtmuxError) and "unable to write" in error.message:  # git does not say why
            text = f"{error.message}. Nothing was added: check the free space with df {os.path.dirname(path)}"
            raise AgtmuxError("E_PRECONDITION_FAILED", text) from None
        raise


def undo_tree(git: Git, path: str, branch: str | None, commit: str, *, folder: bool) -> None:
    """Remove what ``make_tree`` made before it failed. ``branch`` goes only if it still is at ``commit``."""
    if folder:
        git.attempt("worktree", "remove", "--force", "--force", path)
        with contextlib.suppress(OSError):  # git keeps a folder that it did not fill
            os.rmdir(path)
    if branch is not None:
        git.attempt("update-ref", "-d", f"refs/heads/{branch}", commit)


def ahead_behind(git: Git, base: str) -> tuple[int, int] | None:
    """Count the commits of HEAD that ``base`` lacks, and the other way round. None if ``base`` is gone."""
    done = git.attempt("rev-list", "--left-right", "--count", f"{base}...HEAD", "--")
    words = done.stdout.split()
    return (int(words[1]), int(words[0])) if done.returncode == 0 and len(words) == 2 else None
