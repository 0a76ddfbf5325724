"""``agtmux inbox --follow`` prints each message once, also over a restart of the daemon."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Place
from tests.acceptance.test_msg import names
from tests.conftest import until


@pytest.mark.tc("TC-685")
def test_a_follower_gets_what_is_unread_and_then_each_new_message_once(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    mine = agent().start("mine")
    (name,) = names(daemon, mine)
    place.json("msg", "send", "--to", "person", "-m", "first")
    got: list[str] = []
    follower = subprocess.Popen(
        [str(PROGRAMS / "agtmux"), "inbox", "--follow", "--json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, text=True, env={**place.env, "AGTMUX_NO_AUTOSTART": "1", "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert follower.stdout is not None
    lines = follower.stdout

    def read() -> None:
        while line := lines.readline():
            got.append(json.loads(line)["preview"])

    reader = threading.Thread(target=read, daemon=True)
    try:
        reader.start()

        def has(*wanted: str) -> None:
            until(lambda: len(got) >= len(wanted), within=PATIENCE, what=f"{wanted}: {got}")
            assert got == list(wanted)

        has("first")
        place.json("msg", "send", "--to", name, "-m", "for somebody else")
        place.json("msg", "send", "--to", "person", "-m", "second")
        has("first", "second")
        assert daemon.stop() == 0
        daemon.start()
        place.json("msg", "send", "--to", "person", "-m", "third")
        has("first", "second", "third")
    finally:
        follower.terminate()
        follower.wait(PATIENCE)
        reader.join(PATIENCE)
        lines.close()
