"""The guard with real git, a real daemon and agents in real tmux: it blocks agents, warns people, and hangs nobody."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Item, Place, Watch
from tests.git_repo import ENVIRONMENT, git, repository

AGTMUX = str(PROGRAMS / "agtmux")
GIT = {name: value for name, value in ENVIRONMENT.items() if name != "PATH"}


@pytest.fixture
def repo(short_dir: Path, place: Place) -> Path:
    """A repository with the guard's hooks, and a file of each name that the tests change."""
    made = repository(short_dir / "repo")
    (made / "src").mkdir()
    for name in (b"src/a.py", b"src/old name", b"src/\xff\n", b"free.txt"):
        Path(os.fsdecode(os.path.join(os.fsencode(made), name))).write_text("".join(f"{n}\n" for n in range(30)))
    git(made, "add", "-A")
    git(made, "commit", "-q", "-m", "files")
    done = place.cli("guard", "install", "--repo", str(made))
    assert done.returncode == 0, done.stderr
    return made


def run_by(agent: Agent, repo: Path, script: str, **env: str) -> Item:
    """What a shell script came to, run by the agent in the repository: ``status`` and ``out``."""
    argv = ["sh", "-c", f"cd {shlex.quote(str(repo))} && {script}"]
    given = {"AGTMUX_NO_AUTOSTART": "1", "PATH": f"{PROGRAMS}:{os.environ['PATH']}", **GIT, **env}
    result: Item = agent.tell(hook={"argv": argv, "payload": {}, "env": given})
    return result


