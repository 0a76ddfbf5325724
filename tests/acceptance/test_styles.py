"""What is told by how it is drawn: a dialog's chosen option (what is taken is what was named, or nothing is pressed),
and a draft in a captured screen."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.acceptance.stage import Daemon, Place
from tests.conftest import Tmux, until
from tests.corpus import screens

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
waiting = { kind = "approval", subject = "shell", option_regex = '(Allow once|Allow always|Reject)' }
keys = { approve = 1, deny = 3, option = ["Enter"], chosen = "odd", move = ["Left", "Right"] }
sample = { screen = "asks.txt" }
"""
PROGRAM = r"""
import os, sys, termios, tty
chosen, drawn, stuck = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "stuck"
tty.setraw(0)
names = ["Allow once", "Allow always", "Reject"]
while True:
    row = "   ".join(f"\x1b[{drawn if n == chosen else ''}m{name}\x1b[0m" for n, name in enumerate(names))
    sys.stdout.write(f"\x1b[2J\x1b[H  Permission required\r\n  make clean\r\n  {row}\r\n")
    sys.stdout.flush()
    key = os.read(0, 64)
    with open(sys.argv[0] + ".keys", "ab") as kept:
        kept.write(key)
    chosen = (chosen + (0 if stuck else key.count(b"\x1b[C") - key.count(b"\x1b[D"))) % 3
    if b"\r" in key:
        break
sys.stdout.write(f"\x1b[2J\x1b[Htook {names[chosen]}\r\n")
sys.stdout.flush()
os.read(0, 1)
"""


class Toy:
    """The program in a pane, with rules that know it."""

    def __init__(self, place: Place, daemon: Daemon, tmux: Tmux, chosen: int, drawn: str, how: str) -> None:
        rules = place.root / "rules"
        rules.mkdir()
        (rules / "toy.toml").write_text(RULES)
        (rules / "asks.txt").write_text("Permission required\n\x1b[7mAllow once\x1b[0m  Allow always  Reject\n")
        self.program = place.root / "toycli"
        self.program.write_text(PROGRAM)
        daemon.start()
        command = shlex.join([sys.executable, str(self.program), str(chosen), drawn, how])
        self.tmux = tmux
        self.pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", command).strip()
        daemon.wait_for(self.pane, "waiting_approval")

    def keys(self) -> bytes:
        """Every byte that reached it, once all that was typed has."""
        self.tmux.settle(self.pane)
        kept = self.program.with_name("toycli.keys")
        return kept.read_bytes() if kept.exists() else b""

    def shows(self, text: str) -> bool:
        return text in self.tmux.run("capture-pane", "-p", "-t", self.pane)


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("chosen", "command", "took"),
    [
        (0, "approve", "Allow once"),
        (2, "approve", "Allow once"),
        (0, "deny", "Reject"),
        (0, "answer 2", "Allow always"),
    ],
)
def test_the_choice_is_moved_to_what_was_named_and_then_taken(
    place: Place, daemon: Daemon, tmux: Tmux, chosen: int, command: str, took: str
) -> None:
    toy = Toy(place, daemon, tmux, chosen, "48;5;214;30", "moves")
    verb, *rest = command.split()
    done = place.cli(verb, toy.pane, *rest)
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: toy.shows(f"took {took}"), what=took)
    assert toy.keys().count(b"\r") == 1


@pytest.mark.tc("TC-107")
def test_where_no_choice_stands_out_nothing_is_pressed(place: Place, daemon: Daemon, tmux: Tmux) -> None:
    toy = Toy(place, daemon, tmux, 0, "0", "moves")
    refused = place.cli("approve", toy.pane, "--json")
    assert json.loads(refused.stdout)["error"]["code"] == "E_UNSUPPORTED"
    assert toy.keys() == b""
    assert place.json("rules", "check")["items"]


@pytest.mark.tc("TC-107")
def test_a_choice_that_does_not_move_is_not_taken(place: Place, daemon: Daemon, tmux: Tmux) -> None:
    toy = Toy(place, daemon, tmux, 1, "7", "stuck")
    done = place.cli("approve", toy.pane)
    assert done.returncode == 7, done.stdout + done.stderr
    assert toy.keys().count(b"\r") == 0
    assert toy.shows("Permission required")


@pytest.mark.tc("TC-046", "TC-107")
def test_a_screen_captured_with_its_attributes_is_explained_by_them(
    place: Place, daemon: Daemon, tmp_path: Path
) -> None:
    daemon.start()
    screen = screens.load("codex/hint-words-home")
    cursor = ("--cursor", str(screen.sample.cursor_x), str(screen.sample.cursor_y))
    fields = {}
    for name, text in (("styled", screen.raw), ("plain", "\n".join(screen.sample.lines))):
        (tmp_path / name).write_text(text)
        body = place.json("explain", "--file", str(tmp_path / name), "--agent", "codex", *cursor)
        fields[name] = body["composer"], body["accepts_input"]
        output = place.cli("explain", "--file", str(tmp_path / name), "--agent", "codex", *cursor)
        assert "\x1b" not in output.stdout
    assert fields == {"styled": ("draft", False), "plain": ("free", True)}
