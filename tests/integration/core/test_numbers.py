"""Numbers and times that cannot be, from everywhere that they come in: put aside, counted, and in nobody's way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.action.request import read_nonce
from agtmuxd.core.model import Proc, RawEvent, Source, State
from agtmuxd.ingest.spool import SpoolCounts, parse_line
from agtmuxd.remote_hooks.clock_offset import corrected, read_clock
from agtmuxd.targets.executor import Machine
from agtmuxd.targets.local import process_table
from agtmuxd.targets.roster import Roster
from agtmuxd.targets.ssh import commands
from tests.integration.ingest.transcripts.test_follower import assistant_line, followed, prompt, stopped
from tests.integration.ingest.transcripts.transcript_rig import transcript_rig
from tests.rig import BUSY, T0
from tests.unit.core.screen.test_rules import IDLE, look, screen

LONG = "9" * 40


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize(
    "time",
    ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "2263-01-01T00:00:00Z",
     "2026-01-03T00:00:00Z"],
)  # fmt: skip
async def test_a_line_of_a_time_that_cannot_be_is_put_aside_and_those_behind_it_are_read(
    tmp_path: Path, time: str
) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h, levels={Source.POLLER: BUSY})
        h.clock.forward(1)
        h.write(path, prompt(h.clock(), "one"))
        await h.look()
        bad = [{**line, "timestamp": time} for line in (stopped(h.clock()), assistant_line(h.clock(), "from nowhen"))]
        h.write(path, *bad, prompt(h.clock() + 1, "two") | {"uuid": "p2"})
        await h.look()
        assert h.events() == ["prompt", "prompt"]
        assert h.state() is State.RUNNING
        h.clock.forward(3)
        h.write(path, stopped(h.clock()))
        await h.look()
        assert h.state() is State.IDLE
        assert h.transcripts.counters["transcript_events_refused"] == 2
        said_last = h.transcripts.last_message(h.rig.the_state().runtime_id)
        assert said_last is None or said_last.text != "from nowhen"


@pytest.mark.tc("TC-152")
async def test_a_batch_that_fails_is_posted_one_by_one_and_what_cannot_be_taken_in_is_left_out(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h, levels={Source.POLLER: BUSY})
        post, tries = h.transcripts._post, []

        async def posting(events: Any) -> object:
            tries.append(len(events))
            if any(event.event_type == "interrupted" for event in events):
                raise OverflowError("Python int too large to convert to SQLite INTEGER")
            return await post(events)

        h.transcripts._post = posting
        h.clock.forward(1)
        h.write(path, prompt(h.clock(), "one"))
        await h.look()
        h.clock.forward(1)
        h.write(path, stopped(h.clock()), prompt(h.clock() + 1_000_000, "two"), prompt(h.clock() + 2_000_000, "three"))
        await h.look()
        assert h.events() == ["prompt"] * 3
        assert tries == [1, 3, 1, 1, 1]
        assert h.transcripts.counters["transcript_events_refused"] == 1
        h.clock.forward(1)
        h.write(path, prompt(h.clock(), "four"))
        await h.look()
        assert h.events() == ["prompt"] * 4


@pytest.mark.tc("TC-152")
async def test_what_was_not_posted_yet_is_kept_where_the_store_fails_amid_a_batch(tmp_path: Path) -> None:
    async with transcript_rig(tmp_path) as h:
        path = await followed(h, levels={Source.POLLER: BUSY})
        post, full = h.transcripts._post, [True]

        async def posting(events: Any) -> object:
            if len(events) > 1:
                raise OverflowError("too large")
            if full[0] and events[0].event_type == "interrupted":
                raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")
            return await post(events)

        h.transcripts._post = posting
        h.clock.forward(1)
        h.write(path, prompt(h.clock()), stopped(h.clock() + 1_000_000))
        with pytest.raises(AgtmuxError):
            await h.look()
        assert h.events() == ["prompt"]
        full[0] = False
        await h.look()
        h.clock.forward(1)
        h.write(path, assistant_line(h.clock(), "x"))
        await h.look()
        assert h.events() == ["prompt", "interrupted"]


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("date", [LONG, f"{LONG}N", "9" * 19, "9" * 11 + "N", "-1", "1_800_000_000", "٣" * 10, ""])
def test_a_clock_there_that_cannot_be_is_no_clock(date: str) -> None:
    assert read_clock(date.encode() + b"\n") is None


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("offset", [-(10**18), 4 * 10**18])
def test_an_event_put_right_by_a_clock_far_off_still_has_times_that_can_be(offset: int) -> None:
    event = RawEvent("e-1234567", "Stop", Source.HOOK, "claude", T0, T0, "k", start_hint=2**63 - 1)
    right = corrected(event, offset)
    assert 0 <= right.event_time <= T0
    assert right.start_hint is None


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("field", [0, 1, 2, 4, 5, 19])
@pytest.mark.parametrize("value", [LONG, "9" * 5000, "-9" + "9" * 30, "²", "1_0"])
def test_a_process_of_numbers_that_cannot_be_is_left_out(field: int, value: str) -> None:
    words = [
        "4001",
        "(claude)",
        "S",
        "1",
        "4001",
        "4001",
        "34816",
        "4001",
        "4194304",
        "0",
        "0",
        "0",
        "0",
        "0",
        "0",
        "0",
        "0",
        "20",
        "0",
        "1",
        "0",
        "5000",
        "0",
    ]
    assert process_table.parse_stat(" ".join(words).encode()) is not None
    words[0 if field == 0 else field + 2] = value
    assert process_table.parse_stat(" ".join(words).encode()) is None


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("field", [0, 1, 2, 3])
def test_a_line_of_ps_of_numbers_that_cannot_be_is_left_out(field: int) -> None:
    words = ["4001", "1", "4001", "4001", "pts/1", "S+", "Mon", "Nov", "30", "05:00:00", "2026", "claude"]
    assert len(process_table.parse_ps(" ".join(words))) == 1
    words[field] = LONG
    assert process_table.parse_ps(" ".join(words)) == []


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("dropped", [LONG, "-5", "true", "1e400", "2147483648"])
def test_a_gap_of_a_number_that_cannot_be_counts_for_nothing(dropped: str) -> None:
    drained = SpoolCounts()
    assert parse_line(b'{"gap": {"dropped": %s}}' % dropped.encode(), drained) is None
    assert drained.dropped_before == 0


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("nonce", [f"{'9' * 5000}.1.abc", f"1.{'9' * 5000}.abc", f"{LONG}.{LONG}.abc"])
def test_a_nonce_of_numbers_that_cannot_be_stands_for_nothing(nonce: str) -> None:
    assert read_nonce(nonce, b"k" * 32, "t", "%1", None) is None


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("up", ["inf", "nan", "-5", "1e300", LONG, "soon"])
def test_a_machine_that_was_up_for_a_time_that_cannot_be_tells_nothing(up: str) -> None:
    assert commands._number(f"{up} 1.0") is None


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("start", [LONG, "9" * 13, "²", "٣"])
def test_an_agent_that_began_at_a_time_that_cannot_be_began_now(tmp_path: Path, start: str) -> None:
    roster = Roster.__new__(Roster)
    roster._machine = Machine(home=str(tmp_path), booted_at=T0)
    proc = Proc(1, 1, 1, 1, 0, "S", start, "claude")
    assert roster._started_at(proc, T0 + 5) == T0 + 5


@pytest.mark.tc("TC-152")
@pytest.mark.parametrize("count", [LONG, "9" * 5000, "10000"])
def test_a_count_on_a_screen_that_cannot_be_counts_nothing(count: str) -> None:
    text = "[[background]]\nregion = \"footer\"\nregex = '(\\d+) shells?'\n"
    write = look(text + IDLE, screen("----", "> ", "----", f"mode · {count} shells · 2 shells", cols=6000))
    assert write is not None
    assert write.background_tasks == 2
