"""A click in the menu, on a real agent: the commands that the menu names are run as a menu bar runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, Actor, Daemon, Place
from tests.conftest import until
from tests.unit.test_menubar import Line, named


def menu(place: Place) -> list[Line]:
    done = place.cli("menubar")
    assert done.returncode == 0, done.stderr
    return [Line(line) for line in done.stdout.splitlines()]


def click(place: Place, line: Line) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line.command, env={**place.env, "AGTMUX_NO_AUTOSTART": "1"}, capture_output=True, text=True, check=False,
        timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.tc("TC-535")
def test_a_click_approves_what_the_menu_showed_once_and_never_something_else(
    place: Place, daemon: Daemon, actor: Callable[..., Actor]
) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.asks(daemon, "rm -rf build")
    first = named(menu(place), "Approve once")
    assert click(place, first).returncode == 0
    until(lambda: len(one.sent()) == 1, within=PATIENCE, what="the approval arrived")
    assert click(place, first).returncode == 0, "the answer of the first click again"
    assert len(one.sent()) == 1, "nothing was pressed a second time"

    one.asks(daemon, "make deploy")
    stale = click(place, first)
    assert len(one.sent()) == 1, stale.stderr
    deny = named(menu(place), "Deny")
    one.asks(daemon, "make release")
    refused = click(place, deny)
    assert refused.returncode == 5, refused.stdout
    assert len(one.sent()) == 1, "another prompt than the one that was shown is not answered"
