"""Fixtures of the real-agent suite: a world with a daemon and a watcher, and a driver for the module's agent.

``AGTMUX_TEST_AGENTS`` (``claude,codex``) leaves out the tests of all other agents; ``AGTMUX_TEST_COLOURS`` and
``AGTMUX_TEST_THEME`` say what the terminal is like, ``AGTMUX_TEST_MODULES`` where an agent's CLI is, PATH which tmux.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.agents.driver import Driver
from tests.agents.observe import Daemon, Watch
from tests.agents.session import Session
from tests.agents.world import World, modules_of

Start = Callable[..., Session]
Modules = Callable[[type[Driver]], Path]


@pytest.fixture
def modules(record_property: Callable[[str, object], None]) -> Modules:
    """Where the CLI of an agent is installed; the test is skipped where it is not, or is not asked for."""
    asked = os.environ.get("AGTMUX_TEST_AGENTS")

    def find(kind: type[Driver]) -> Path:
        record_property("agent", kind.agent)
        if asked and kind.agent not in asked.split(","):
            pytest.skip(f"AGTMUX_TEST_AGENTS asks for {asked}")
        found = modules_of(kind.agent)
        if found is None:
            pytest.skip("the agent CLIs are not installed: run make test-agents")
        if reason := kind.missing(found):
            pytest.skip(reason)
        return found

    return find


@pytest.fixture
def start(modules: Modules) -> Iterator[Start]:
    """``start(DriverType, hooks=True, trusted=True, colours=..., theme=...)``: everything running, the agent not yet
    launched."""
    with ExitStack() as stack:

        def begin(
            kind: type[Driver],
            *,
            hooks: bool = True,
            trusted: bool = True,
            colours: str | None = None,
            theme: str | None = None,
        ) -> Session:
            found = modules(kind)
            world = stack.enter_context(World(colours, theme))
            model = stack.enter_context(kind.model_type(world.work))
            driver = kind(world, model)
            driver.install(found)
            driver.seed(trusted=trusted)
            daemon = stack.enter_context(Daemon(world))
            if hooks:
                daemon.cli("hooks", "install", "--agent", kind.agent)
            return Session(driver, stack.enter_context(Watch(daemon)))

        yield begin
