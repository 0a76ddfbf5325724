"""``agtmux worktree`` by a person and by agents in tmux, with a real daemon and real git, also when git fails."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Item, Place
from tests.conftest import Tmux, until
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-831")


@pytest.fixture
def repo(short_dir: Path, daemon: Daemon) -> Path:
    """A repository with two files, and a daemon that runs."""
    daemon.start()
    top = repository(short_dir / "repo")
    (top / "a.txt").write_text("a\n")
    (top / ".gitignore").write_text(".env\n")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "files")
    return top


def added(place: Place, repo: Path, name: str = "ann", *more: str) -> Item:
    done = place.cli("worktree", "add", "--agent", name, "--repo", str(repo), "--json", *more)
    assert done.returncode == 0, done.stderr
    item: Item = json.loads(done.stdout)
    return item


def listed(place: Place, *more: str) -> list[Any]:
    items: list[Any] = place.json("worktree", "list", *more)["items"]
    return items


def by_agent(agent: Agent, folder: Path, command: str) -> Item:
    """What a command came to that the agent runs in a folder: ``status``, ``out`` with both streams."""
    argv = ["sh", "-c", f"cd {shlex.quote(str(folder))} && agtmux {command} 2>&1"]
    env = {"AGTMUX_NO_AUTOSTART": "1", "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    result: Item = agent.tell(hook={"argv": argv, "payload": {}, "env": env})
    return result


def test_a_worktree_is_added_listed_checked_and_removed(place: Place, repo: Path) -> None:
    item = added(place, repo, "ann", "--slug", "fix", "--base", "main")
    path = Path(item["path"])
    assert path.is_relative_to(place.state.resolve() / "worktrees")
    assert (item["branch"], item["state"], (path / "a.txt").read_text()) == ("agtmux/ann/fix", "active", "a\n")
    assert "locked agtmux:ann" in git(repo, "worktree", "list", "--porcelain")
    check = place.cli("worktree", "check", "ann")
    assert (check.returncode, "may be removed" in check.stdout) == (0, True), check
    (path / ".env").write_text("SECRET=1")
    refused = place.cli("worktree", "remove", "ann")
    assert (refused.returncode, ".env" in refused.stderr) == (5, True), refused
    assert "has ignored files, which git keeps nowhere: .env" in place.cli("worktree", "check").stdout
    assert [one["state"] for one in listed(place)] == ["active"]
    done = place.cli("worktree", "remove", "ann", "--discard-ignored", ".env")
    assert done.returncode == 0, done
    assert not path.exists()
    assert (listed(place), [one["state"] for one in listed(place, "--all")]) == ([], ["removed"])
    assert git(repo, "branch", "--list", "agtmux/ann/fix") != ""


def test_a_salvage_frees_exactly_what_it_holds(place: Place, repo: Path) -> None:
    item = added(place, repo)
    path = Path(item["path"])
    (path / "a.txt").write_text("changed\n")
    (path / "new \n name").write_text("only here")
    refused = place.cli("worktree", "remove", "ann")
    assert (refused.returncode, "copy it with agtmux worktree salvage" in refused.stderr) == (5, True), refused
    record = place.json("worktree", "salvage", "ann")
    assert Path(record["salvage"]["folder"]).is_relative_to(place.state.resolve() / "salvage")
    (path / "a.txt").write_text("changed again\n")
    assert place.cli("worktree", "remove", "ann").returncode == 5, "it is not what was copied"
    (path / "a.txt").write_text("changed\n")
    assert place.cli("worktree", "remove", "ann").returncode == 0
    assert git(repo, "show", f"{record['salvage']['ref']}:a.txt") == "changed"


def test_an_agent_has_its_own_worktree_and_no_other(
    place: Place, daemon: Daemon, repo: Path, agent: Callable[..., Agent]
) -> None:
    one = agent().start()
    name = daemon.wait_agent(one.pane)["agent_type"] + "-1"
    done = by_agent(one, repo, "worktree add")
    assert done["status"] == 0, done
    (item,) = listed(place)
    assert (item["agent"], item["agent_id"] is not None) == (name, True)
    other = added(place, repo, "ann")
    assert by_agent(one, repo, "worktree add --agent ann --slug x")["status"] in (3, 4)
    refused = by_agent(one, repo, "worktree remove ann")
    assert (refused["status"], "an agent changes only its own worktrees" in refused["out"]) == (3, True), refused
    assert Path(other["path"]).exists()
    inside = by_agent(one, Path(item["path"]), "worktree remove")
    assert (inside["status"], "processes that work there" in inside["out"]) == (5, True), inside
    assert by_agent(one, repo, f"worktree remove {name}")["status"] == 0
    assert not Path(item["path"]).exists()


def test_a_worktree_in_which_a_pane_works_stays(place: Place, repo: Path, tmux: Tmux) -> None:
    item = added(place, repo)
    pane = tmux.start("sleep", "1000", session="x")
    tmux.run("respawn-pane", "-k", "-t", pane, "-c", item["path"], "sleep 1000")
    until(lambda: listed(place)[0]["inside"] != [], within=PATIENCE, what="the pane is inside")
    refused = place.cli("worktree", "remove", "ann", "--json")
    assert refused.returncode == 5
    assert json.loads(refused.stdout)["error"]["details"]["what"][0]["kind"] == "inside"
    assert Path(item["path"]).exists()


def test_what_fails_leaves_neither_a_worktree_nor_a_record(place: Place, repo: Path, short_dir: Path) -> None:
    hook = repo / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    added(place, repo)  # hooks do not run
    for words, why in (
        (("--agent", "ann"), "the branch agtmux/ann exists"),
        (("--agent", "bob", "--base", "nothing"), "names no commit here"),
        (("--agent", "bob", "--repo", str(short_dir)), "is in no git repository"),
        (("--agent", "not/a name"), "is not a name"),
        ((), "pass --agent NAME"),
    ):
        done = place.cli("worktree", "add", *(() if "--repo" in words else ("--repo", str(repo))), *words)
        assert (done.returncode in (2, 4, 5), why in done.stderr) == (True, True), done
    broken = short_dir / "bin"
    broken.mkdir()
    (broken / "git").write_text('#!/bin/sh\n[ "$1 $2" = "worktree lock" ] && exit 1\nexec /usr/bin/git "$@"\n')
    (broken / "git").chmod(0o755)
    env = {"PATH": f"{broken}:{place.env['PATH']}"}
    done = place.cli("worktree", "add", "--agent", "bob", "--repo", str(repo), env=env)
    assert (done.returncode, "git worktree failed" in done.stderr) == (5, True), done
    assert [one["agent"] for one in listed(place)] == ["ann"]
    assert git(repo, "branch", "--list", "agtmux/bob") == ""
    assert len(git(repo, "worktree", "list").splitlines()) == 2


def test_records_that_the_disk_contradicts_are_found_and_closed(place: Place, repo: Path) -> None:
    item = added(place, repo)
    path = Path(item["path"])
    (path.parent / "stray").mkdir()
    path.rename(path.parent / "moved")
    check = place.cli("worktree", "check")
    assert (check.returncode, "its folder is gone" in check.stdout, "moved: no record" in check.stdout) == (
        1, True, True
    ), check  # fmt: skip
    (path.parent / "moved").rename(path)
    (path.parent / "stray").rmdir()
    assert place.cli("worktree", "check").returncode == 0
    git(repo, "worktree", "unlock", str(path))
    git(repo, "worktree", "remove", str(path))
    assert place.cli("worktree", "check").returncode == 1
    assert place.cli("worktree", "remove", "ann").returncode == 0
    assert listed(place) == []


def test_a_removal_that_was_interrupted_is_found_and_finished(place: Place, repo: Path) -> None:
    path = Path(added(place, repo)["path"])
    path.rename(f"{path}.removing")
    check = place.cli("worktree", "check")
    assert (check.returncode, "its removal was interrupted" in check.stdout) == (1, True), check
    assert place.cli("worktree", "remove", "ann").returncode == 0
    assert list(path.parent.iterdir()) == []
    assert listed(place) == []


def test_a_commit_that_only_a_missing_worktree_reaches_is_kept(place: Place, repo: Path) -> None:
    path = Path(added(place, repo)["path"])
    git(path, "checkout", "-q", "--detach")
    git(path, "commit", "-q", "--allow-empty", "-m", "only here")
    path.rename(path.parent / "elsewhere")
    refused = place.cli("worktree", "remove", "ann")
    assert (refused.returncode, "run git branch NAME" in refused.stderr) == (5, True), refused


def test_two_agents_that_change_the_same_file_collide_until_one_gives_it_up(
    place: Place, daemon: Daemon, repo: Path, agent: Callable[..., Agent], tmux: Tmux
) -> None:
    place.configure(tmux, more='[worktrees]\nradar_interval = "0s"\n')
    assert place.cli("daemon", "reload").returncode == 0
    trees, agents = [], []
    for number in range(2):
        one = agent().start_in("new-session", "-s", f"s{number}", "-c", str(repo))
        daemon.wait_agent(one.pane)
        done = by_agent(one, repo, "worktree add")
        assert done["status"] == 0, done
        trees.append(Path(listed(place)[number]["path"]))
        agents.append(one)

    def turn(number: int, write: Callable[[Path], object]) -> None:
        agents[number].hook("UserPromptSubmit", session_id=f"s-{number}", prompt="go")
        daemon.wait_for(agents[number].pane, "running")
        write(trees[number] / "a.txt")
        agents[number].hook("Stop", session_id=f"s-{number}")
        daemon.wait_for(agents[number].pane, "completed")

    def collisions() -> list[Any]:
        return list(place.json("worktree", "collisions")["items"])

    turn(0, lambda path: path.write_text("one"))
    turn(1, lambda path: path.write_text("two"))
    until(lambda: len(collisions()) == 1, within=PATIENCE, what="they collide")
    (found,) = collisions()
    assert (found["path"], sorted(one["tree"] for one in found["agents"])) == ("a.txt", sorted(map(str, trees)))
    turn(1, lambda path: path.write_text("a\n"))
    until(lambda: collisions() == [], within=PATIENCE, what="it is over")
