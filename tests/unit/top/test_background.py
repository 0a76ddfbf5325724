"""Requests on threads of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest

from agtmux.top.background import Background

WAIT = 20


@pytest.mark.tc("TC-306")
def test_what_a_thread_found_is_brought_back() -> None:
    delivered: queue.Queue[Callable[[], None]] = queue.Queue()
    errors: list[Exception] = []
    background = Background(delivered.put, errors.append)
    found: list[str] = []
    background.run(lambda: threading.current_thread().name, found.append)
    delivered.get(timeout=WAIT)()
    assert found == ["errand"]


@pytest.mark.tc("TC-306")
def test_a_look_that_fails_is_reported_and_does_not_hold_up_the_next_one() -> None:
    delivered: queue.Queue[Callable[[], None]] = queue.Queue()
    errors: list[Exception] = []
    background = Background(delivered.put, errors.append)
    found: list[str] = []
    failed = threading.Event()

    def fail() -> str:
        failed.set()
        raise RuntimeError("no")

    background.latest("screen", fail, found.append)
    failed.wait(WAIT)
    background.latest("screen", lambda: "next", found.append)
    for _ in range(2):
        delivered.get(timeout=WAIT)()
    assert found == ["next"]
    assert [str(one) for one in errors] == ["no"]


@pytest.mark.tc("TC-306")
def test_of_looks_that_wait_for_each_other_only_the_newest_is_made() -> None:
    """One at a time. Looks of another name do not wait."""
    delivered: queue.Queue[Callable[[], None]] = queue.Queue()
    errors: list[Exception] = []
    background, gate = Background(delivered.put, errors.append), threading.Event()
    found: list[str] = []

    def slow() -> str:
        gate.wait(WAIT)
        return "first"

    background.latest("screen", slow, found.append)
    for name in ("second", "third", "fourth"):
        background.latest("screen", lambda name=name: name, found.append)  # type: ignore[misc]
    background.latest("why", lambda: "other", found.append)
    delivered.get(timeout=WAIT)()
    assert found == ["other"]
    gate.set()
    for _ in range(2):
        delivered.get(timeout=WAIT)()
    assert found == ["other", "first", "fourth"]
    background.latest("screen", lambda: "fifth", found.append)
    delivered.get(timeout=WAIT)()
    assert found[-1] == "fifth"
