"""Real agents on three targets, one here and two behind real sshds: one table, whole, partial and whole again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.agents.conftest import Modules
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.observe import Daemon
from tests.agents.world import World
from tests.conftest import until
from tests.ssh.conftest import an_sshd as an_sshd  # a fixture
from tests.ssh.sshd import Keys, Sshd

pytestmark = [pytest.mark.agents, pytest.mark.timeout(180)]

PATIENCE = 60


@dataclass
class Place:
    """A target with its agent; ``sshd`` None for this machine."""

    name: str
    driver: Driver
    sshd: Sshd | None


class Fleet:
    """The daemon here, and who works where."""

    def __init__(self, stack: ExitStack, modules: Modules) -> None:
        kinds: tuple[type[Driver], ...] = (ClaudeDriver, CodexDriver, GeminiDriver)
        found = [modules(kind) for kind in kinds]
        self.worlds = [stack.enter_context(World()) for _ in range(3)]
        self.keys = Keys(self.worlds[0].root)
        self.places: dict[str, Place] = {}
        for name, kind, world, there in zip(("host", "vm1", "vm2"), kinds, self.worlds, found, strict=True):
            driver = kind(world, stack.enter_context(kind.model_type(world.work)))
            driver.install(there)
            driver.seed(trusted=True)
            sshd = None
            if name != "host":
                sshd = Sshd(self.keys, name, home=world.home)
                stack.callback(sshd.kill)
                sshd.start()
            self.places[name] = Place(name, driver, sshd)
        self.daemon = stack.enter_context(Daemon(self.worlds[0]))
        with self.worlds[0].config.open("a") as file:
            file.write(f'[ssh]\nconfig_file = "{self.keys.config}"\n')
        self.daemon.cli("daemon", "reload")
        self.daemon.cli("hooks", "install", "--agent", "claude")
        for place in self.places.values():
            if place.sshd is not None:
                tmux = str(place.driver.world.tmux.socket)
                options = ("--kind", "ssh", "--ssh-target", place.name, "--tmux-socket", tmux)
                self.daemon.cli("target", "add", place.name, *options)
                self.daemon.cli("target", "connect", place.name)
                self.daemon.cli("hooks", "install", "--target", place.name, "--agent", place.driver.agent)

    def listing(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.daemon.cli("ls", "--json"))
        return body

    def states(self) -> dict[str, str]:
        return {row["identity"]["target"]: row["state"] for row in self.listing()["items"]}

    def become(self, **states: str) -> None:
        """Wait until the table says so, then show it."""
        until(
            lambda: self.states() == states, within=PATIENCE,
            what=f"{states}: {self.listing()}\n{self.daemon.tail()}",
        )  # fmt: skip
        print(self.daemon.cli("ls"), self.daemon.cli("target", "list"), sep="\n")


@pytest.fixture
def fleet(modules: Modules, an_sshd: None) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack, modules)


@pytest.mark.tc("TC-043")
def test_three_targets_with_real_agents_are_one_table(fleet: Fleet) -> None:
    """One sshd ends and comes back; nobody else's row changes for it, and what happened meanwhile is there."""
    claude, codex, gemini = (fleet.places[name].driver for name in ("host", "vm1", "vm2"))
    for driver in (claude, codex, gemini):
        driver.launch()
        driver.pass_start_up()
    fleet.become(host="idle", vm1="idle", vm2="idle")
    claude.prompt("slow 60")
    codex.prompt("bash one")
    gemini.prompt("hello there")
    fleet.become(host="running", vm1="waiting_approval", vm2="completed")
    assert not fleet.listing()["partial"]
    asked = next(row for row in fleet.listing()["items"] if row["identity"]["target"] == "vm1")
    assert asked["waiting_for"]["kind"] == "approval"

    sshd = fleet.places["vm1"].sshd
    assert sshd is not None
    sshd.kill()
    fleet.become(host="running", vm1="unknown", vm2="completed")
    body = fleet.listing()
    gone = next(row for row in body["items"] if row["identity"]["target"] == "vm1")
    assert (gone["reason_code"], gone["last_known"]["state"]) == ("target_unreachable", "waiting_approval")
    assert gone["last_seen_at"] < gone["updated_at"]
    assert (body["partial"], body["responded_targets"]) == (True, ["host", "vm2"])
    codex.approve()  # at its own terminal, while nobody here can see it
    claude.interrupt()
    fleet.become(host="idle", vm1="unknown", vm2="completed")
    codex.wait_ready()

    sshd.start()
    fleet.become(host="idle", vm1="completed", vm2="completed")
    assert not fleet.listing()["partial"]
