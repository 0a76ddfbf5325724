"""The path of an action: resolved, one at a time for each pane, decided on a new reading."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints
from agtmuxd.actions.pane_check import PaneReading
from agtmuxd.actions.runner import LOOK_AGAIN_AFTER
from agtmuxd.core.action.request import Kind, SendParams, ViewParams
from agtmuxd.core.model import Source, State
from agtmuxd.core.screen.controls import InputField
from tests.conftest import Tmux
from tests.integration.actions.desk import DOWN, SHELL, Desk
from tests.integration.services.test_panes import panes_of
from tests.rig import BUSY, TARGET


@pytest.mark.tc("TC-107")
async def test_two_actions_at_once_on_one_pane_are_done_one_after_the_other(desk: Desk) -> None:
    """The second waits for the first to end, though nobody else holds the lock."""
    inside: list[int] = []

    async def act(_context: Any) -> dict[str, Any]:
        inside.append(len(inside))
        assert len(inside) == 1
        await asyncio.sleep(0)
        inside.clear()
        return {}

    desk.actions._acts = {Kind.SEND: act}
    keys = SendParams(keys=("Down",))
    await asyncio.gather(*(desk.ask(Kind.SEND, keys, f"request-{n}") for n in range(5)))


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("point", ["before_read", "after_read"])
async def test_a_state_that_moves_while_the_pane_is_read_is_not_the_one_that_was_meant(desk: Desk, point: str) -> None:
    repository, key = desk.rig.pipeline.repository, (TARGET, desk.pane)

    def moves() -> None:
        repository.states[key] = replace(repository.states[key], state=State.RUNNING, state_version=99)

    desk.at[point] = moves
    assert await desk.refused(Kind.SEND, SendParams(keys=("Down",))) == "state_version"
    assert (await desk.ask(Kind.SEND, SendParams(keys=("Down",)), "request-2"))["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-107")
async def test_an_agent_that_is_replaced_while_the_pane_is_read_is_not_the_one_that_was_meant(desk: Desk) -> None:
    repository, key = desk.rig.pipeline.repository, (TARGET, desk.pane)

    def replaced() -> None:
        old = repository.runtimes[repository.active[key]]
        repository.runtimes["rt-another-one-there"] = replace(old, runtime_id="rt-another-one-there")
        repository.active[key] = "rt-another-one-there"

    desk.at["after_read"] = replaced
    assert await desk.refused(Kind.SEND, SendParams(keys=("Down",)), force_stale=True) == "runtime"


@pytest.mark.tc("TC-107")
async def test_a_field_that_is_being_drawn_anew_is_looked_for_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was done yet, so another look costs nothing; a field that stays away is refused."""
    real, looks = desk.reader.read, 0

    async def blank(*args: Any) -> PaneReading:
        nonlocal looks
        looks += 1
        found = await real(*args)
        if looks > away:
            return found
        return replace(found, current=replace(found.current, field=InputField.ABSENT))

    monkeypatch.setattr(desk.reader, "read", blank)
    for away, reason in ((1, None), (len(LOOK_AGAIN_AFTER), None), (99, "no_composer")):
        looks = 0
        params = SendParams(keys=("Enter",))
        if reason is None:
            answer = await desk.ask(Kind.SEND, params, f"request-{away}")
            assert (answer["result"]["keys"], looks) == (["Enter"], away + 1)
        else:
            assert await desk.refused(Kind.SEND, params, name=f"request-{away}") == reason
            assert looks == 1 + len(LOOK_AGAIN_AFTER)


@pytest.mark.tc("TC-107")
async def test_of_two_requests_for_one_pane_the_second_is_decided_on_what_the_first_left(desk: Desk) -> None:
    order: list[str] = []
    real = desk.reader.read

    async def noted(*args: Any) -> PaneReading:
        order.append("read")
        await asyncio.sleep(0.02)
        return await real(*args)

    desk.reader.read = noted  # type: ignore[method-assign,assignment]
    desk.at["before_act"] = lambda: order.append("act")
    first = asyncio.create_task(desk.ask(Kind.SEND, SendParams(keys=("Down",)), "request-1"))
    second = asyncio.create_task(desk.ask(Kind.SEND, SendParams(keys=("Down",)), "request-2"))
    await asyncio.gather(first, second)
    assert order[:3] == ["read", "act", "read"]


@pytest.mark.tc("TC-113")
async def test_an_agent_that_asks_may_look_and_not_act(desk: Desk, tmux: Tmux) -> None:
    itself = tmux.pid(desk.pane)
    with pytest.raises(AgtmuxError) as caught:
        await desk.ask(Kind.SEND, DOWN, pid=itself)
    assert caught.value.code == "E_FORBIDDEN"
    assert "shortcuts" in (await desk.ask(Kind.VIEW, ViewParams(), pid=itself))["result"]["output"]
    assert (await desk.ask(Kind.SEND, DOWN, "request-2"))["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-028")
