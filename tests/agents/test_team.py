"""Three real agents do one task together: one assigns work, two do it in worktrees under leases and report back.

The fake models run ``run.sh`` of each agent's folder. Everything between the agents goes through agtmux.
"""

from __future__ import annotations

import copy
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.agents.conftest import Modules
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.observe import BIN, Daemon
from tests.agents.world import World
from tests.conftest import until

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-606"), pytest.mark.timeout(240)]
PATIENCE = 60

TEAM = """
name = "web"
deliver = "pane"
[[agents]]
name = "lead"
[[agents]]
name = "north"
[[agents]]
name = "south"
"""
AGAIN = """#!/bin/bash
again() {  # A daemon that has just ended is no reason to give up.
  while :; do
    "$@" && return
    code=$?
    case $code in 3|6) sleep 0.3 ;; *) echo "failed ($code): $*" >&2; exit $code ;; esac
  done
}
field() {  # of the last answer: those before it are errors
  python3 -c 'import json, sys; print(eval(sys.argv[1], {"it": json.loads(sys.stdin.readlines()[-1])}))' "$1"
}
"""
LEAD = """
for name in north south; do
  again agtmux msg send --to web/$name --kind task -s "write $name" -m "shell: write $name.txt" \
    --request-ref "assign-$name-0001" --json | field 'it["item"]["message_id"]' >"$name.id"
done
again agtmux wait --all "msg:$(cat north.id)=answered" "msg:$(cat south.id)=answered" --timeout 100s
again agtmux inbox --json >results.json
"""
WORKER = """
again agtmux inbox --json >inbox.json
id=$(field 'next(m["message_id"] for m in it["items"] if m["kind"] == "task")' <inbox.json)
cd "$REPO" || exit 9
again agtmux worktree add --json >"$HOME/$NAME.worktree"
cd "$(field 'it["path"]' <"$HOME/$NAME.worktree")" || exit 9
again agtmux lease acquire "$NAME.txt"
again agtmux lease acquire --name build-slot --wait --timeout 60s
echo "by $NAME" >"$NAME.txt"
git add "$NAME.txt" && git commit -q -m "$NAME: written" || exit 9
again agtmux lease release build-slot
again agtmux msg reply "$id" --kind result -m "$(git rev-parse HEAD)" --request-ref "result-$NAME-0001"
again agtmux lease release "$NAME.txt"
"""


