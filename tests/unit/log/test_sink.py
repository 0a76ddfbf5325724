"""The log: bounded, never in the way of who logs, and honest about what it lost."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from agtmuxd.log import configure
from agtmuxd.log.flood import MOST, SPAN, FloodFilter
from agtmuxd.log.sink import WAITING, LogCounts, Sink
from tests.conftest import until
from tests.smalldisk import small_disk


@pytest.fixture(autouse=True)
def configuration() -> Iterator[None]:
    """structlog and logging as they were."""
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    yield
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def standard() -> Iterator[None]:
    """Standard output and error as they were: a log file takes their place."""
    kept = os.dup(1), os.dup(2)
    yield
    for number, fd in enumerate(kept, 1):
        os.dup2(fd, number)
        os.close(fd)


@pytest.mark.tc("TC-151")
@pytest.mark.usefixtures("standard")
def test_the_log_file_and_the_one_before_it_stay_below_the_bound(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    sink = Sink(str(log), 40_000)
    for number in range(800):
        sink.write(f"line {number} " + "x" * 90)
        if number % 100 == 0:
            until(lambda: not sink.waiting, what="the lines are written")
    sink.close()
    assert {path.name for path in tmp_path.iterdir()} == {"a.log", "a.log.1"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 40_000
    assert log.read_text().splitlines()[-1].startswith("line 799 ")
    assert log.stat().st_mode & 0o777 == 0o600
    assert sink.losses.lost == 0


@pytest.mark.tc("TC-151")
@pytest.mark.usefixtures("standard")
def test_a_log_file_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    sink = Sink(str(log), 100_000)
    sink.write("one")
    until(lambda: log.exists() and log.read_text() == "one\n")
    log.unlink()
    sink.write("two")
    until(lambda: log.exists() and log.read_text() == "two\n")
    sink.close()


@pytest.mark.tc("TC-151")
@pytest.mark.usefixtures("standard")
def test_lines_of_a_full_disk_are_counted_and_told_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "d", mib=1) as disk:
        log = disk.folder / "a.log"
        sink = Sink(str(log), 100_000)
        sink.write("before")
        until(log.exists)
        disk.fill()
        for number in range(100):
            sink.write(f"{number:03} " + "x" * 200)
        until(lambda: sink.losses.lost >= 70, what="lines were lost")
        assert sink.losses.trouble == "No space left on device"
        disk.clear()
        until(lambda: sink.losses.trouble is None, what="written again, though nobody logs")
        sink.write("after")
        sink.close()
        lines = log.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines[-2] == f"{sink.losses.lost} log lines were lost here"


@pytest.mark.tc("TC-151")
def test_a_pipe_that_nobody_reads_keeps_nobody_waiting() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):  # full from the start: a first line that fits would clear `trouble`
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    kept = os.dup(2)
    os.dup2(write, 2)
    try:
        sink = Sink()
        for _ in range(WAITING + 200):
            sink.write("x" * 1000)
        assert sink.losses.lost > 0
        assert sink.losses.trouble == "the log's reader is gone"
        closing = threading.Thread(target=sink.close)
        closing.start()
        closing.join(30)
        assert not closing.is_alive()
    finally:
        os.dup2(kept, 2)
        for fd in (kept, read, write):  # the writer, which waits in its thread, meets the end of the pipe
            os.close(fd)


@pytest.mark.tc("TC-151")
def test_one_event_does_not_fill_the_log_and_the_next_span_says_how_many_were_left_out() -> None:
    now = 0.0
    flood = FloodFilter(lambda: now)
    assert [flood.allow("a")[0] for _ in range(MOST + 50)].count(True) == MOST
    assert flood.allow("b") == (True, 0)
    now += SPAN
    assert flood.allow("a") == (True, 50)
    assert flood.allow("a") == (True, 0)


class Odd:
    def __repr__(self) -> str:
        raise ValueError("cannot be shown")


@pytest.mark.tc("TC-151")
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("value", [Odd(), {1: "a", "b": 2}, "\ud800", b"\xff"], ids=lambda value: type(value).__name__)
def test_no_value_makes_a_log_call_fail(form: str, value: Any) -> None:
    lines: list[str] = []
    losses = LogCounts()
    configure("info", form, lines.append, losses)
    structlog.get_logger("x").error("what", value=value)
    structlog.get_logger("x").error("next")
    assert len(lines) + losses.lost == 2
    assert "next" in lines[-1]


@pytest.mark.tc("TC-151")
def test_what_libraries_log_goes_the_same_way_and_cannot_fail_either() -> None:
    lines: list[str] = []
    losses = LogCounts()
    configure("info", "json", lines.append, losses)
    (ours,) = [h for h in logging.getLogger().handlers if type(h).__module__ == "agtmuxd.log"]
    for level, text in ((logging.ERROR, "bad %s"), (logging.ERROR, "bad %s %d"), (logging.DEBUG, "chatter %s")):
        record = logging.LogRecord("aiohttp.server", level, "", 0, text, ("request",), None)
        if level >= ours.level:
            ours.handle(record)
    assert len(lines) == 1
    assert "bad request" in lines[0]
    assert losses.lost == 1
