"""``agtmux new``: an agent in a window of its own, prompted once it takes input; refused before anything is started."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Item, Place
from tests.conftest import Tmux, until

ACTOR = Path(__file__).with_name("actor.py")


class Desk:
    """A place where ``claude`` on the path is a stand-in, and what became of it."""

    def __init__(self, place: Place, tmux: Tmux) -> None:
        self.place, self.tmux = place, tmux
        self.folder, self.calls = place.root / "path", place.root / "calls"
        real = place.root / "bin" / "claude"
        for made in (self.folder, real.parent):
            made.mkdir(exist_ok=True)
        if not real.exists():
            real.symlink_to(Path(sys.executable).resolve())
        self.install(f'exec {real} {ACTOR} "{place.root}/new$$.sock"')

    def install(self, then: str) -> None:
        """Let ``claude`` note its words and folder, then do this."""
        program = self.folder / "claude"
        program.write_text(f'#!/bin/sh\nprintf \'%s\\0\' "$PWD" "$@" >>{self.calls}\n{then}\n')
        program.chmod(0o755)

    def new(self, *arguments: str, timeout: str = "30s") -> CompletedProcess[str]:
        env = {"PATH": f"{self.folder}:{self.place.env['PATH']}", "PWD": str(self.place.home)}
        return self.place.cli("new", "--cwd", str(self.place.home), "--timeout", timeout, *arguments, env=env)

    def started(self) -> list[str]:
        """Folder and words of all that was started."""
        return self.calls.read_text().split("\0")[:-1] if self.calls.exists() else []

    def prompts(self) -> list[str]:
        """All that was submitted to the stand-ins."""
        return [
            json.loads(line) for file in self.place.root.glob("new*.sent") for line in file.read_text().splitlines()
        ]

    def panes(self) -> list[str]:
        done = self.tmux.try_run("list-panes", "-a", "-F", "#{session_name} #{window_name} #{pane_id}")
        return done.stdout.splitlines() if done.returncode == 0 else []


@pytest.fixture
def desk(place: Place, tmux: Tmux, daemon: Daemon) -> Desk:
    daemon.start()
    return Desk(place, tmux)


@pytest.mark.tc("TC-863")
def test_a_new_agent_gets_a_window_of_its_own_and_then_its_prompt(desk: Desk, daemon: Daemon) -> None:
    """The tmux server is started for it. The prompt goes through the action path, with its receipt."""
    assert desk.panes() == []
    done = desk.new("--prompt", "run the tests", "--json", "--", "--model", "opus")
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert desk.started() == [str(desk.place.home), "--model", "opus"]
    assert desk.prompts() == ["run the tests"]
    item: Item = answer["item"]
    assert answer["action"]["result"]["delivery"] == "submitted"
    assert answer["action"]["runtime_id"] == item["runtime_id"]
    assert desk.panes() == [f"agents claude {item['identity']['pane_id']}"]
    assert "opened %" in done.stderr and "claude runs in %" in done.stderr
    listed = daemon.client.actions({"kind": "send"}).json()["items"]
    assert [one["request_ref"] for one in listed] == [f"{answer['request_ref']}.prompt"]


@pytest.mark.tc("TC-863")
def test_it_is_opened_beside_what_runs_there_and_disturbs_nothing(desk: Desk, tmux: Tmux) -> None:
    mine = tmux.start("bash", "--norc", session="work")
    pid = tmux.pid(mine)
    done = desk.new("--session", "work")
    assert done.returncode == 0, done
    assert done.stdout.endswith("  claude  ready\n")
    (new,) = [line.split(" ") for line in desk.panes() if not line.endswith(f" {mine}")]
    assert new[:2] == ["work", "claude"]
    assert tmux.pid(mine) == pid
    assert tmux.run("display-message", "-p", "-t", "=work:", "#{pane_id}") == mine, "the active window stays"


@pytest.mark.tc("TC-863")
def test_inside_tmux_it_goes_to_the_session_of_the_caller(desk: Desk, tmux: Tmux) -> None:
    mine = tmux.start("bash", "--norc", session="mine")
    argv = [str(PROGRAMS / "agtmux"), "new", "--cwd", str(desk.place.home)]
    tmux.run("send-keys", "-t", mine, f"PATH={desk.folder}:$PATH {shlex.join(argv)}", "Enter")
    until(lambda: len(desk.panes()) == 2, within=PATIENCE, what="a second window")
    assert {line.split(" ")[0] for line in desk.panes()} == {"mine"}


ODD = [
    "a;",
    ";",
    "$(touch owned)",
    "#{pid}",
    "`id`",
    "it's",
    'x"y',
    "--",
    "naïve 日本語",
    "-x\\",
    "%1",
    "#[fg=red]",
    "~",
]


@pytest.mark.tc("TC-864")
def test_odd_names_and_words_arrive_as_they_are(desk: Desk) -> None:
    """No shell and no format of tmux reads them."""
    folder = desk.place.home / "a b;#{pid}#(touch owned)$HOME'"
    folder.mkdir()
    done = desk.new("--session", "it's $(odd) #{pid}", "--cwd", str(folder), "--", *ODD)
    assert done.returncode == 0, done
    assert desk.started() == [str(folder), *ODD]
    assert desk.panes()[0].startswith("it's $(odd) #{pid} claude ")
    assert list(desk.place.root.rglob("owned")) == []


@pytest.mark.tc("TC-865")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--agent", "codex"], 5, "codex is not on the PATH of host"),
        (["--cwd", "/no/such/folder"], 5, "there is no folder /no/such/folder on host"),
        (["--agent", "nobody"], 2, "there is no agent 'nobody'"),
        (["--agent", "generic"], 2, "there is no agent 'generic'"),
        (["--target", "moon"], 4, "there is no target 'moon'"),
        (["--session", "a:b"], 2, "cannot be the name of a tmux session"),
        (["--timeout", "soon"], 2, "is not a duration"),
        (["--name", "%1"], 2, "is not a name"),
        (["--name", "claude-1"], 5, "is taken by a running agent"),
        (["--request-ref", "short"], 2, "request_ref"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_started(
    desk: Desk, daemon: Daemon, agent: Callable[..., Agent], arguments: list[str], status: int, words: str
) -> None:
    one = agent().start("main")
    daemon.wait_agent(one.pane)
    before = desk.panes()
    done = desk.new(*arguments)
    assert (done.returncode, words in done.stderr) == (status, True), done
    assert (desk.panes(), desk.started()) == (before, [])


@pytest.mark.tc("TC-865")
def test_an_agent_may_start_no_other_agent(desk: Desk, daemon: Daemon, agent: Callable[..., Agent]) -> None:
    one = agent().start("main")
    daemon.wait_agent(one.pane)
    before = desk.panes()
    argv = [str(PROGRAMS / "agtmux"), "new", "--cwd", str(desk.place.home)]
    done = one.tell(hook={"argv": argv, "payload": {}, "env": {}})
    assert done["status"] == 3
    assert "E_POLICY_DENIED" in done["out"]
    assert desk.panes() == before


@pytest.mark.tc("TC-866")
def test_a_program_that_ends_at_once_leaves_its_window_and_says_so(desk: Desk) -> None:
    desk.install("echo no such model; exit 3")
    done = desk.new("--prompt", "go")
    assert done.returncode == 5, done
    assert "has ended" in done.stderr and "the window stays" in done.stderr
    (pane,) = desk.panes()
    seen = desk.place.cli("view-output", pane.split(" ")[2])
    assert "no such model" in seen.stdout


@pytest.mark.tc("TC-866")
def test_a_dialog_is_never_answered_and_the_same_request_goes_on_after_a_person_did(
    desk: Desk, daemon: Daemon, tmux: Tmux
) -> None:
    """The first call gives up in time. The second one opens no other window, and prompts once."""
    desk.install(f'exec {desk.place.root}/bin/claude {ACTOR} "{desk.place.root}/new$$.sock" "rm -rf build"')
    arguments = ("--prompt", "go", "--request-ref", "request-1", "--json")
    done = desk.new(*arguments, timeout="4s")
    assert done.returncode == 7, done
    assert "it waits for you" in done.stderr
    assert json.loads(done.stdout)["error"]["details"]["request_ref"] == "request-1"
    assert desk.prompts() == []
    (line,) = desk.panes()
    pane = line.split(" ")[2]
    tmux.run("send-keys", "-t", pane, "1")
    until(lambda: desk.prompts() == ["chose 1"], within=PATIENCE, what="a person answered")
    tmux.run("send-keys", "-t", pane, "Escape")  # ends the turn that began
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: desk.new(*arguments), range(2)))
    assert [one.returncode for one in both] == [0, 0], both
    assert desk.panes() == [line]
    assert desk.prompts() == ["chose 1", "go"]


@pytest.mark.tc("TC-867")
def test_two_calls_with_one_name_open_one_window(desk: Desk) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: desk.new("--prompt", "go", "--request-ref", "request-2"), range(2)))
    assert [one.returncode for one in both] == [0, 0], both
    assert len(desk.panes()) == 1
    assert desk.prompts() == ["go"]


@pytest.mark.tc("TC-867")
def test_the_agent_gets_its_name_before_its_prompt(desk: Desk, daemon: Daemon) -> None:
    done = desk.new("--name", "reviewer", "--prompt", "go", "--json")
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert answer["agent"]["name"] == "reviewer"
    assert answer["agent"]["runtime_id"] == answer["item"]["runtime_id"]
    assert desk.panes()[0].split(" ")[1] == "reviewer"
    again = desk.new("--name", "Reviewer")
    assert again.returncode == 5, again
    same = desk.new("--name", "reviewer", "--prompt", "go", "--request-ref", answer["request_ref"])
    assert same.returncode == 0, same
    assert (len(desk.panes()), desk.prompts()) == (1, ["go"]), "the request was done already"


@pytest.mark.tc("TC-873")
def test_an_agent_comes_back_under_its_name_in_its_worktree(desk: Desk, daemon: Daemon, tmux: Tmux) -> None:
    """The second agent of that name is the first one again, with the same worktree."""
    repo = desk.place.home / "repo"
    repo.mkdir()
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(
            ["git", "-C", str(repo), "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True,
            env=desk.place.env,
        )  # fmt: skip
    arguments = ("--name", "builder", "--worktree", "fix", "--cwd", str(repo), "--json")
    first = json.loads(desk.new(*arguments).stdout)
    (folder,) = desk.started()
    branch = subprocess.run(
        ["git", "-C", folder, "branch", "--show-current"], capture_output=True, text=True, check=True
    )
    assert branch.stdout == "agtmux/builder/fix\n"
    tmux.run("kill-window", "-t", first["item"]["identity"]["pane_id"])
    until(lambda: daemon.panes() == [], within=PATIENCE, what="it has ended")
    second = json.loads(desk.new(*arguments).stdout)
    assert second["agent"]["agent_id"] == first["agent"]["agent_id"]
    assert desk.started() == [folder, folder]
    refused = desk.new("--name", "other", "--worktree", "fix")
    assert (refused.returncode, "is in no git repository" in refused.stderr) == (5, True), refused
    assert desk.new("--worktree", "fix").returncode == 2
