"""Fixtures of the real-agent suite: a world with a daemon and a watcher, and a driver for the module's agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.agents.driver import Driver
from tests.agents.observe import Daemon, Watch
from tests.agents.session import Session
from tests.agents.world import World, installed

Start = Callable[..., Session]


@pytest.fixture(scope="session")
def modules() -> Path:
    """Where the pinned CLIs are installed."""
    found = installed()
    if found is None:
        pytest.skip("the agent CLIs are not installed: run make test-agents")
    return found


@pytest.fixture
def start(modules: Path) -> Iterator[Start]:
    """``start(DriverType, hooks=True, trusted=True)``: everything running, the agent not yet launched."""
    with ExitStack() as stack:

        def begin(kind: type[Driver], *, hooks: bool = True, trusted: bool = True) -> Session:
            if reason := kind.missing(modules):
                pytest.skip(reason)
            world = stack.enter_context(World())
            model = stack.enter_context(kind.model_type(world.work))
            driver = kind(world, model)
            driver.install(modules)
            driver.seed(trusted=trusted)
            daemon = stack.enter_context(Daemon(world))
            if hooks:
                daemon.cli("hooks", "install", "--agent", kind.agent)
            return Session(driver, stack.enter_context(Watch(daemon)))

        yield begin