def run_by_person(place: Place, repo: Path, script: str) -> tuple[int, str]:
    env = {**place.env, **GIT, "AGTMUX_NO_AUTOSTART": "1", "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=repo, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE,
        errors="replace",
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def two(daemon: Daemon, make: Callable[..., Agent]) -> tuple[Agent, Agent]:
    made = make().start("one"), make().start("two")
    for one in made:
        daemon.wait_agent(one.pane)
    return made


def reset(repo: Path) -> None:
    git(repo, "reset", "-q", "--hard", "HEAD")
    git(repo, "clean", "-q", "-f", "-d")


@pytest.mark.tc("TC-800")
def test_a_commit_of_a_leased_file_is_blocked_for_another_agent_warned_for_a_person_and_passes_for_the_holder(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place
) -> None:
    daemon.start()
    one, other = two(daemon, agent)
    assert run_by(one, repo, "agtmux lease acquire src")["status"] == 0
    head = git(repo, "rev-parse", "HEAD")
    shapes = {
        "changed": "echo x >> src/a.py",
        "new": "echo x > src/new.py",
        "deleted": "git rm -q src/a.py",
        "renamed away": "git mv 'src/old name' moved",
        "renamed into": "git mv free.txt src/free.txt",
        "odd bytes": 'for f in src/*; do echo x >> "$f"; done',
        "a mode": "chmod +x src/a.py",
        "a link": "ln -sf free.txt src/a.py",
    }
    for shape, script in shapes.items():
        blocked = run_by(other, repo, f"{script} && git add -A && git commit -q -m x")
        assert blocked["status"] == 1, (shape, blocked)
        assert "this commit is blocked" in blocked["out"], shape
        assert f"held by agent:{'claude-1'} (src)" in blocked["out"], shape
        assert "next: leave it out, or wait for it: agtmux lease acquire --wait" in blocked["out"], shape
        assert git(repo, "rev-parse", "HEAD") == head, shape
        bypass = run_by(other, repo, "git commit -q --no-verify -m x")
        assert (bypass["status"], git(repo, "rev-parse", "HEAD")) == (1, head), f"{shape}: --no-verify is no way round"
        reset(repo)
    assert run_by(other, repo, "echo x >> free.txt && git commit -q -a -m free")["status"] == 0
    assert run_by(one, repo, "echo x >> src/a.py && git commit -q -a -m mine")["status"] == 0
    status, out = run_by_person(place, repo, "echo y >> src/a.py && git commit -q -a -m person")
    assert status == 0, out
    assert "agtmux guard: warning: src/a.py is held by agent:claude-1 (src)" in out
    silent = run_by_person(place, repo, "echo y >> free.txt && git commit -q -a -m person")
    assert silent == (0, ""), "nothing to say, nothing said"


@pytest.mark.tc("TC-800")
def test_a_push_of_a_leased_file_is_blocked_for_an_agent_and_warned_for_a_person(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place, short_dir: Path
) -> None:
    daemon.start()
    one, other = two(daemon, agent)
    far = short_dir / "far"
    far.mkdir()
    git(far, "init", "-q", "--bare")
    git(repo, "remote", "add", "origin", str(far))
    git(repo, "push", "-q", "--no-verify", "origin", "main")
    assert run_by(other, repo, "echo x >> src/a.py && git commit -q -a -m before")["status"] == 0
    assert run_by(one, repo, "agtmux lease acquire 'src/*.py'")["status"] == 0
    blocked = run_by(other, repo, "git push -q origin main")
    assert blocked["status"] == 1
    assert "this push is blocked" in blocked["out"]
    status, out = run_by_person(place, repo, "git push -q origin main")
    assert (status, "warning: src/a.py is held by" in out) == (0, True)


@pytest.mark.tc("TC-801")
def test_a_worktree_a_subfolder_and_a_link_lead_to_the_same_leases_before_an_edit(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, short_dir: Path
) -> None:
    daemon.start()
    one, other = two(daemon, agent)
    git(repo, "worktree", "add", "-q", str(short_dir / "tree"))
    assert run_by(one, repo, "agtmux lease acquire src/a.py")["status"] == 0
    (short_dir / "link").symlink_to(repo / "src/a.py")
    for place_ in ("src/a.py", f"{short_dir}/tree/src/a.py", f"{short_dir}/link", "src/../src/a.py"):
        blocked = run_by(other, repo, f"agtmux guard path {place_}")
        assert (blocked["status"], "this edit is blocked" in blocked["out"]) == (5, True), place_
    assert run_by(other, repo / "src", "agtmux guard path a.py")["status"] == 5
    for free in ("free.txt", "src/none/new.py", "/etc/hosts", f"{short_dir}/nowhere", "src/*.py --json"):
        assert run_by(other, repo, f"agtmux guard path {free}")["status"] == (5 if "*" in free else 0), free
    assert run_by(one, repo, "agtmux guard path src/a.py") == {"status": 0, "out": ""}
    verdict = json.loads(run_by(other, repo, "agtmux guard path src/a.py --json 2>/dev/null")["out"])
    assert verdict["verdict"] == "block"
    assert verdict["findings"][0]["holder"] == "agent:claude-1"


@pytest.mark.tc("TC-802")
def test_without_the_daemon_an_agent_is_blocked_with_the_reason_and_a_person_gets_one_line(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place
) -> None:
    daemon.start()
    one, _ = two(daemon, agent)
    daemon.stop()
    blocked = run_by(one, repo, "echo x >> free.txt && git commit -q -a -m x")
    assert blocked["status"] == 1
    assert "this commit is blocked: it runs inside claude" in blocked["out"]
    assert "no daemon answers" in blocked["out"]
    assert "agtmux daemon start" in blocked["out"]
    reset(repo)
    status, out = run_by_person(place, repo, "echo x >> free.txt && git commit -q -a -m x")
    assert status == 0
    lines = [line for line in out.splitlines() if line]
    assert len(lines) == 2, "one line for each of the two hooks"
    assert all("leases were not checked: no daemon answers" in line for line in lines)
    assert not place.socket.exists(), "a hook starts no daemon"


@pytest.mark.tc("TC-802")
def test_a_daemon_that_hangs_does_not_hang_a_commit(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place, short_dir: Path
) -> None:
    daemon.start()
    one, _ = two(daemon, agent)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        blocked = run_by(one, repo, "echo x >> free.txt && git commit -q -a -m x")
        assert (blocked["status"], "did not answer within" in blocked["out"]) == (1, True)
        reset(repo)
        status, out = run_by_person(place, repo, "echo x >> free.txt && git commit -q -a -m x")
        assert (status, "leases were not checked" in out) == (0, True)
    finally:
        daemon.process.send_signal(signal.SIGCONT)


@pytest.mark.tc("TC-803")
def test_a_plan_changes_nothing_and_the_commands_say_what_they_did(place: Place, short_dir: Path) -> None:
    made = repository(short_dir / "plain")
    hooks = made / ".git/hooks"
    before = sorted(hooks.iterdir())
    plan = place.cli("guard", "install", "--repo", str(made), "--plan")
    assert (plan.returncode, plan.stderr.count("would write")) == (0, 3)
    assert sorted(hooks.iterdir()) == before
    assert place.cli("guard", "install", "--repo", str(made)).stderr.count("agtmux: write") == 3
    assert "installed already" in place.cli("guard", "install", "--repo", str(made)).stderr
    assert place.cli("guard", "install", "--repo", str(made), "--uninstall").stderr.count("remove") == 3
    assert "nothing to remove" in place.cli("guard", "install", "--repo", str(made), "--uninstall").stderr
    assert sorted(hooks.iterdir()) == before
    for wrong, why in ((short_dir, "in no git repository"), (short_dir / "none", "there is no folder")):
        done = place.cli("guard", "install", "--repo", str(wrong))
        assert (done.returncode, why in done.stderr) == (5, True)


@pytest.mark.tc("TC-804")
def test_an_edit_outside_the_scope_of_a_teams_agent_is_blocked_and_published(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place, short_dir: Path, watch: Callable[..., Watch]
) -> None:
    daemon.start()
    one, _ = two(daemon, agent)
    team = short_dir / "team.toml"
    team.write_text('name = "core"\n[[agents]]\nname = "docs"\nscopes = ["docs/**", "free.txt"]\n')
    assert place.cli("team", "apply", str(team)).returncode == 0
    bound = place.cli("agent", "bind", "docs", one.pane, "--yes")
    assert bound.returncode == 0, bound.stderr
    stream = watch("--scope", "coord")
    stream.until(lambda line: line["type"] == "snapshot")
    assert run_by(one, repo, "echo x >> free.txt && git commit -q -a -m mine")["status"] == 0
    blocked = run_by(one, repo, "echo x >> src/a.py && git commit -q -a -m theirs")
    assert blocked["status"] == 1
    assert "src/a.py is outside your scope (docs/**, free.txt)" in blocked["out"]
    line = stream.until(lambda line: "scope_violation" in json.dumps(line))
    (change,) = line["changes"]
    assert (change["item"]["agent"], change["item"]["paths"]) == ("docs", ["src/a.py"])
    assert run_by_person(place, repo, "git commit -q -a -m person") == (0, ""), "people have no scope"
