"""agtmux's hooks go beside the user's own, which run as before, and come out again without a trace."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from agtmux.cli import git_repo
from agtmux.cli.guard_hooks import GUARDED, install_steps, uninstall_steps
from agtmux.protocol.errors import AgtmuxError
from tests.git_repo import ENVIRONMENT, git, repository

pytestmark = pytest.mark.tc("TC-799")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def guard(tmp_path: Path) -> Path:
    """A program in agtmux's place: it writes down its arguments and what it reads, and refuses if it is to."""
    program = tmp_path / "agt mux"
    program.write_text(
        f'#!/bin/sh\necho "guard $*" >> {tmp_path}/log\n[ "$4" = pre-push ] && cat >> {tmp_path}/log\n'
        f"[ ! -e {tmp_path}/refuse ]\n"
    )
    program.chmod(0o755)
    return program


def repo_in(folder: Path) -> git_repo.Repo:
    found = git_repo.find(str(folder))
    assert found is not None
    return found


def install(folder: Path, program: Path) -> int:
    steps = install_steps(repo_in(folder), str(program))
    for step in steps:
        step.do()
    return len(steps)


def uninstall(folder: Path) -> int:
    steps = uninstall_steps(repo_in(folder))
    for step in steps:
        step.do()
    return len(steps)


def tree(folder: Path) -> dict[str, object]:
    """All that could change: files with their modes and contents, links, and the configuration of git."""
    out: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            out[name] = path.readlink()
        elif path.is_file() and "objects" not in name:
            out[name] = path.stat().st_mode, path.read_bytes()
    return out


def hook(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def commit(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "-m", "x", *more], cwd=folder, env=ENVIRONMENT, capture_output=True,
        text=True, check=False, timeout=30,
    )  # fmt: skip


def log(tmp_path: Path) -> list[str]:
    path = tmp_path / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


CHECKS = ["guard guard check --hook pre-commit", "guard guard check --hook prepare-commit-msg"]


def test_a_repository_without_hooks(tmp_path: Path, guard: Path) -> None:
    repo = repository(tmp_path / "repo")
    before = tree(repo / ".git/hooks"), git(repo, "config", "--list", "--local")
    assert install(repo, guard) == len(GUARDED)
    assert install(repo, guard) == 0, "twice is once"
    assert commit(repo).returncode == 0
    assert log(tmp_path) == CHECKS
    assert commit(repo, "--no-verify").returncode == 0
    assert log(tmp_path) == CHECKS[1:], "git skips the others"
    (tmp_path / "refuse").touch()
    assert commit(repo).returncode != 0
    assert commit(repo, "--no-verify").returncode != 0
    uninstall(repo)
    assert uninstall(repo) == 0
    assert (tree(repo / ".git/hooks"), git(repo, "config", "--list", "--local")) == before


def test_the_users_hooks_run_first_with_their_input_and_come_back_exactly(tmp_path: Path, guard: Path) -> None:
    repo, far = repository(tmp_path / "repo"), tmp_path / "far"
    far.mkdir()
    git(far, "init", "-q", "--bare")
    git(repo, "remote", "add", "origin", str(far))
    hooks = repo / ".git/hooks"
    hook(hooks / "pre-commit", f"echo own >> {tmp_path}/log; [ ! -e {tmp_path}/own-refuses ]")
    hook(hooks / "pre-push", f'echo "own $1" >> {tmp_path}/log; cat >> {tmp_path}/log')
    (hooks / "prepare-commit-msg").write_text("not executable: git does not run it\n")
    before = tree(hooks)
    install(repo, guard)
    assert commit(repo).returncode == 0
    assert log(tmp_path) == ["own", *CHECKS]
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "push", "-q", "origin", "main")
    line = f"refs/heads/main {head} refs/heads/main {'0' * 40}"
    assert log(tmp_path) == ["own origin", line, "guard guard check --hook pre-push", line]
    (tmp_path / "own-refuses").touch()
    assert commit(repo).returncode != 0
    assert log(tmp_path) == ["own"]
    uninstall(repo)
    assert tree(hooks) == before


