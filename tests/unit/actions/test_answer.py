"""What answering a dialog makes of what the pane shows meanwhile."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.answer import answer
from agtmuxd.actions.approve import approve
from agtmuxd.actions.context import ActionContext
from agtmuxd.actions.deny import deny
from agtmuxd.actions.interrupt import interrupt
from agtmuxd.core.action.request import (
    AnswerParams,
    Kind,
    NoParams,
    Params,
)
from agtmuxd.core.model import State
from agtmuxd.core.screen.controls import DialogKeys
from tests.unit.actions.scripted import ASKS, DIALOG, FREE, GONE, WAITING, Script, context, soon  # noqa: F401 fixture


def asked(script: Script, kind: Kind, params: Params | None = None) -> ActionContext:
    return context(script, kind, params or NoParams(), ASKS, state=State.WAITING_APPROVAL)


@pytest.mark.tc("TC-107")
async def test_a_dialog_that_one_redraw_left_out_still_stands() -> None:
    script = Script([(FREE, ""), (ASKS, "")])
    result = await approve(asked(script, Kind.APPROVE))
    assert (result["delivery"], len(script.written)) == ("unconfirmed", 1)
    gone = Script([(ASKS, ""), (FREE, "")])
    assert (await approve(asked(gone, Kind.APPROVE)))["delivery"] == "submitted"
    other = Script([(replace(ASKS, waiting=replace(WAITING, fingerprint="cd" * 8)), "")])
    assert (await approve(asked(other, Kind.APPROVE)))["delivery"] == "submitted", "the next one came"


@pytest.mark.tc("TC-107")
async def test_a_pane_that_went_is_no_sign_that_its_dialog_was_answered() -> None:
    result = await approve(asked(Script([(GONE, "")]), Kind.APPROVE))
    assert result["delivery"] == "unconfirmed"


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("act", "kind", "params"),
    [
        (approve, Kind.APPROVE, None),
        (deny, Kind.DENY, None),
        (answer, Kind.ANSWER, AnswerParams(option=1)),
        (answer, Kind.ANSWER, AnswerParams(text="words")),
        (interrupt, Kind.INTERRUPT, None),
    ],
)
async def test_a_key_that_is_not_known_is_never_guessed(act: Any, kind: Kind, params: Params | None) -> None:
    script = Script([(ASKS, "")], dialog=DialogKeys(), interrupt=())
    with pytest.raises(AgtmuxError) as caught:
        await act(asked(script, kind, params))
    assert (caught.value.code, script.written) == ("E_UNSUPPORTED", [])


@pytest.mark.tc("TC-107")
async def test_words_that_two_options_have_choose_neither() -> None:
    script = Script([(FREE, "")])
    message = await answer(asked(script, Kind.ANSWER, AnswerParams(text=" yes ")))
    assert (message["keys"], message["delivery"]) == (["1"], "submitted")
    dialog = replace(DIALOG, write=None)
    script = Script([(FREE, "")], dialog=dialog)
    with pytest.raises(AgtmuxError) as caught:
        await answer(asked(script, Kind.ANSWER, AnswerParams(text="no")))
    assert (caught.value.code, script.written) == ("E_UNSUPPORTED", [])


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("words", ["two\nlines", "back\rwards", "a\tb", "\x1b", "\x03", "a\x7f"])
async def test_a_line_end_or_another_key_is_never_typed_into_a_dialog(words: str) -> None:
    script = Script([(ASKS, words)])
    with pytest.raises(AgtmuxError) as caught:
        await answer(asked(script, Kind.ANSWER, AnswerParams(text=words)))
    assert (caught.value.code, script.written) == ("E_UNSUPPORTED", [])


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("number", [0, 5])
async def test_an_option_that_is_not_there_is_not_pressed(number: int) -> None:
    script = Script([(ASKS, "")])
    with pytest.raises(AgtmuxError, match="1 Yes; 2 No") as caught:
        await answer(asked(script, Kind.ANSWER, AnswerParams(option=number)))
    assert (caught.value.code, script.written) == ("E_INVALID_REQUEST", [])


POINTED = DialogKeys(option=("Enter",), pointer=re.compile(r"> (\d)"))
NEXT = replace(ASKS, waiting=replace(WAITING, subject="Write", fingerprint="cd" * 8))


@pytest.mark.tc("TC-107")
async def test_an_option_is_taken_once_the_pointer_is_on_it_and_never_in_the_next_dialog() -> None:
    script = Script([(ASKS, "> 2"), (FREE, "")], dialog=POINTED)
    some = context(script, Kind.ANSWER, AnswerParams(option=2), ASKS, shown="> 1", state=State.WAITING_APPROVAL)
    result = await answer(some)
    assert (result["delivery"], [text.split()[-1] for text in script.written]) == ("submitted", ["Down", "Enter"])
    script = Script([(NEXT, "> 2")], dialog=POINTED)
    some = context(script, Kind.ANSWER, AnswerParams(option=2), ASKS, shown="> 1", state=State.WAITING_APPROVAL)
    result = await answer(some)
    assert (result["delivery"], [text.split()[-1] for text in script.written]) == ("unconfirmed", ["Down"])
    assert "nothing was answered" in result["note"]


@pytest.mark.tc("TC-107")
async def test_words_that_are_not_seen_in_the_dialog_are_not_submitted() -> None:
    script = Script([(ASKS, "the field is open"), (ASKS, "other words")])
    message = await answer(asked(script, Kind.ANSWER, AnswerParams(text="my words")))
    assert (message["delivery"], len(script.written)) == ("unconfirmed", 2), "the option and the words"
    assert "not submitted" in message["note"]


@pytest.mark.tc("TC-031")
async def test_a_secret_of_the_prompt_is_not_in_the_answer() -> None:
    script = Script([(FREE, "")])
    some = asked(script, Kind.APPROVE)
    secret = replace(WAITING, text="curl -H 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345'")
    some.case = replace(some.case, current=replace(ASKS, waiting=secret))
    result = await approve(some)
    assert "abcdefghijklmnop" not in str(result)
    assert result["prompt"]["fingerprint"] == WAITING.fingerprint