async def test_a_follow_up_goes_on_from_a_look_at_the_same_agent_only(desk: Desk) -> None:
    looked = (await desk.ask(Kind.VIEW, ViewParams()))["action_id"]
    acted = (await desk.ask(Kind.SEND, DOWN, "request-2"))["action_id"]
    assert "shortcuts" in (await desk.ask(Kind.VIEW, ViewParams(again=looked)))["result"]["output"]
    repository, key = desk.rig.pipeline.repository, (TARGET, desk.pane)
    for action_id, code in ((acted, "E_ACTION_NOT_FOUND"), ("none-of-that-name", "E_ACTION_NOT_FOUND")):
        with pytest.raises(AgtmuxError) as caught:
            await desk.ask(Kind.VIEW, ViewParams(again=action_id))
        assert caught.value.code == code
    old = repository.runtimes[repository.active[key]]
    repository.runtimes["rt-another-one-there"] = replace(old, runtime_id="rt-another-one-there")
    repository.active[key] = "rt-another-one-there"
    assert await desk.refused(Kind.VIEW, ViewParams(again=looked)) == "runtime"


@pytest.mark.tc("TC-107")
async def test_a_nonce_of_something_else_is_refused(desk: Desk) -> None:
    key = (TARGET, desk.pane)
    good = desk.actions.nonce(key)
    other = desk.actions.nonce_of((TARGET, "%99"), desk.rig.runtime_id(desk.pane), 1)
    assert await desk.refused(Kind.SEND, DOWN, snapshot=other) == "snapshot"
    assert await desk.refused(Kind.SEND, DOWN, name="request-2", snapshot="1.1.abc") == "snapshot"
    assert (await desk.ask(Kind.SEND, DOWN, "request-3", snapshot=good))["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-107")
async def test_a_row_of_a_target_that_was_removed_meanwhile_is_listed_with_a_nonce_of_nothing(desk: Desk) -> None:
    panes = panes_of(desk.rig, desk.actions)
    item = desk.rig.item(desk.pane)
    assert item is not None
    assert (await desk.ask(Kind.SEND, DOWN, snapshot=panes.nonce(item)))["result"]["delivery"] == "typed"
    gone = panes.nonce({**item, "identity": {**item["identity"], "target": "gone"}})
    assert await desk.refused(Kind.SEND, DOWN, name="request-2", snapshot=gone) == "snapshot"


@pytest.mark.tc("TC-107")
async def test_a_crash_that_is_still_shown_is_nobody_in_the_way(desk: Desk, tmux: Tmux) -> None:
    """The shell that the agent left behind takes a command line as any other."""
    repository, before = desk.rig.pipeline.repository, (TARGET, desk.pane)
    dead = replace(repository.runtimes[repository.active[before]], runtime_id="rt-it-crashed-there", ended_at=1)
    shown = replace(
        repository.states[before], runtime_id=dead.runtime_id, state=State.ERROR, reason_code="agent_crashed"
    )
    desk.pane = tmux.start("cat", session="left")
    desk.row = await desk._row()
    await desk.rig.round(panes=(desk.row,), boot=desk.boot, server=desk.server)
    repository.runtimes[dead.runtime_id] = replace(dead, pane_id=desk.pane)
    repository.states[(TARGET, desk.pane)] = replace(shown, pane_id=desk.pane)
    answer = await desk.ask(Kind.SEND, SendParams(text="ls", **SHELL))
    assert answer["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-005")
async def test_an_agent_that_crashed_is_not_acted_on_by_its_name_but_acknowledged(desk: Desk) -> None:
    """What is in its pane now is not what was meant."""
    desk.seen.levels[Source.POLLER] = BUSY
    await desk.round()
    name = desk.rig.runtime_id(desk.pane)
    await desk.rig.round(panes=(desk.row,), boot=desk.boot, server=desk.server)
    item = desk.rig.item(desk.pane)
    assert item is not None
    assert (item["reason_code"], item["runtime_id"]) == ("agent_crashed", name)
    ref = f"runtime:{name}"
    for kind, params in ((Kind.ATTACH, None), (Kind.SEND, SendParams(text="ls", **SHELL)), (Kind.VIEW, ViewParams())):
        assert await desk.refused(kind, params, ref=ref) == "runtime", kind
    assert (await desk.ask(Kind.ACK, ref=ref))["result"]["attention_before"] == "needs_action"


def test_a_failpoint_that_is_not_named_does_nothing() -> None:
    Failpoints("after_read:wait")("after_read")
    Failpoints(None)("after_read")
