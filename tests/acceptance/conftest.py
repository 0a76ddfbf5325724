"""Fixtures of the acceptance tests: a place, a daemon in it, stand-in agents and watchers; all end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import Actor, Agent, Daemon, Place, Watch
from tests.conftest import Tmux


@pytest.fixture
def place(short_dir: Path, tmux: Tmux) -> Place:
    """A place whose host target is the private server of the fixture ``tmux``."""
    made = Place(short_dir)
    tmux.env = dict(made.env)
    made.configure(tmux)
    return made


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    """A daemon, not started. Its log is shown with a failure."""
    made = Daemon(place)
    yield made
    made.close()
    print(made.said())


@pytest.fixture
def agent(tmux: Tmux, place: Place) -> Callable[..., Agent]:
    """Makes stand-in agents (not started) on the server ``tmux``, or on the one that is given; they end with it."""

    def make(server: Tmux | None = None, name: str = "claude") -> Agent:
        return Agent(server or tmux, place, name)

    return make


@pytest.fixture
def watch(place: Place) -> Iterator[Callable[..., Watch]]:
    """Starts ``agtmux watch --json`` with arguments; all end with the test."""
    made: list[Watch] = []

    def make(*arguments: str) -> Watch:
        made.append(Watch(place, *arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def actor(tmux: Tmux, place: Place) -> Callable[..., Actor]:
    """Makes stand-in agents that take keys (not started) on the server ``tmux``."""

    def make(server: Tmux | None = None, name: str = "claude") -> Actor:
        return Actor(server or tmux, place, name)

    return make
