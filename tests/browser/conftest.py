"""Fixtures: one daemon with its web page and one browser for each file; agents and devices end with each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, Actor, Daemon, Place
from tests.browser.browsing import Web, started
from tests.conftest import Tmux, until


@pytest.fixture(scope="module")
def everything() -> Iterator[tuple[Web, Tmux]]:
    """The web page of a daemon, a browser, and a tmux server. While the browser runs, no asyncio test can."""
    with ExitStack() as stack:
        chromium = stack.enter_context(started())
        root = Path(tempfile.mkdtemp(prefix="agt", dir="/tmp"))
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        tmux, place = Tmux(root / "tmux"), Place(root)
        stack.callback(tmux.stop)
        tmux.env = dict(place.env)
        place.configure(tmux)
        tmux.start("cat", session="stays")
        daemon = Daemon(place)
        stack.callback(lambda: print(daemon.said()))
        stack.callback(daemon.close)
        yield Web(place, daemon.start(), chromium), tmux


@pytest.fixture
def web(everything: tuple[Web, Tmux]) -> Iterator[Web]:
    """The web page, without agents, devices or further targets. The tabs must log no error."""
    made, tmux = everything
    yield made
    errors = made.close()
    tmux.run("kill-session", "-a", "-t", "stays")
    client = made.daemon.client
    for device in client.web_devices().json()["items"]:
        client.revoke_device(device["name"])
    for target in client.targets().json()["items"]:
        if target["target"] != "host":
            client.remove_target(target["target"])
    until(lambda: not made.daemon.panes() and not made.watchers(), within=PATIENCE, what="all agents and tabs are gone")
    assert errors == []


@pytest.fixture
def actor(web: Web, everything: tuple[Web, Tmux]) -> Callable[[], Actor]:
    """Makes stand-in agents that take keys (not started)."""
    return lambda: Actor(everything[1], web.place)
