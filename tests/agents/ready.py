"""When an agent takes keys: letters are typed, seen on the screen, and deleted again. Knows no agent's screen.

An agent draws its field before it reads keys, on a slow machine by seconds. Until its terminal hands on each key at
once, the terminal itself draws what is typed; so that comes first.
"""

from __future__ import annotations

import os
import termios
import time
from collections.abc import Callable

from tests.agents.driver import Driver

PROBE = "qjx"
"""Letters that stand side by side in no word."""
ECHO_S = 4.0
"""How long to wait for them before they are typed again: some agents drop what was typed too early."""


def hands_on_keys(pid: int) -> bool:
    """Whether the terminal of a process is raw: it draws no key itself, and gives each to the process at once."""
    try:
        terminal = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ECHO)
    except termios.error:
        return False
    finally:
        os.close(terminal)


def seen(what: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.03)
    return True


def takes_keys(driver: Driver, seconds: float = ECHO_S) -> bool:
    """Whether typed letters show in time. They are deleted again."""
    at = driver.at
    at.letters(PROBE)
    shown = seen(lambda: PROBE in at.look().text, seconds)
    if shown:
        at.wait_still(0.2, 1)
        for _ in range(6):
            at.keys(*["BSpace"] * (len(PROBE) * max(1, at.look().text.count(PROBE))))
            if seen(lambda: PROBE not in at.look().text, 2):
                break
        else:
            raise AssertionError(f"what was typed cannot be deleted:\n{at.look().text}")
    return shown


def wait_ready(driver: Driver, insert: str | None = None, seconds: float = 90) -> None:
    """Returns when the agent's field has taken letters. ``insert``: the key that vim's keys may want before.

    Raises AssertionError if it does not come.
    """
    end = time.monotonic() + seconds

    def raw() -> bool:
        tree = driver.processes()
        return bool(tree) and hands_on_keys(tree[-1].pid)

    assert seen(raw, seconds), f"{driver.agent} reads no keys:\n{driver.at.look().text}"
    driver.at.wait_still(0.6, 5)
    while not takes_keys(driver):
        assert time.monotonic() < end, f"{driver.agent} takes no keys:\n{driver.at.look().text}"
        if insert:
            driver.at.keys(insert)
    driver.at.wait_still(0.3, 2)
