"""What sending a text makes of what the pane shows meanwhile."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions import send as sending
from agtmuxd.actions.keystrokes import Keystrokes
from agtmuxd.core.action.guard import CurrentPane
from agtmuxd.core.action.request import (
    Guards,
    Kind,
    SendParams,
)
from agtmuxd.core.model import State
from agtmuxd.core.screen.field_mode import FieldMode, TextMethod
from agtmuxd.core.screen.regions import Place
from agtmuxd.core.state.registers import TURN_START
from tests.unit.actions.scripted import ASKS, BUSY, COPYING, DRAFT, FREE, NOW, RUNTIME, Script, context, soon, text  # noqa: F401 fixture


@pytest.mark.tc("TC-107")
async def test_what_opened_behind_copy_mode_is_decided_on_before_anything_is_typed() -> None:
    script = Script([(FREE, ""), (ASKS, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, text(leave_mode=True), COPYING))
    assert caught.value.details["reason"] == "dialog_open"
    assert len(script.written) == 1, "only the leaving"


@pytest.mark.tc("TC-107")
async def test_a_mode_that_does_not_go_away_gets_no_text() -> None:
    script = Script([(COPYING, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, text(leave_mode=True), COPYING))
    assert (caught.value.code, caught.value.details["reason"]) == ("E_PRECONDITION_FAILED", "copy_mode")
    assert len(script.written) == 1, "only the leaving"


@pytest.mark.tc("TC-107")
async def test_text_that_showed_for_one_look_only_is_not_submitted() -> None:
    script = Script([(DRAFT, "hi"), (DRAFT, "something else")])
    answer = await sending.send(context(script, Kind.SEND, text()))
    assert (answer["delivery"], answer["entered"]) == ("unconfirmed", False)
    assert len(script.written) == 1


@pytest.mark.tc("TC-106")
@pytest.mark.parametrize(
    ("words", "by", "first"),
    [("plain", "keys", "send-keys"), ("two\nlines", "paste", "load-buffer"), ("a\tb", "paste", "load-buffer"),
     ("bell\x07", "paste", "load-buffer"), ("x" * 5000, "paste", "load-buffer")],
)  # fmt: skip
async def test_a_text_is_typed_where_that_is_the_same_and_pasted_else(words: str, by: str, first: str) -> None:
    script = Script([(DRAFT, words)])
    answer = await sending.send(context(script, Kind.SEND, SendParams(text=words)))
    assert (answer["by"], answer["delivery"], answer["bytes"]) == (by, "typed", len(words))
    assert script.written[0].startswith(first)


@pytest.mark.tc("TC-106")
async def test_a_text_that_would_end_its_own_paste_is_not_begun() -> None:
    script = Script([(DRAFT, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, SendParams(text=f"a\n{sending.PASTE_END}rm -rf ~")))
    assert (caught.value.code, script.written) == ("E_INVALID_REQUEST", [])


@pytest.mark.tc("TC-107")
async def test_a_paste_that_the_pane_does_not_take_any_more_leaves_no_buffer() -> None:
    script = Script([(DRAFT, "")], changed_at="paste-buffer")
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, SendParams(text="two\nlines")))
    assert (caught.value.details["reason"], script.written) == ("changed", ["load-buffer", "delete-buffer"])


@pytest.mark.tc("TC-107")
async def test_a_chip_that_was_there_before_is_not_the_text_that_was_pasted() -> None:
    over = SendParams(text="two\nlines", enter=True, over_draft=True, timeout=0.3)
    old = Script([(DRAFT, "[pasted]")])
    assert (await sending.send(context(old, Kind.SEND, over, DRAFT, shown="[pasted]")))["entered"] is False
    new = Script([(DRAFT, "[pasted][pasted]")])
    assert (await sending.send(context(new, Kind.SEND, over, DRAFT, shown="[pasted]")))["entered"] is True


@pytest.mark.tc("TC-107")
async def test_a_pane_that_changed_between_text_and_submit_keeps_the_text_and_is_told() -> None:
    script = Script([(DRAFT, "hi")], changed_at="0d")
    answer = await sending.send(context(script, Kind.SEND, text()))
    assert (answer["delivery"], answer["entered"]) == ("unconfirmed", False)
    assert "the text is still in the input field" in answer["note"]
    bare = Script([(FREE, "")], changed_at="0d")
    with pytest.raises(AgtmuxError) as caught:  # an Enter by itself: nothing was done at all
        await sending.send(context(bare, Kind.SEND, text(None)))
    assert (caught.value.code, bare.written) == ("E_PRECONDITION_FAILED", [])


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("params", "after", "state", "began", "delivery"),
    [
        (text(), FREE, State.IDLE, 0, "submitted"),  # the field emptied
        (text(), FREE, State.RUNNING, 0, "submitted"),
        (text(None), FREE, State.IDLE, 0, "unconfirmed"),  # it was empty all the time
        (text(), DRAFT, State.IDLE, 0, "unconfirmed"),
        (text(), DRAFT, State.IDLE, NOW, "unconfirmed"),  # that turn had begun before
        (text(), DRAFT, State.IDLE, NOW + 1, "submitted"),  # the agent says that a turn began
        (text(), BUSY, State.IDLE, 0, "submitted"),  # the field is not shown while a turn runs
        (text(), BUSY, State.RUNNING, 0, "unconfirmed"),  # it ran before, too
        (text(), replace(BUSY, alive=False), State.IDLE, 0, "unconfirmed"),
        (text(), replace(BUSY, claim=None), State.IDLE, 0, "unconfirmed"),
    ],
)
async def test_what_counts_as_a_sign_that_a_text_was_submitted(
    params: SendParams, after: CurrentPane, state: State, began: int, delivery: str
) -> None:
    script = Script([*[(DRAFT, "hi")] * 8, (after, "")] if params.text else [(after, "")])
    some = context(script, Kind.SEND, params, state=state)
    real = some.keystrokes.__class__.type

    async def typed(keystrokes: Keystrokes, data: bytes) -> None:
        await real(keystrokes, data)
        if data == b"\r":  # what is looked at from now on comes after it
            script.seen = len(script.looks) - 1
            some.repository.marks[RUNTIME.runtime_id] = {TURN_START: began}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keystrokes, "type", typed)
        answer = await sending.send(some)
    assert (answer["delivery"], answer["entered"]) == (delivery, True), answer
    assert answer["queued"] is (delivery == "submitted" and state is State.RUNNING)


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(("shown", "delivery"), [("as it was", "unconfirmed"), ("another screen", "submitted")])
async def test_enter_into_a_dialog_that_was_named_worked_when_the_screen_is_another(shown: str, delivery: str) -> None:
    """It has no input field to look at."""
    guards = Guards(if_state=("waiting_approval",))
    script = Script([(ASKS, shown)])
    some = context(
        script, Kind.SEND, text(None), ASKS, shown="as it was", state=State.WAITING_APPROVAL, guards=guards
    )  # fmt: skip
    assert ((await sending.send(some))["delivery"], len(script.written)) == (delivery, 1)


@pytest.mark.tc("TC-170")
async def test_a_text_that_switched_the_field_to_a_shell_is_not_submitted() -> None:
    """Its end may stand there, and Enter would run it. Only a text that begins with the sign is meant so."""
    shell = FieldMode("shell mode", Place("composer"), re.compile("!"), TextMethod.NONE)
    tail = "now run a command that is long enough"
    script = Script([(replace(DRAFT, modes=(shell,)), f"hello! {tail}")])
    answer = await sending.send(context(script, Kind.SEND, text(f"hello! {tail}")))
    assert (answer["delivery"], answer["entered"]) == ("unconfirmed", False)
    assert "shell mode" in answer["note"]
    assert len(script.written) == 1
    meant = Script([(replace(DRAFT, modes=(shell,)), "!ls")])
    assert (await sending.send(context(meant, Kind.SEND, text("!ls"))))["entered"] is True


@pytest.mark.tc("TC-563")
@pytest.mark.parametrize(("after", "delivery"), [(FREE, "cleared"), (DRAFT, "unconfirmed")])
async def test_a_text_is_removed_by_one_backspace_for_each_of_its_characters(after: CurrentPane, delivery: str) -> None:
    """What stays in the field is told, and no key is pressed for it again."""
    script = Script([(after, "")])
    some = context(script, Kind.SEND, SendParams(clear_own_draft=True), DRAFT, shown="hi there")
    some.case = replace(some.case, own_draft=2000)
    answer = await sending.send(some)
    assert (answer["delivery"], answer["characters"]) == (delivery, 2000)
    assert sum(command.split().count("7f") for command in script.written) == 2000
    assert len(script.written) == 2, "more than one command can carry goes in two"