@pytest.mark.parametrize("value", [".husky/_", "{}/shared hooks"])
def test_a_folder_of_hooks_stays_untouched_and_all_its_hooks_run(tmp_path: Path, guard: Path, value: str) -> None:
    repo = repository(tmp_path / "repo")
    value = value.format(tmp_path)
    folder = repo / value
    hook(folder / "pre-commit", f'echo "own $(basename "$0")" >> {tmp_path}/log')
    hook(folder / "commit-msg", f'echo "own $(basename "$0")" >> {tmp_path}/log')
    git(repo, "config", "core.hooksPath", value)
    before, config = tree(folder), git(repo, "config", "--list", "--local")
    assert install(repo, guard) > 0
    assert install(repo, guard) == 0
    assert tree(folder) == before
    assert commit(repo).returncode == 0
    assert log(tmp_path) == ["own pre-commit", *CHECKS, "own commit-msg"]
    hook(folder / "post-commit", f"echo later >> {tmp_path}/log")
    commit(repo)
    assert log(tmp_path)[-1] == "later", "a hook that is added later runs too"
    (folder / "post-commit").unlink()
    uninstall(repo)
    assert (tree(folder), git(repo, "config", "--list", "--local")) == (before, config)
    assert not (repo / ".git/agtmux-hooks").exists()
    assert commit(repo).returncode == 0
    assert log(tmp_path) == ["own pre-commit", "own commit-msg"]


def test_a_folder_of_the_whole_machine_and_a_tool_that_takes_its_place_back(
    tmp_path: Path, guard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, settings = repository(tmp_path / "repo"), tmp_path / "gitconfig"
    hook(tmp_path / "company/pre-commit", f"echo company >> {tmp_path}/log")
    settings.write_text(f"[core]\n\thooksPath = {tmp_path}/company\n")
    monkeypatch.setitem(ENVIRONMENT, "GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    install(repo, guard)
    assert install(repo, guard) == 0
    commit(repo)
    assert log(tmp_path) == ["company", *CHECKS]
    git(repo, "config", "core.hooksPath", ".husky/_")  # as husky does with each npm install
    hook(repo / ".husky/_/pre-commit", f"echo husky >> {tmp_path}/log")
    install(repo, guard)
    commit(repo)
    assert log(tmp_path) == ["husky", *CHECKS]
    git(repo, "config", "core.hooksPath", ".husky/_")
    uninstall(repo)
    assert git(repo, "config", "core.hooksPath") == ".husky/_"
    assert not (repo / ".git/agtmux-hooks").exists()


@pytest.mark.parametrize("kind", ["basename", "link", "binary"])
def test_a_hook_that_knows_its_name_keeps_it(tmp_path: Path, guard: Path, kind: str) -> None:
    repo = repository(tmp_path / "repo")
    own = repo / ".git/hooks/pre-commit"
    if kind == "basename":
        hook(own, f'echo "own $(basename "$0")" >> {tmp_path}/log')
    elif kind == "link":
        hook(repo / "tools/hook", f'echo "own ${{0##*/}}" >> {tmp_path}/log')
        own.symlink_to("../../tools/hook")
    else:
        shutil.copy(shutil.which("true") or "/bin/true", own)
    before = tree(repo / ".git/hooks")
    install(repo, guard)
    assert commit(repo).returncode == 0
    assert log(tmp_path) == [*([] if kind == "binary" else ["own pre-commit"]), *CHECKS]
    assert tree(repo / ".git/hooks") == before
    uninstall(repo)
    assert tree(repo / ".git/hooks") == before


def test_pre_commit_that_moves_our_hook_away_keeps_it_running(tmp_path: Path, guard: Path) -> None:
    """As ``pre-commit install`` does: the hook that it finds becomes ``pre-commit.legacy``, which it runs first."""
    repo = repository(tmp_path / "repo")
    hooks = repo / ".git/hooks"
    install(repo, guard)
    (hooks / "pre-commit").rename(hooks / "pre-commit.legacy")
    hook(hooks / "pre-commit", f'"$(dirname "$0")/pre-commit.legacy" "$@" || exit 1; echo tool >> {tmp_path}/log')
    assert install(repo, guard) == 0
    commit(repo)
    assert log(tmp_path) == [CHECKS[0], "tool", CHECKS[1]]
    uninstall(repo)
    assert sorted(p.name for p in hooks.iterdir() if ".sample" not in p.name) == ["pre-commit"]


def test_a_file_that_somebody_changed_is_neither_overwritten_nor_removed(tmp_path: Path, guard: Path) -> None:
    repo = repository(tmp_path / "repo")
    install(repo, guard)
    path = repo / ".git/hooks/pre-commit"
    path.write_text(path.read_text() + "echo mine\n")
    before = tree(repo / ".git")
    with pytest.raises(AgtmuxError, match="changed by hand"):
        install(repo, guard)
    with pytest.raises(AgtmuxError, match="changed by hand"):
        uninstall(repo)
    assert tree(repo / ".git") == before


def test_without_the_program_a_hook_passes_with_one_line(tmp_path: Path, guard: Path) -> None:
    repo = repository(tmp_path / "repo")
    install(repo, guard)
    guard.unlink()
    done = commit(repo)
    assert done.returncode == 0
    assert done.stderr.count("agtmux is not installed any more") == 2
