"""What answering a dialog makes of what the pane shows meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.answer import answer
from agtmuxd.actions.context import ActionContext
from agtmuxd.core.action.request import (
    AnswerParams,
    Kind,
    NoParams,
    Params,
)
from agtmuxd.core.model import State
from tests.unit.actions.scripted import ASKS, DIALOG, FREE, GONE, WAITING, Script, context, soon  # noqa: F401 fixture


def asked(script: Script, kind: Kind, params: Params | None = None) -> ActionContext:
    return context(script, kind, params or NoParams(), ASKS, state=State.WAITING_APPROVAL)


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


@pytest.mark.tc("TC-107")
async def test_words_that_are_not_seen_in_the_dialog_are_not_submitted() -> None:
    script = Script([(ASKS, "the field is open"), (ASKS, "other words")])
    message = await answer(asked(script, Kind.ANSWER, AnswerParams(text="my words")))
    assert (message["delivery"], len(script.written)) == ("unconfirmed", 2), "the option and the words"
    assert "not submitted" in message["note"]
