"""A code answers one prompt, once, for ten minutes, and is stored nowhere as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.notify.codes import Codes
from agtmuxd.features.notify.message import Prompt
from agtmuxd.store.db import Store, open_database
from tests.rig import Clock

pytestmark = pytest.mark.tc("TC-421")
PROMPT = Prompt("rt-1", "f-1", "e1")


@pytest.fixture
def database(tmp_path: Path) -> Any:
    store = Store(open_database(str(tmp_path / "n.db"))[0])
    store.start()
    yield store
    store.close()


async def refused(codes: Codes, code: str) -> str:
    with pytest.raises(AgtmuxError) as caught:
        await codes.use(code)
    return caught.value.code


async def test_a_code_is_good_once(database: Any) -> None:
    codes = Codes(database, Clock())
    code = await codes.make("m-1", PROMPT)
    assert len(code) >= 43
    assert await codes.use(code) == "m-1"
    assert await refused(codes, code) == "E_UNAUTHORIZED"


async def test_of_many_who_send_it_at_once_one_gets_it(database: Any) -> None:
    codes = Codes(database, Clock())
    code = await codes.make("m-1", PROMPT)
    results = await asyncio.gather(*(codes.use(code) for _ in range(8)), return_exceptions=True)
    assert sum(one == "m-1" for one in results) == 1


async def test_all_codes_of_a_message_are_used_up_together(database: Any) -> None:
    """A message that was sent again has another code; the phone may show both."""
    codes = Codes(database, Clock())
    first, second = await codes.make("m-1", PROMPT), await codes.make("m-1", PROMPT)
    other = await codes.make("m-2", PROMPT)
    await codes.use(second)
    assert await refused(codes, first) == "E_UNAUTHORIZED"
    assert await codes.use(other) == "m-2"


async def test_a_code_is_too_old_after_ten_minutes(database: Any) -> None:
    clock = Clock()
    codes = Codes(database, clock)
    code = await codes.make("m-1", PROMPT)
    clock.forward(600)
    assert await refused(codes, code) == "E_UNAUTHORIZED"


async def test_a_new_daemon_knows_the_codes_of_the_one_before(database: Any) -> None:
    clock = Clock()
    code = await Codes(database, clock).make("m-1", PROMPT)
    assert await Codes(database, clock).use(code) == "m-1"


async def test_wrong_codes_are_looked_at_ten_times_a_minute(database: Any) -> None:
    clock = Clock()
    codes = Codes(database, clock)
    good = await codes.make("m-1", PROMPT)
    for _ in range(10):
        assert await refused(codes, "wrong\ud800") == "E_UNAUTHORIZED"
    assert await refused(codes, good) == "E_RATE_LIMITED"
    clock.forward(60)
    assert await codes.use(good) == "m-1"


async def test_the_database_has_no_code(database: Any) -> None:
    codes = Codes(database, Clock())
    code = await codes.make("m-1", PROMPT)
    rows = await database.read(lambda c: c.execute("SELECT * FROM notify_codes").fetchall())
    assert code not in str(rows)
