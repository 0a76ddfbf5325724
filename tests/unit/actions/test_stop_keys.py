"""Keys that stop a turn or submit a text: those that the user chose, or none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions import send as sending
from agtmuxd.actions import stop_keys
from agtmuxd.actions.interrupt import interrupt
from agtmuxd.core.action.request import Kind, NoParams
from agtmuxd.core.model import Claim, State
from agtmuxd.core.screen.controls import InputField, KeyOverrides
from tests.unit.actions.scripted import ASKS, DRAFT, FakeControls, Script, context, soon, text
from tests.unit.core.action.test_guard import FREE

__all__ = ["soon"]

RUNS = replace(FREE, claim=Claim.RUNNING, rule="spinner")


async def stopped(keys: KeyOverrides, usual: tuple[str, ...] = ("Escape",)) -> list[str]:
    script = Script([(RUNS, ""), (FREE, "")], keys=keys, interrupt=usual)
    message = await interrupt(context(script, Kind.INTERRUPT, NoParams(), RUNS, state=State.RUNNING))
    assert message["delivery"] == "submitted"
    return list(message["keys"])


@pytest.mark.tc("TC-174")
async def test_a_turn_is_stopped_by_the_key_that_its_user_chose() -> None:
    assert await stopped(KeyOverrides()) == ["Escape"]
    assert await stopped(KeyOverrides(("f12",))) == ["F12"]
    assert await stopped(KeyOverrides(("f12", "esc"))) == ["Escape"]
    assert await stopped(KeyOverrides(("ctrl+enter", "ctrl+x"))) == ["C-x"]


@pytest.mark.tc("TC-174")
@pytest.mark.parametrize("keys", [(), ("cmd+k",), ("ctrl+x ctrl+k",)])
async def test_a_turn_that_no_key_stops_is_left_alone(keys: tuple[str, ...]) -> None:
    script = Script([(RUNS, "")], keys=KeyOverrides(keys))
    with pytest.raises(AgtmuxError) as caught:
        await interrupt(context(script, Kind.INTERRUPT, NoParams(), RUNS, state=State.RUNNING))
    assert (caught.value.code, caught.value.details["reason"], script.written) == ("E_UNSUPPORTED", "keys", [])


@pytest.mark.tc("TC-174")
async def test_a_text_is_submitted_by_the_key_that_its_user_chose_or_not_typed() -> None:
    script = Script([(DRAFT, "hi"), (DRAFT, "hi"), (DRAFT, "hi"), (FREE, "")], keys=KeyOverrides(submit=("ctrl+s",)))
    answer = await sending.send(context(script, Kind.SEND, text()))
    assert (answer["delivery"], script.written[-1].endswith(" C-s")) == ("submitted", True)
    none = Script([(DRAFT, "hi")], keys=KeyOverrides(submit=("cmd+enter",)))
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(none, Kind.SEND, text()))
    assert (caught.value.details["reason"], none.written) == ("keys", [])


@pytest.mark.tc("TC-174")
async def test_a_key_that_always_works_is_pressed_where_it_clears_no_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claude Code's C-c stops a turn whatever key its user chose, but first clears what is typed."""
    monkeypatch.setattr(FakeControls, "always", ("C-c",))
    assert await stopped(KeyOverrides()) == ["Escape"]
    assert await stopped(KeyOverrides(("ctrl+x",))) == ["C-c"]
    script = Script([(RUNS, ""), (FREE, "")], keys=KeyOverrides(("ctrl+x",)))
    typed = replace(RUNS, field=InputField.DRAFT)
    message = await interrupt(context(script, Kind.INTERRUPT, NoParams(), typed, state=State.RUNNING))
    assert message["keys"] == ["C-x"]


@pytest.mark.tc("TC-174")
async def test_a_dialog_that_opened_while_settings_were_read_gets_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_keys, "ASKED_WITHIN", -1.0)
    script = Script([(ASKS, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, text()))
    assert (caught.value.details["reason"], script.written) == ("dialog_open", [])


@pytest.mark.tc("TC-174")
async def test_a_turn_that_ended_while_settings_were_read_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_keys, "ASKED_WITHIN", -1.0)
    script = Script([(FREE, "")])
    with pytest.raises(AgtmuxError) as caught:
        await interrupt(context(script, Kind.INTERRUPT, NoParams(), RUNS, state=State.RUNNING))
    assert (caught.value.details["reason"], script.written) == ("not_running", [])
