"""The spool of this machine: one event that cannot be taken in holds up no other, trouble of the store costs none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd import spool
from agtmuxd.spool import Spool
from agtmuxd.store.db import Store, open_database


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    connection, _ = open_database(str(tmp_path / "a.db"))
    store = Store(connection)
    store.start()
    yield store
    store.close()


def filled(folder: Path, count: int) -> Path:
    file = folder / "spool.jsonl"
    lines = [
        json.dumps({"event_id": f"e{n}", "event_type": "Stop", "agent_type": "claude", "n": n}) for n in range(count)
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


class Door:
    """Takes a batch in or none of it, as a transaction does."""

    def __init__(self, fails: Callable[[int], Exception | None]) -> None:
        self.taken: list[int] = []
        self.fails = fails

    async def take(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            error = self.fails(event["n"])
            if error is not None:
                raise error
        self.taken.extend(event["n"] for event in events)


@pytest.mark.tc("TC-104")
async def test_an_event_that_cannot_be_taken_in_is_left_out_alone(tmp_path: Path, store: Store) -> None:
    """Those before and behind it are taken in once and in order, whatever batch they are in."""
    file = filled(tmp_path, 3 * spool.BATCH)
    bad = {7, spool.BATCH - 1, 2 * spool.BATCH}
    door = Door(lambda n: OverflowError("int too large") if n in bad else None)
    drain = Spool(str(file), store, door.take)
    await drain.drain()
    assert door.taken == [n for n in range(3 * spool.BATCH) if n not in bad]
    assert (drain.drained.refused, drain.drained.events) == (3, 3 * spool.BATCH - 3)
    assert drain.waiting == 0


@pytest.mark.tc("TC-104")
@pytest.mark.parametrize("trouble", [AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full"), OSError("input/output")])
async def test_trouble_that_is_no_events_fault_costs_none_of_them(
    tmp_path: Path, store: Store, trouble: Exception
) -> None:
    """Not even where it begins while a batch is taken in one by one: what was taken in by then has its id."""
    file = filled(tmp_path, 20)
    well = False
    door = Door(lambda n: ValueError("odd") if n == 3 else trouble if n == 9 and 2 in door.taken and not well else None)
    drain = Spool(str(file), store, door.take)
    with pytest.raises(type(trouble)):
        await drain.drain()
    assert door.taken == [0, 1, 2, 4, 5, 6, 7, 8]
    well = True
    await drain.drain()
    assert list(dict.fromkeys(door.taken)) == [n for n in range(20) if n != 3]
    assert drain.waiting == 0
