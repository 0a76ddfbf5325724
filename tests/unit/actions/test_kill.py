"""Signals: which are waited for, and which never go out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions import kill as killing
from agtmuxd.actions.context import ActionContext
from agtmuxd.core.action.request import (
    KillParams,
    Kind,
)
from agtmuxd.targets.executor import ExecutorError, ProgramResult
from tests.unit.actions.scripted import FREE, Script, context, soon, text  # noqa: F401 fixture


def signalled(script: Script, name: str) -> ActionContext:
    return context(script, Kind.KILL, KillParams("signal", name))


@pytest.mark.tc("TC-029")
async def test_a_signal_that_ends_is_waited_for_and_one_that_interrupts_is_not() -> None:
    ending = Script([(FREE, ""), (FREE, ""), (replace(FREE, alive=False), "")])
    result = await killing.kill(signalled(ending, "TERM"))
    assert (result["ended"], result["pids"], ending.written) == (True, [50], ["kill -TERM 50"])
    staying = Script([(FREE, "")])
    assert (await killing.kill(signalled(staying, "INT")))["ended"] is False
    assert staying.seen <= 2, "nobody waits for an end that is not to come"


@pytest.mark.tc("TC-029")
async def test_a_number_whose_process_has_just_ended_gets_no_signal() -> None:
    """It may be somebody else's already."""
    script = Script([(FREE, "")], pids=())
    with pytest.raises(AgtmuxError) as caught:
        await killing.kill(signalled(script, "KILL"))
    assert (caught.value.code, script.written) == ("E_RUNTIME_STALE", [])


@pytest.mark.tc("TC-029")
@pytest.mark.parametrize(("pids", "code"), [((50,), "E_RUNTIME_STALE"), ((50, 51), "E_ACTION_INDETERMINATE")])
async def test_a_process_that_takes_no_signal_is_told_as_what_it_is(pids: tuple[int, ...], code: str) -> None:
    script = Script([(FREE, "")], signal=ProgramResult(1, b"", b"kill: (50) - No such process"))
    with pytest.raises(AgtmuxError, match="No such process") as caught:
        await signalled(script, "TERM").keystrokes.signal("TERM", pids)
    assert caught.value.code == code


@pytest.mark.tc("TC-107")
async def test_a_write_of_which_nobody_can_tell_is_called_so() -> None:
    for reason, code in (("lost", "E_ACTION_INDETERMINATE"), ("timeout", "E_ACTION_INDETERMINATE"),
                         ("refused", "E_TARGET_UNREACHABLE"), ("auth", "E_TARGET_UNREACHABLE")):  # fmt: skip
        some = context(Script([(FREE, "")]), Kind.SEND, text())

        async def fails(*_: object, why: str = reason, **__: object) -> ProgramResult:
            raise ExecutorError(why, "gone")

        cast(Any, some.reached.executor).run = fails
        with pytest.raises(AgtmuxError) as caught:
            await some.keystrokes.type(b"x")
        assert caught.value.code == code, reason
