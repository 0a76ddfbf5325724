"""Teams at the command line: the daemon reads the file, and its steps are printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.test_agent import AGENT
from tests.unit.daemon_stub import Stub, agtmux, error

pytestmark = pytest.mark.tc("TC-628")

TEAM = {"name": "web", "deliver": "pull", "escalate_to": None, "agents": [AGENT]}
STEPS = {"team": TEAM, "steps": [{"op": "change", "name": "builder", "fields": ["role", "scopes"]}]}


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    served.answer("POST /v1/teams", STEPS)
    yield served
    served.stop()


def test_a_file_is_applied_planned_or_checked(short_dir: Path, stub: Stub) -> None:
    file = short_dir / "team.toml"
    file.write_text('name = "web"\n')
    assert agtmux(short_dir, "team", "apply", str(file)).stdout == b"change builder (role, scopes)\n"
    assert (stub.calls[-1].body["text"], stub.calls[-1].body.get("plan")) == ('name = "web"\n', None)
    assert agtmux(short_dir, "team", "apply", str(file), "--plan").returncode == 0
    assert stub.calls[-1].body["plan"] is True
    done = agtmux(short_dir, "team", "check", str(file))
    assert done.stdout.startswith(b"the file is good\n")
    assert stub.calls[-1].body["plan"] is True
    stub.answer("POST /v1/teams", {"team": TEAM, "steps": []})
    assert b"nothing changed: team web" in agtmux(short_dir, "team", "apply", str(file)).stdout


def test_what_is_wrong_in_a_file_is_printed_as_the_daemon_says_it(short_dir: Path, stub: Stub) -> None:
    file = short_dir / "team.toml"
    file.write_bytes(b"name = \xff")
    done = agtmux(short_dir, "team", "check", str(file))
    assert (done.returncode, b"byte 7" in done.stderr, stub.calls) == (2, True, [])
    file.write_text("x")
    stub.answer("POST /v1/teams", error("E_INVALID_REQUEST", "line 1: x: is unknown"), 400)
    done = agtmux(short_dir, "team", "check", str(file))
    assert (done.returncode, b"line 1: x: is unknown" in done.stderr) == (2, True)


def test_teams_are_listed_shown_and_removed_after_a_question(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/teams", {"items": [TEAM]})
    stub.answer("GET /v1/teams/web", {"item": TEAM})
    stub.answer("POST /v1/teams/web/remove", STEPS)
    lines = agtmux(short_dir, "team", "list").stdout.decode().splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "DELIVER", "ESCALATE_TO", "AGENTS"], ["web", "pull", "person", "builder"]
    ]  # fmt: skip
    assert b"builder may change src/**" in agtmux(short_dir, "team", "show", "web").stdout
    assert agtmux(short_dir, "team", "remove", "web").returncode == 2
    assert agtmux(short_dir, "team", "remove", "web", "--yes").returncode == 0
