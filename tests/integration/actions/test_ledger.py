"""The ledger: each request is done once, and its result is recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.ledger import KEPT_OUTPUTS
from agtmuxd.core.action.request import Kind, SendParams, ViewParams
from agtmuxd.targets.executor import ExecutorError
from tests.conftest import Tmux
from tests.integration.actions.desk import DOWN, Desk
from tests.rig import TARGET


@pytest.mark.tc("TC-223")
async def test_what_actions_remember_of_panes_and_runtimes_that_have_gone_is_bounded(desk: Desk) -> None:
    """No lock is kept of a pane where no action runs, and of runtimes that have ended only a few are remembered. What
    was answered of one that lives is never forgotten."""
    runtime = desk.rig.pipeline.repository.active[(TARGET, desk.pane)]
    await desk.ask(Kind.SEND, SendParams(keys=("Down",)))
    assert len(desk.actions._locks) == 0
    desk.actions._ledger.mark_answered(runtime, 7)
    for number in range(1000):
        desk.actions._ledger.mark_answered(f"rt-{number:016}", 1)
    assert len(desk.actions._ledger._answered) <= 70
    assert desk.actions._ledger._answered[runtime] == 7


@pytest.mark.tc("TC-028")
async def test_outputs_are_kept_for_replays_up_to_a_bound(desk: Desk) -> None:
    many = KEPT_OUTPUTS + 1
    for number in range(many):
        assert (await desk.ask(Kind.VIEW, ViewParams(), f"request-{number}"))["result"]["output"]
    newest = await desk.ask(Kind.VIEW, ViewParams(), f"request-{many - 1}")
    oldest = await desk.ask(Kind.VIEW, ViewParams(), "request-0")
    assert (newest["replayed"], oldest["replayed"]) == (True, True)
    assert "shortcuts" in newest["result"]["output"]
    assert "output" not in oldest["result"]


@pytest.mark.tc("TC-026")
async def test_a_name_that_was_or_is_in_use_is_no_name_for_another_request(desk: Desk) -> None:
    other = SendParams(keys=("Up",))
    first = asyncio.create_task(desk.ask(Kind.SEND, DOWN))
    await asyncio.sleep(0)
    for _ in range(2):  # while it runs, and when it is done
        with pytest.raises(AgtmuxError) as caught:
            await desk.ask(Kind.SEND, other)
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
        await first


@pytest.mark.tc("TC-031")
async def test_the_record_tells_what_failed_from_what_was_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = desk.executor.run

    async def away(*_: Any, **__: Any) -> Any:
        raise ExecutorError("lost", "the wire was cut")

    monkeypatch.setattr(desk.executor, "run", away)
    with pytest.raises(AgtmuxError) as caught:
        await desk.ask(Kind.SEND, DOWN)
    assert caught.value.code == "E_TARGET_UNREACHABLE"
    monkeypatch.setattr(desk.executor, "run", real)
    assert await desk.refused(Kind.SEND, DOWN, name="request-2", if_state=("running",)) == "state"
    codes = desk.rig.rows("SELECT result_code, error_code FROM actions ORDER BY request_ref")
    assert codes == [("failed", "E_TARGET_UNREACHABLE"), ("refused", "E_PRECONDITION_FAILED")]


@pytest.mark.tc("TC-107")
async def test_what_was_done_in_part_is_not_called_refused(desk: Desk, tmux: Tmux) -> None:
    def scrolls() -> None:
        tmux.run("copy-mode", "-t", desk.pane)

    desk.at["mid_act"] = scrolls
    with pytest.raises(AgtmuxError) as caught:
        await desk.ask(Kind.SEND, SendParams(text="hi", keys=("Down",)))
    assert (caught.value.code, caught.value.details["reason"]) == ("E_ACTION_INDETERMINATE", "changed")
    assert caught.value.message.startswith(f"keys were sent to {desk.pane}, then it failed: ")
    codes = desk.rig.rows("SELECT result_code, error_code FROM actions")
    assert codes == [("indeterminate", "E_ACTION_INDETERMINATE")]
