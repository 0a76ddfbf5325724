"""How a mute is given: for how long, or until when."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agtmux.cli.mute import seconds, time_of
from tests.unit.daemon_stub import Stub, agtmux, listing, pane

pytestmark = pytest.mark.tc("TC-410")


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    served.answer("GET /v1/panes", listing(pane()))
    served.answer("POST /v1/notify/mute", {"item": {"pane": None, "until": "2026-01-01T00:00:00.000Z"}})
    yield served
    served.stop()


@pytest.mark.parametrize(("text", "count"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172_800)])
def test_a_duration_has_a_unit(text: str, count: float) -> None:
    assert seconds(text) == count
    with pytest.raises(click.UsageError, match="is not a duration"):
        seconds(text[:-1])


def test_a_time_of_day_is_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        noon = time.mktime((2026, 3, 28, 12, 0, 0, 0, 0, -1))
        assert time_of("13:30", noon) == "2026-03-28T12:30:00Z"
        assert time_of("08:00", noon) == "2026-03-29T06:00:00Z", "clocks go forward in that night"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_whole_time_is_sent_as_it_is() -> None:
    assert time_of("2026-01-31T08:00:00Z") == "2026-01-31T08:00:00Z"
    for wrong in ("25:00", "tomorrow", "8"):
        with pytest.raises(click.UsageError, match="is not a time"):
            time_of(wrong)


def test_a_mute_needs_one_end(short_dir: Path, stub: Stub) -> None:
    both = ["--for", "2h", "--until", "08:00"]
    for arguments, said in (([], b"a mute always ends"), (both, b"not both")):
        done = agtmux(short_dir, "mute", *arguments)
        assert (done.returncode, said in done.stderr) == (2, True)


def test_a_mute_says_until_when_and_of_what(short_dir: Path, stub: Stub) -> None:
    assert agtmux(short_dir, "mute", "--for", "2h").stdout == b"muted until 2026-01-01 00:00: everything\n"
    assert agtmux(short_dir, "mute", "claude", "--for", "2h").returncode == 0


def test_unmute_says_how_many_mutes_ended(short_dir: Path, stub: Stub) -> None:
    for lifted, text in ((0, b"nothing was muted\n"), (1, b"1 mute ended\n"), (3, b"3 mutes ended\n")):
        stub.answer("POST /v1/notify/unmute", {"lifted": lifted})
        assert agtmux(short_dir, "unmute").stdout == text