class Team:
    """A repository, a daemon, and three agents in one tmux server, each in its own folder."""

    def __init__(self, stack: ExitStack, modules: Modules) -> None:
        self.world = stack.enter_context(World())
        self.world.link("agtmux", BIN / "agtmux")
        self.repo = self.world.home / "repo"
        self.git("init", "-q", "-b", "main", str(self.repo), folder=self.world.home)
        for key, value in (("user.name", "Team"), ("user.email", "team@example.invalid")):
            self.git("config", key, value)  # Gemini hides the global configuration from commands
        self.git("commit", "-q", "--allow-empty", "-m", "begin")
        self.daemon = stack.enter_context(Daemon(self.world))
        self.agents: dict[str, Driver] = {}
        scripts = (("lead", ClaudeDriver, LEAD), ("north", CodexDriver, WORKER), ("south", GeminiDriver, WORKER))
        for name, kind, script in scripts:
            own = copy.copy(self.world)
            own.work = self.world.home / name
            own.work.mkdir()
            run = own.work / "run.sh"
            run.write_text(
                AGAIN + f"export NAME={name} REPO={self.repo} PATH={self.world.bin}:$PATH\n"
                f"cd {own.work}\nexec >run.log 2>&1\n" + script
            )
            run.chmod(0o755)
            driver = kind(own, stack.enter_context(kind.model_type(own.work)))
            driver.install(modules(kind))
            driver.seed(trusted=True)
            self.agents[name] = driver
            self.daemon.cli("hooks", "install", "--agent", kind.agent)
        self.daemon.cli("guard", "install", "--repo", str(self.repo))

    def git(self, *words: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=folder or self.repo, env=self.world.env(), check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def begin(self) -> None:
        """Start the agents, name them, and make them a team."""
        for driver in self.agents.values():
            driver.launch()
        for name, driver in self.agents.items():
            driver.pass_start_up()
            pane = driver.at.id
            until(partial(self.accepts_input, pane), within=PATIENCE, what=f"{name} is ready")
            self.daemon.cli("name", driver.at.id, name)
        file = self.world.root / "team.toml"
        file.write_text(TEAM)
        self.daemon.cli("team", "apply", str(file))

    def row(self, pane: str) -> dict[str, Any]:
        body = self.daemon.cli("ls", "--json", check=False)
        rows = json.loads(body)["items"] if body else []
        return next((row for row in rows if row["identity"]["pane_id"] == pane), {})

    def accepts_input(self, pane: str) -> bool:
        return self.row(pane).get("accepts_input") is True

    def asks(self, name: str) -> None:
        """Wait until this agent asks for approval."""
        pane = self.agents[name].at.id
        end = time.monotonic() + PATIENCE
        while not (self.row(pane).get("waiting_for") or {}).get("fingerprint"):
            assert time.monotonic() < end, f"{name} does not ask\n{self.report()}"
            time.sleep(0.1)

    def approve(self, name: str) -> None:
        """Allow what this agent asks for, through agtmux, as a person does."""
        self.asks(name)
        self.daemon.cli("approve", self.agents[name].at.id)

    def report(self) -> str:
        """What stands on the screens and in the messages, for a failure."""
        screens = [f"== {name}\n{driver.at.look().text.rstrip()}" for name, driver in self.agents.items()]
        screens += [f"== {name}\n{read(driver.world.work / 'run.log')}" for name, driver in self.agents.items()]
        screens += [self.daemon.cli("explain", driver.at.id, check=False) for driver in self.agents.values()]
        lists = [self.daemon.cli(*words, check=False) for words in (("ls",), ("lease", "list"), ("actions", "--json"))]
        outbox = self.daemon.cli("outbox", "--agent", "lead", "--json", check=False)
        return "\n".join([*screens, *lists, outbox, self.daemon.tail()])

    def restart(self) -> None:
        self.daemon.crash()
        self.daemon.start()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.fixture
def team(modules: Modules) -> Iterator[Team]:
    with ExitStack() as stack:
        yield Team(stack, modules)


@pytest.mark.parametrize("crashes", [False, True], ids=["steady", "crashes"])
def test_one_assigns_work_two_do_it_and_the_first_waits_for_both(team: Team, crashes: bool) -> None:
    """Each task is typed once, each result comes once, also if the daemon is killed in between."""
    team.begin()
    lead = team.agents["lead"]
    lead.prompt("shell please")
    team.approve("lead")
    for name in ("north", "south"):
        team.asks(name)
    if crashes:  # A kill while it types is another test's: such a message is shown as unconfirmed, not typed again.
        team.restart()
    for name in ("north", "south"):
        team.approve(name)
        if crashes:
            team.restart()
    results = lead.world.work / "results.json"
    end = time.monotonic() + 100
    while not size(results):
        assert time.monotonic() < end, team.report()
        time.sleep(0.1)
    found = [m for m in json.loads(results.read_text())["items"] if m["kind"] == "result"]
    commits = {team.git("rev-parse", f"agtmux/web/{name}") for name in ("north", "south")}
    assert sorted(m["sender"] for m in found) == ["agent:web/north", "agent:web/south"]
    assert {m["preview"].strip() for m in found} == commits
    for name in ("north", "south"):
        tasks = [one for one in team.agents[name].model.seen if f"write {name}" in one.prompt and one.script == "shell"]
        assert len({one.prompt for one in tasks}) == 1, "the task was typed once"
        assert team.agents[name].at.look().text.count("failed (") == 0
    assert json.loads(team.daemon.cli("lease", "list", "--json"))["items"] == []
