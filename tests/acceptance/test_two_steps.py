"""A denial that leads to a dialog of its own: it is ended there too, and nowhere else."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from tests.acceptance.stage import Daemon, Place
from tests.conftest import Tmux, until

RULES = """
format = 1
agent = "toy"
recorded_on = ["1"]
[process]
names = ["toycli"]
[[rule]]
name = "permission"
claim = "waiting_approval"
all = [{ contains = "Permission required" }]
waiting = { kind = "approval", subject = "shell" }
keys = { deny = ["n"] }
sample = { screen = "asks.txt" }
[[rule]]
name = "reject"
claim = "waiting_approval"
all = [{ contains = "Words for it" }]
waiting = { kind = "approval", subject = "words" }
keys = { finish = ["Enter"] }
sample = { screen = "words.txt" }
"""
PROGRAM = r"""
import os, sys, termios, tty
tty.setraw(0)
shown = sys.argv[1]
while True:
    sys.stdout.write(f"\x1b[2J\x1b[H  {shown}\r\n")
    sys.stdout.flush()
    key = os.read(0, 64)
    with open(sys.argv[0] + ".keys", "ab") as kept:
        kept.write(key)
    if shown.startswith("Permission"):
        shown = "Words for it" if sys.argv[2] != "one step" else "Refused"
    elif sys.argv[2] == "two steps":
        shown = "Refused"
"""


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("how", "status", "keys"), [("one step", 0, b"n"), ("two steps", 0, b"n\r"), ("the next one", 7, b"n\r")]
)
def test_a_denial_is_ended_where_it_led_to(
    place: Place, daemon: Daemon, tmux: Tmux, how: str, status: int, keys: bytes
) -> None:
    """Where that dialog stands still, of whichever request, it is said; it is never answered by itself."""
    rules = place.root / "rules"
    rules.mkdir()
    (rules / "toy.toml").write_text(RULES)
    (rules / "asks.txt").write_text("Permission required\n")
    (rules / "words.txt").write_text("Words for it\n")
    program = place.root / "toycli"
    program.write_text(PROGRAM)
    daemon.start()
    command = shlex.join([sys.executable, str(program), "Permission required", how])
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", command).strip()
    daemon.wait_for(pane, "waiting_approval")
    done = place.cli("deny", pane)
    assert done.returncode == status, done.stdout + done.stderr
    tmux.settle(pane)
    assert program.with_name("toycli.keys").read_bytes() == keys
    if how == "the next one":
        assert "is still open" in done.stdout + done.stderr
        until(lambda: place.json("ls")["items"][0]["waiting_for"]["subject"] == "words", what="the second dialog")
        for verb in ("deny", "approve"):
            refused = place.cli(verb, pane, "--json")
            assert json.loads(refused.stdout)["error"]["code"] == "E_UNSUPPORTED"
        tmux.settle(pane)
        assert program.with_name("toycli.keys").read_bytes() == keys
