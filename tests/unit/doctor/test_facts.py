"""What the checks are given: the daemon's health, and commands that stand in its messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agtmux.doctor import facts
from agtmux.protocol.errors import AgtmuxError
from tests.unit.daemon_stub import Stub, environment


@pytest.fixture
def here(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which this process looks for the daemon."""
    for name, value in environment(short_dir).items():
        monkeypatch.setenv(name, value)
    (short_dir / "run").mkdir(mode=0o700)
    return short_dir


@pytest.fixture
def stub(here: Path) -> Iterator[Stub]:
    served = Stub(here / "run" / "agtmuxd.sock").start()
    yield served
    served.stop()


@pytest.mark.tc("TC-520")
@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("the daemon runs but does not listen: run agtmux daemon restart", "agtmux daemon restart"),
        ("database: it is damaged (x): run agtmux daemon restart to replace it", "agtmux daemon restart"),
        ("keeps a read of it open: run fuser /home/u/agtmux.db to find it", "fuser /home/u/agtmux.db"),
        ("did not stop within 8 s: run kill 4711", "kill 4711"),
        ("outdated: run agtmux hooks install, then look again", "agtmux hooks install"),
        ("run agtmux daemon status; rm -rf ~", "agtmux daemon status"),
        ("run agtmux $(reboot)", None),
        ("run rm -rf /", None),
        ("nothing to run", None),
    ],
)
def test_a_command_in_a_message_is_found_and_nothing_else_is(text: str, command: str | None) -> None:
    """Only programs of agtmux's own messages, and only plain words."""
    assert facts.command_in(text) == command


@pytest.mark.tc("TC-520")
def test_the_daemon_is_asked_once_for_its_health(stub: Stub) -> None:
    stub.answer("GET /v1/health", {"pid": 1, "last_errors": ["notify: x", "spool: y"], "counters": {"a": 1}})
    found = facts.gather(os.environ, lambda: 7)
    assert found.health is not None
    assert found.errors("notify") == ["notify: x"]
    assert (found.counters, found.targets, found.daemon_environment, found.holder) == ({"a": 1}, [], None, None)
    assert len(stub.calls) == 1


@pytest.mark.tc("TC-520")
def test_without_a_daemon_the_facts_say_why_and_who_holds_its_locks(here: Path) -> None:
    found = facts.gather(os.environ, lambda: 7)
    assert found.health is None
    assert isinstance(found.unreachable, AgtmuxError)
    assert found.unreachable.code == "E_DAEMON_UNREACHABLE"
    assert found.holder == 7
    assert not (here / "state").exists(), "nothing was started or made"


def test_a_program_that_is_missing_or_slow_raises_nothing() -> None:
    assert facts.run(["/nowhere/program"]).status == 127
    assert facts.run(["sleep", "60"], 0.05).status == 124
    done = facts.run(["sh", "-c", "echo one; echo two >&2; exit 3"])
    assert (done.status, done.out, done.failure_message) == (3, "one\n", "two")
