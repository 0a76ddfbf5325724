"""``agtmux lease`` by real agents in tmux and by a person, against a real daemon and a real repository."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.globs import Budget, compile_pattern, overlap
from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Item, Place
from tests.conftest import until
from tests.git_repo import repository

AGTMUX = str(PROGRAMS / "agtmux")


def run_by(agent: Agent, repo: Path, script: str) -> Item:
    """What a shell script came to, run by the agent in the repository: ``status`` and ``out``."""
    argv = ["sh", "-c", f"cd {shlex.quote(str(repo))} && {script}"]
    env = {"AGTMUX_NO_AUTOSTART": "1", "PATH": f"{PROGRAMS}:/usr/bin:/bin"}
    result: Item = agent.tell(hook={"argv": argv, "payload": {}, "env": env})
    return result


@pytest.fixture
def repo(short_dir: Path) -> Path:
    return repository(short_dir / "repo")


def agents(daemon: Daemon, make: Callable[..., Agent], count: int) -> list[Agent]:
    made = [make().start(f"s{n}") for n in range(count)]
    for one in made:
        daemon.wait_agent(one.pane)
    return made


def leases(daemon: Daemon) -> list[Any]:
    found: list[Any] = daemon.client.leases().json()["items"]
    return found


@pytest.mark.tc("TC-796")
def test_fifty_processes_of_ten_agents_race_and_no_path_has_two_holders(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path
) -> None:
    """Each agent starts five commands at once, and all agents at once."""
    daemon.start()
    made = agents(daemon, agent, 10)
    pool = ("src/**", "'src/*.py'", "'src/a*'", "'**/test_*.py'", "src/api", "'src/*/views.py'", "'src/app/*'", "lib")
    for number, one in enumerate(made):
        commands = [
            f"agtmux lease acquire {pool[(number + n) % 8]} {pool[(number * 3 + n) % 8]} & p{n}=$!" for n in range(5)
        ]
        waits = [f"wait $p{n} && echo won >> won" for n in range(5)]
        script = (
            f"(while [ ! -e go ]; do sleep 0.01; done; {'; '.join([*commands, *waits])}; touch done{number}) >&- 2>&- &"
        )
        assert run_by(one, repo, script)["status"] == 0
    (repo / "go").touch()
    until(lambda: len(list(repo.glob("done*"))) == 10, within=3 * PATIENCE, what="all commands end")
    held = leases(daemon)
    for one in held:
        for other in held:
            if one["agent_id"] != other["agent_id"]:
                assert not overlap(compile_pattern(one["pattern"]), compile_pattern(other["pattern"]), Budget())
    won = (repo / "won").read_text().count("won")
    assert 1 <= won < 50
    assert len({item["agent_id"] for item in held}) >= 1


@pytest.mark.tc("TC-797")
def test_a_holder_that_is_killed_is_orphaned_and_its_lease_can_be_taken(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place
) -> None:
    daemon.start()
    one, two = agents(daemon, agent, 2)
    got = run_by(one, repo, "agtmux lease acquire src --json")
    (held,) = json.loads(got["out"])["items"]
    assert held["holder"].startswith("agent:claude-")
    refused = run_by(two, repo, "agtmux lease acquire src/a.py")
    assert refused["status"] == 5
    assert f"held by {held['holder']}" in refused["out"]
    assert "E_LEASE_CONFLICT" in refused["out"]
    one.vanish()
    until(lambda: leases(daemon)[0]["state"] == "orphaned", within=PATIENCE, what="the lease is orphaned")
    take = f"agtmux lease take {held['lease_id']} --expected-fence"
    assert "E_LEASE_FENCED" in run_by(two, repo, f"{take} {held['fence'] - 1}")["out"]
    taken = run_by(two, repo, f"{take} {held['fence']}")
    assert taken["status"] == 0, taken
    (now,) = leases(daemon)
    assert now["fence"] > held["fence"]
    late = place.cli("lease", "release", held["lease_id"], "--fence", str(held["fence"]))
    assert (late.returncode, "E_LEASE_FENCED" in late.stderr) == (5, True)


@pytest.mark.tc("TC-797")
def test_a_command_that_waits_gets_the_lease_when_it_is_released(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place
) -> None:
    daemon.start()
    (one,) = agents(daemon, agent, 1)
    assert place.cli("lease", "acquire", "--name", "db").returncode == 0
    log = repo / "log"
    run_by(one, repo, f"(agtmux lease acquire --name DB --wait > {log} 2>&1 &)")
    until(lambda: log.exists() and "waiting" in log.read_text(), within=PATIENCE, what="it waits")
    late = run_by(one, repo, "agtmux lease acquire --name db --wait --timeout 1s")
    assert (late["status"], "E_TIMEOUT" in late["out"]) == (7, True)
    assert place.cli("lease", "release", "dB").stdout == "released: db\n"
    until(lambda: "held: db" in log.read_text(), within=PATIENCE, what="it holds it")
    assert leases(daemon)[0]["holder"] == "agent:claude-1"


@pytest.mark.tc("TC-797")
def test_a_person_holds_checks_renews_and_releases_and_nothing_looks_like_success(daemon: Daemon, place: Place) -> None:
    daemon.start()

    def cli(*argv: str) -> tuple[int, str]:
        done = place.cli("lease", *argv)
        return done.returncode, done.stdout + done.stderr

    assert cli("acquire", "--name", "db", "--reason", "migration")[0] == 0
    status, out = cli("check", "--name", "DB")
    assert (status, "held by person: db" in out) == (5, True)
    assert "fence" in cli("renew", "db", "--ttl", "10m")[1]
    assert "migration" in cli("show", "DB")[1]
    for argv in (("release", "dbx"), ("release", "nothing"), ("renew", "nothing"), ("show", "nothing")):
        assert cli(*argv)[0] == 4, argv
    for wrong in ("acquire", "release", "acquire --name x --ttl soon", "take id"):
        assert cli(*wrong.split())[0] == 2, wrong
    assert cli("release", "--all") == (0, "released: db\n")
    assert cli("release", "--all") == (0, "you hold nothing\n")
    assert "db  until" in cli("list", "--all")[1].replace(" (released)", "")


@pytest.mark.tc("TC-805")
def test_agtmux_wait_waits_for_a_name_and_a_task_is_claimed_by_one(
    daemon: Daemon, agent: Callable[..., Agent], repo: Path, place: Place
) -> None:
    daemon.start()
    one, two = agents(daemon, agent, 2)
    claim = "agtmux lease acquire --name task:0198c0de --json"
    (held,) = json.loads(run_by(one, repo, claim)["out"])["items"]
    assert run_by(two, repo, claim)["status"] == 5
    log = repo / "log"
    run_by(two, repo, f"(agtmux wait lease:TASK:0198c0de=free --json > {log} 2>&1; echo ended $? >> {log}) >&- 2>&- &")
    until(lambda: '"lease:' in json.dumps(daemon.client.waits({}).json()), within=PATIENCE, what="the wait is there")
    assert place.cli("lease", "release", held["lease_id"], "--fence", str(held["fence"])).returncode == 0
    until(lambda: log.exists() and "ended 0" in log.read_text(), within=PATIENCE, what="the wait ends")
    assert run_by(two, repo, claim)["status"] == 0
    assert run_by(two, repo, "agtmux wait lease:task:0198C0DE=mine --timeout 5s")["status"] == 0
    assert run_by(one, repo, "agtmux wait lease:task:0198c0de=mine --timeout 1s")["status"] == 7
