"""When a started agent takes keys. Its agent is a small program that draws its field first."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.agents import processes
from tests.agents.driver import ClaudeDriver
from tests.agents.models.claude import FakeClaude
from tests.agents.ready import wait_ready
from tests.agents.record import Tape, TapedPane
from tests.agents.world import World

LATE_S = 1.5
_FIELD = f"""
import os, sys, termios, time, tty
def show(text): sys.stdout.write("\\x1b[H\\x1b[2J" + "-" * 20 + "\\r\\n> " + text + "\\r\\n"); sys.stdout.flush()
show("")
time.sleep({LATE_S})
tty.setraw(0)
time.sleep({LATE_S})
termios.tcflush(0, termios.TCIFLUSH)
open(sys.argv[1], "w").write(str(time.monotonic()))
text = ""
while True:
    key = os.read(0, 1).decode()
    text = text[:-1] if key in "\\x7f\\x08" else text + key
    show(text)
"""


class Field(ClaudeDriver):
    """Draws a field, later makes its terminal raw, and later still reads keys; what came before is lost."""

    def processes(self) -> list[processes.Process]:
        return [p for p in processes.below(self.at.pid) if "field.py" in " ".join(p.argv)]


@pytest.mark.tc("TC-583")
def test_a_start_is_over_when_typed_letters_show_and_not_when_the_field_is_drawn(tmp_path: Path) -> None:
    """Neither the terminal's own echo nor a drawn field counts, and nothing of what was typed is left."""
    program, ready = tmp_path / "field.py", tmp_path / "ready"
    program.write_text(_FIELD)
    with World() as world, FakeClaude(world.work) as model:
        driver = Field(world, model)
        pane = TapedPane(world.tmux.open("field", world.env(), world.work), Tape())
        driver.pane = pane
        pane.wait_text(r"[$#] ?$")
        pane.tmux.run("send-keys", "-t", pane.id, f"{sys.executable} {program} {ready}", "Enter")
        pane.wait_text("^> *$")
        wait_ready(driver)
        assert time.monotonic() > float(ready.read_text())
        assert pane.look().text.split() == ["-" * 20, ">"]
