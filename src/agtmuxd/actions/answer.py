"""Answer a dialog (``answer``): choose an option by its number or text, or type text into the dialog's own field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.context import STEADY, ActionContext, Result
from agtmuxd.actions.dialog import (
    OPENED_WITHIN,
    keys_of,
    options_text,
    point_at,
    press_and_confirm,
    prompt_of,
    same_prompt,
    take_option,
    unknown_keys,
    waiting_of,
)
from agtmuxd.core.action.request import AnswerParams
from agtmuxd.core.model import WaitingFor
from agtmuxd.core.screen.cells import fold
from agtmuxd.core.screen.controls import DialogKeys

_KEYS: Final = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that a dialog takes as keys: a line end submits, a tab or an escape leaves it."""


async def answer(context: ActionContext) -> Result:
    """Choose an option by its number or text, or type the text if the dialog takes one.

    Raises E_INVALID_REQUEST for an option that does not exist, E_UNSUPPORTED for a dialog whose keys are not known.
    """
    params = context.case.request.params
    if not isinstance(params, AnswerParams):
        raise TypeError("answer takes AnswerParams")
    keys, waiting = keys_of(context), waiting_of(context)
    number = params.option
    if number is None and params.text is not None:
        same = [n for n, option in enumerate(waiting.options, 1) if _words(option) == _words(params.text)]
        number = same[0] if len(same) == 1 else None
    if number is not None:
        if not 1 <= number <= len(waiting.options):
            raise AgtmuxError("E_INVALID_REQUEST", f"there is no option {number}; choose from: {options_text(waiting)}")
        if not keys.option:
            raise unknown_keys(context, "answer")
        if keys.types(waiting.options[number - 1]):
            text = f"option {number} needs a text: run agtmux answer {context.key[1]} 'your text'"
            raise AgtmuxError("E_UNSUPPORTED", text, {"rule": context.case.current.rule})
        return await take_option(context, keys, number)
    return await _answer_with_text(context, keys, waiting, params.text or "")


def _words(text: str) -> str:
    return " ".join(fold(text).split()).casefold()


async def _answer_with_text(context: ActionContext, keys: DialogKeys, waiting: WaitingFor, text: str) -> Result:
    """Type the text into the dialog's field, if it has a known and empty one. Submit it if the field shows only that
    text.
    """
    if keys.write is None or _KEYS.search(text):
        raise unknown_keys(context, "answer with text")
    pattern = keys.write
    number = next((n for n, option in enumerate(waiting.options, 1) if pattern.search(option)), None)
    if number is None and waiting.options:
        raise unknown_keys(context, "answer with text")
    if not await _open_field(context, keys, number, waiting.options):
        note = "the dialog's text field did not open, so nothing was typed"
        return {**prompt_of(waiting), "delivery": "unconfirmed", "note": note}
    await context.keystrokes.type(text.encode("utf-8", "replace"))
    context.failpoint("mid_act")
    shown = await context.until(
        lambda r: r.sample is not None and keys.written(r.sample, number, text), OPENED_WITHIN, steady=STEADY
    )
    if not shown:
        note = "the text was typed, but its field shows something else too, so it was not submitted"
        return {**prompt_of(waiting), "delivery": "unconfirmed", "note": note}
    return await press_and_confirm(context, keys.submit)


async def _open_field(context: ActionContext, keys: DialogKeys, number: int | None, options: Sequence[str]) -> bool:
    """Open the field for a text and return whether it is open and empty.

    If the look of the field is not known, any change of the screen counts as opened. Raises E_PRECONDITION_FAILED if
    the field already holds a text.
    """
    before = context.sample
    free = keys.free(before, number)
    if free is False:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"this dialog already holds a text: run agtmux attach {context.key[1]}",
            {"reason": "draft"},
        )  # fmt: skip
    if number is None:
        return free is True or keys.field is None
    if not await point_at(context, keys, number, options, same_prompt(waiting_of(context), context.case.current.rule)):
        return False
    if free:
        return True
    if opening := keys.opening(number):
        await context.keystrokes.press(opening)
    if keys.field is None:
        await context.until(lambda r: r.sample is not None and r.sample.lines != before.lines, OPENED_WITHIN)
        return True
    return await context.until(lambda r: r.sample is not None and keys.free(r.sample, number) is True, OPENED_WITHIN)
