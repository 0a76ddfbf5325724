"""What a button does: an ordinary action, for exactly the prompt of its message, once."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.action.request import AttachParams, Caller, Kind, Request
from agtmuxd.features.notify import message_store, store
from agtmuxd.features.notify.codes import Codes
from agtmuxd.features.notify.message import Message
from agtmuxd.features.notify.message_store import Sending
from agtmuxd.features.notify.model import Episode
from agtmuxd.features.notify.model import Kind as Reason
from agtmuxd.features.notify.presses import Presses
from agtmuxd.store.db import open_database
from tests.integration.features.notify.channels.stubs import message
from tests.integration.features.notify.stand import DirectStore
from tests.rig import Clock
from tests.unit.features.notify.makers import T0, episode

pytestmark = pytest.mark.tc("TC-421")


class Desk:
    """Presses over a database with one message, and what they asked the runner for."""

    def __init__(self, connection: sqlite3.Connection, one: Episode | None = None) -> None:
        self.asked: list[tuple[Request, Caller]] = []
        self.refuses: AgtmuxError | None = None
        database: Any = DirectStore(connection)
        self.codes = Codes(database, Clock())
        self.presses = Presses(database, self.act, self.codes)
        self.message: Message = message(one)
        store.put_episode(connection, one or episode())
        message_store.put(connection, Sending(self.message, "sent", 1))

    async def act(self, request: Request, caller: Caller) -> dict[str, Any]:
        self.asked.append((request, caller))
        if self.refuses is not None:
            raise self.refuses
        return {"result_code": "done"}


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    return open_database(str(tmp_path / "n.db"))[0]


@pytest.mark.parametrize(("verb", "kind"), [("approve", Kind.APPROVE), ("deny", Kind.DENY)])
async def test_a_banner_answers_exactly_its_prompt(connection: sqlite3.Connection, verb: str, kind: Kind) -> None:
    desk = Desk(connection)
    assert await desk.presses.on_banner("m-1", verb) is None
    ((request, caller),) = desk.asked
    assert (request.kind, request.ref) == (kind, "runtime:rt-1")
    guards = request.guards
    assert (guards.if_runtime, guards.if_fingerprint, guards.if_state) == ("rt-1", "f-1", ("waiting_approval",))
    assert guards.if_state_version == 1
    assert caller == Caller(actor="banner:c")


async def test_two_presses_are_one_request(connection: sqlite3.Connection) -> None:
    """The runner answers the second with the result of the first."""
    desk = Desk(connection)
    for _ in range(2):
        await desk.presses.on_banner("m-1", "approve")
    first, second = desk.asked
    assert first[0] == second[0]


async def test_what_is_over_cannot_be_answered(connection: sqlite3.Connection) -> None:
    desk = Desk(connection)
    store.put_episode(connection, replace(episode(), closed_at=T0, close_reason="another prompt"))
    assert "it was answered already" in str(await desk.presses.on_banner("m-1", "approve"))
    assert desk.asked == []


async def test_the_version_is_that_of_now(connection: sqlite3.Connection) -> None:
    desk = Desk(connection)
    store.put_episode(connection, replace(episode(), sign=replace(episode().sign, version=7)))
    await desk.presses.on_banner("m-1", "approve")
    assert desk.asked[0][0].guards.if_state_version == 7


async def test_a_click_selects_the_pane(connection: sqlite3.Connection) -> None:
    desk = Desk(connection, episode(kind=Reason.ERROR))
    assert await desk.presses.on_banner("m-1", "open") is None
    ((request, _),) = desk.asked
    assert (request.kind, request.ref, request.params) == (Kind.ATTACH, "pane:host/work/@1/%1", AttachParams())
    assert await desk.presses.on_banner("m-1", "approve") == "there is nothing to answer"
    assert await desk.presses.on_banner("m-1", "rm") == "there is nothing to answer"
    assert await desk.presses.on_banner("m-9", "approve") == "the message is too old"
    assert len(desk.asked) == 1


async def test_a_refusal_is_said(connection: sqlite3.Connection) -> None:
    desk = Desk(connection)
    desk.refuses = AgtmuxError("E_PRECONDITION_FAILED", "another prompt is shown now: look again")
    assert await desk.presses.on_banner("m-1", "approve") == "another prompt is shown now: look again"


async def test_a_code_answers_its_prompt_and_is_used_up_even_if_that_is_refused(connection: sqlite3.Connection) -> None:
    desk = Desk(connection)
    assert desk.message.prompt is not None
    code = await desk.codes.make("m-1", desk.message.prompt)
    desk.refuses = AgtmuxError("E_PRECONDITION_FAILED", "another prompt is shown now")
    with pytest.raises(AgtmuxError, match="another prompt"):
        await desk.presses.by_code(code, "approve")
    desk.refuses = None
    with pytest.raises(AgtmuxError) as caught:
        await desk.presses.by_code(code, "approve")
    assert caught.value.code == "E_UNAUTHORIZED"
    ((request, caller),) = desk.asked
    assert (request.guards.if_fingerprint, caller) == ("f-1", Caller(actor="button:c"))
