"""Dialogs: when one counts as answered, and how an option is chosen."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.answer import answer
from agtmuxd.actions.approve import approve
from agtmuxd.actions.deny import deny
from agtmuxd.actions.interrupt import interrupt
from agtmuxd.core.action.request import (
    AnswerParams,
    Kind,
    Params,
)
from agtmuxd.core.model import State
from agtmuxd.core.screen.controls import DialogKeys
from tests.unit.actions.scripted import ASKS, DIALOG, FREE, GONE, WAITING, Script, context, soon  # noqa: F401 fixture
from tests.unit.actions.test_answer import asked


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


@pytest.mark.tc("TC-031")
async def test_a_secret_of_the_prompt_is_not_in_the_answer() -> None:
    script = Script([(FREE, "")])
    some = asked(script, Kind.APPROVE)
    secret = replace(WAITING, text="curl -H 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345'")
    some.case = replace(some.case, current=replace(ASKS, waiting=secret))
    result = await approve(some)
    assert "abcdefghijklmnop" not in str(result)
    assert result["prompt"]["fingerprint"] == WAITING.fingerprint
