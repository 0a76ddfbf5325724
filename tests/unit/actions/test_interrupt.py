"""An interrupt: a mode of the input field may take its key first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.interrupt import MOST_MODES, interrupt
from agtmuxd.core.action.request import Kind, NoParams
from agtmuxd.core.model import Claim, State
from agtmuxd.core.screen.controls import InputField
from tests.unit.actions.scripted import Script, context, soon
from tests.unit.core.action.test_guard import FREE
from tests.unit.core.screen.test_field_mode import INSERT, SHELL

__all__ = ["soon"]

RUNS = replace(FREE, claim=Claim.RUNNING, rule="spinner")


@pytest.mark.tc("TC-171")
async def test_a_key_that_a_mode_swallows_is_pressed_once_more_while_the_turn_goes_on() -> None:
    insert = replace(RUNS, modes=(INSERT,))
    script = Script([(insert, ""), (RUNS, ""), (FREE, "")])
    message = await interrupt(context(script, Kind.INTERRUPT, NoParams(), insert, state=State.RUNNING))
    assert (message["delivery"], message["keys"]) == ("submitted", ["Escape", "Escape"])
    over = Script([(insert, ""), (FREE, "")])
    message = await interrupt(context(over, Kind.INTERRUPT, NoParams(), insert, state=State.RUNNING))
    assert (message["delivery"], message["keys"]) == ("submitted", ["Escape"]), "the turn was over"


@pytest.mark.tc("TC-171")
async def test_a_mode_that_does_not_end_is_told_and_left_alone() -> None:
    insert = replace(RUNS, modes=(INSERT,))
    script = Script([(insert, "")])
    message = await interrupt(context(script, Kind.INTERRUPT, NoParams(), insert, state=State.RUNNING))
    assert (message["delivery"], len(script.written)) == ("unconfirmed", MOST_MODES)
    assert "INSERT" in message["note"]


@pytest.mark.tc("TC-171")
async def test_a_turn_is_not_stopped_by_what_changes_a_draft() -> None:
    shell = replace(RUNS, modes=(SHELL,), field=InputField.DRAFT)
    script = Script([(shell, "")])
    with pytest.raises(AgtmuxError) as caught:
        await interrupt(context(script, Kind.INTERRUPT, NoParams(), shell, state=State.RUNNING))
    assert (caught.value.details["reason"], script.written) == ("field_mode", [])
