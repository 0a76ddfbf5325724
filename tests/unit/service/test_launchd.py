"""Which launchctl commands are given: no Mac can be had here, so a stand-in records them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from agtmux.service.launchd import Launchd
from agtmux.service.state import CommandResult
from tests.unit.daemon_stub import environment


class Launchctl:
    """A stand-in: ``screen`` says whether somebody is logged in on the screen."""

    def __init__(self, *, screen: bool = True) -> None:
        self.screen = screen
        self.loaded = False
        self.calls: list[str] = []

    def __call__(self, argv: Sequence[str]) -> CommandResult:
        words = list(argv[1:])
        if words[0] == "print" and words[1] == f"gui/{os.getuid()}":
            return CommandResult(0 if self.screen else 125, "", "")
        if words[0] == "print":
            return (
                CommandResult(0, "\tstate = running\n\tpid = 7\n", "")
                if self.loaded
                else CommandResult(113, "", "not found")
            )
        self.calls.append(" ".join(words))
        if words[0] in ("bootstrap", "bootout"):
            self.loaded = words[0] == "bootstrap"
        return CommandResult(0, "", "")


@pytest.fixture(autouse=True)
def here(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in environment(short_dir).items():
        monkeypatch.setenv(name, value)
    return short_dir


@pytest.mark.tc("TC-530")
@pytest.mark.parametrize(("screen", "domain"), [(True, "gui"), (False, "user")])
def test_the_agent_is_started_where_the_user_is(here: Path, screen: bool, domain: str) -> None:
    """On a Mac without a screen session the user's own domain is used. ``load`` and ``unload`` are never used."""
    run = Launchctl(screen=screen)
    service = Launchd("/x/agtmuxd", {}, {}, run)
    service.install(restart=True)
    where, file = f"{domain}/{os.getuid()}", f"{here}/Library/LaunchAgents/io.agtmux.daemon.plist"
    assert run.calls == [f"bootstrap {where} {file}", f"kickstart {where}/io.agtmux.daemon"]
    state = service.state()
    assert (state.enabled, state.active, state.pid, state.program) == (True, True, 7, "/x/agtmuxd")
    run.calls.clear()
    service.install(restart=True)
    assert run.calls == [f"kickstart {where}/io.agtmux.daemon"], "it is loaded already"
    run.calls.clear()
    Launchd("/y/agtmuxd", {}, {}, run).install(restart=True)
    assert [call.split()[0] for call in run.calls] == ["bootout", "bootstrap", "kickstart"]
    assert service.uninstall() == ([file], [])
    assert not run.loaded
    assert not Path(file).exists()


@pytest.mark.tc("TC-530")
def test_a_restart_kills_the_old_one_and_a_stop_needs_nothing() -> None:
    """launchd starts it again only after a failure, so the daemon's own end is enough."""
    run = Launchctl()
    service = Launchd("/x/agtmuxd", {}, {}, run)
    service.stop()
    assert run.calls == []
    service.restart()
    assert run.calls == [f"kickstart -k gui/{os.getuid()}/io.agtmux.daemon"]
