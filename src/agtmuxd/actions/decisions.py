"""``approve``, ``deny``, ``answer`` and ``interrupt``: the few keys that an agent's dialogs and turns understand.

Owns their order and the sign that they worked. Which keys they are is the adapter's data, beside the rule that
recognised the dialog.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.redact import redact
from agtmuxd.actions.context import STEADY, Context, Result
from agtmuxd.actions.pane_check import Reading
from agtmuxd.actions.stop_keys import interrupting
from agtmuxd.core.action.guard import Fresh
from agtmuxd.core.action.request import AnswerParams, Kind
from agtmuxd.core.model import Claim, WaitingFor
from agtmuxd.core.screen.cells import folded
from agtmuxd.core.screen.controls import DialogKeys, Field
from agtmuxd.core.screen.field_mode import FieldMode

CLOSED_WITHIN = 5.0
"""Seconds for a dialog to close, or a turn to stop."""
AGAIN_AFTER = 0.2
"""Seconds between the keys of an agent that wants to be told twice."""
FOLLOWS_WITHIN = 0.5
"""Seconds for the dialog that a denial leads to."""
OPENED_WITHIN = 2.0
"""Seconds for the field behind "type something" to open."""
MOST_MODES = 3
"""Modes of an input field that are left, one after the other, before a key reaches the agent."""
Sign = Callable[[Reading], bool]
_QUIET = frozenset({Claim.NOT_RUNNING, Claim.IDLE, Claim.COMPLETED, Claim.ERROR})
_STEP = 0.08
_KEYS: Final = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that a dialog takes for keys: a line end submits, a tab or an escape leaves it."""


def unknown_keys(context: Context, what: str) -> AgtmuxError:
    """E_UNSUPPORTED, with what can be done instead: an option by its number, where numbers are known to work."""
    rule, waiting, pane = context.case.fresh.rule or "no rule", context.case.fresh.waiting, context.key[1]
    way = f"agtmux attach {pane}"
    if _keys(context).option and waiting is not None and waiting.options:
        way = f"agtmux answer {pane} N takes one of its options ({told_options(waiting)})"
    text = f"agtmux knows no key to {what} this dialog ({rule}): {way}"
    return AgtmuxError("E_UNSUPPORTED", text, {"rule": context.case.fresh.rule})


def _words(text: str) -> str:
    return " ".join(folded(text).split()).casefold()


def told_options(waiting: WaitingFor) -> str:
    """The options with their numbers, in one line."""
    return "; ".join(f"{n} {option}" for n, option in enumerate(waiting.options, 1)) or "none are seen"


async def approve(context: Context) -> Result:
    """Raises E_UNSUPPORTED for a dialog whose key is not known."""
    keys = _keys(context)
    if keys.approve_at:
        return await _take(context, keys, keys.approve_at)
    if not keys.approve:
        raise unknown_keys(context, "approve")
    return await _press_and_see(context, keys.approve)


async def deny(context: Context) -> Result:
    """Raises E_UNSUPPORTED for a dialog whose key is not known."""
    keys = _keys(context)
    pressed = keys.denying(context.sample)
    if not keys.deny_at and not pressed:
        raise unknown_keys(context, "deny")
    taken = _take(context, keys, keys.deny_at) if keys.deny_at else _press_and_see(context, pressed or ())
    return await _finished(context, await taken)


async def _finished(context: Context, result: Result) -> Result:
    """A denial that led to a dialog of its own (words for the agent, which it does not need) is ended there."""
    if result["delivery"] != "submitted" or not any(keys.finish for keys in context.controls.dialogs.values()):
        return result
    await context.until(lambda r: r.fresh.rule is not None, FOLLOWS_WITHIN)  # what follows may not be drawn yet
    asked = context.reading.fresh.rule
    finish = context.controls.dialogs.get(asked or "", DialogKeys()).finish
    if not finish:
        return result
    await context.hands.press(finish)
    result = {**result, "keys": [*result["keys"], *finish]}
    if await context.until(lambda r: r.fresh.row is not None and r.fresh.rule != asked, CLOSED_WITHIN, twice=True):
        return {**result, "delivery": "submitted", "note": None}
    note = "denied without words, but such a dialog stands still, of this request or of the next one"
    return {**result, "delivery": "unconfirmed", "note": note}


async def answer(context: Context) -> Result:
    """An option by its number or its words, or a text where the dialog takes one.

    Raises E_INVALID_REQUEST for an option that is not there, E_UNSUPPORTED for a dialog whose keys are not known.
    """
    params = context.case.request.params
    if not isinstance(params, AnswerParams):
        raise TypeError("answer takes AnswerParams")
    keys, waiting = _keys(context), _waiting(context)
    number = params.option
    if number is None and params.text is not None:
        same = [n for n, option in enumerate(waiting.options, 1) if _words(option) == _words(params.text)]
        number = same[0] if len(same) == 1 else None
    if number is not None:
        if not 1 <= number <= len(waiting.options):
            raise AgtmuxError("E_INVALID_REQUEST", f"there is no option {number}: {told_options(waiting)}")
        if not keys.option:
            raise unknown_keys(context, "answer")
        if keys.types(waiting.options[number - 1]):
            text = f"option {number} takes words: agtmux answer {context.key[1]} 'the words'"
            raise AgtmuxError("E_UNSUPPORTED", text, {"rule": context.case.fresh.rule})
        return await _take(context, keys, number)
    return await _write(context, keys, waiting, params.text or "")


async def _take(context: Context, keys: DialogKeys, number: int) -> Result:
    """Option ``number``, with the pointer on it first where keys act there. Raises E_UNSUPPORTED if it is not seen."""
    waiting = _waiting(context)
    if number > len(waiting.options):
        raise unknown_keys(context, f"take option {number} of")
    if keys.points and not await _pointed(context, keys, number, waiting.options, _same_prompt(waiting)):
        note = "the pointer was not seen on that option of this prompt: nothing was answered"
        return {**_told(waiting), "delivery": "unconfirmed", "note": note}
    return await _press_and_see(context, keys.taking(number))


async def _write(context: Context, keys: DialogKeys, waiting: WaitingFor, text: str) -> Result:
    """Into the field of the dialog, where one is known and empty; submitted when that text alone stands in it."""
    if keys.write is None or _KEYS.search(text):
        raise unknown_keys(context, "answer with text")
    pattern = keys.write
    number = next((n for n, option in enumerate(waiting.options, 1) if pattern.search(option)), None)
    if number is None and waiting.options:
        raise unknown_keys(context, "answer with text")
    if not await _opened(context, keys, number, waiting.options):
        note = "the field for a text did not open, so nothing was typed"
        return {**_told(waiting), "delivery": "unconfirmed", "note": note}
    await context.hands.type(text.encode("utf-8", "replace"))
    context.failpoint("mid_act")
    shown = await context.until(
        lambda r: r.sample is not None and keys.written(r.sample, number, text), OPENED_WITHIN, steady=STEADY
    )
    if not shown:
        note = "the text was typed but not seen alone in its field, so it was not submitted"
        return {**_told(waiting), "delivery": "unconfirmed", "note": note}
    return await _press_and_see(context, keys.submit)


def _same_prompt(waiting: WaitingFor, rule: str | None = None) -> Sign:
    """Whether the very prompt still stands: while the pointer moved, another could take its place. ``rule``: where
    another rule speaks, as of an open field, what it says of the prompt is not compared."""

    def same(reading: Reading) -> bool:
        now = reading.fresh.waiting
        if rule is not None and reading.fresh.rule != rule:
            return True
        return now is not None and now.fingerprint == waiting.fingerprint

    return same


async def _pointed(context: Context, keys: DialogKeys, number: int, options: Sequence[str], same: Sign) -> bool:
    """Whether the pointer is on that option, moved there where it was not, of the ``same`` prompt. Raises E_UNSUPPORTED
    if it is not seen."""
    moves = keys.moves(context.sample, number, options)
    if moves is None:
        raise unknown_keys(context, "answer")
    if not moves:
        return True
    await context.hands.press(moves)
    return await context.until(
        lambda r: r.sample is not None and same(r) and keys.moves(r.sample, number, options) == (), OPENED_WITHIN
    )


async def _opened(context: Context, keys: DialogKeys, number: int | None, options: Sequence[str]) -> bool:
    """Whether the field for a text is open and empty. Raises E_PRECONDITION_FAILED for one that holds a text already.

    Where the look of the field is not known, a change of the screen must do.
    """
    before = context.sample
    free = keys.free(before, number)
    if free is False:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"a text is typed in this dialog already: agtmux attach {context.key[1]}",
            {"reason": "draft"},
        )  # fmt: skip
    if number is None:
        return free is True or keys.field is None
    if not await _pointed(context, keys, number, options, _same_prompt(_waiting(context), context.case.fresh.rule)):
        return False
    if free:
        return True
    if opening := keys.opening(number):
        await context.hands.press(opening)
    if keys.field is None:
        await context.until(lambda r: r.sample is not None and r.sample.lines != before.lines, OPENED_WITHIN)
        return True
    return await context.until(lambda r: r.sample is not None and keys.free(r.sample, number) is True, OPENED_WITHIN)


async def interrupt(context: Context) -> Result:
    """Escape, or what this agent takes for it. Raises as ``stopkeys.interrupting``, and E_PRECONDITION_FAILED where the
    key would change what is typed in the input field."""
    keys = await interrupting(context)
    for one in context.reading.fresh.modes:
        if keys[0] in one.swallows and one.converts and context.reading.fresh.field is not Field.FREE:
            text = f"{keys[0]} would end {one.name} and change what is typed there: agtmux attach {context.key[1]}"
            raise AgtmuxError("E_PRECONDITION_FAILED", text, {"reason": "field_mode", "mode": one.name})
    pressed: list[str] = []
    while mode := _swallowing(context.reading.fresh, keys[0]):
        if len(pressed) == MOST_MODES:
            return {"delivery": "unconfirmed", "keys": pressed, "note": f"the input field did not leave {mode.name}"}
        await context.hands.press(keys[:1])  # only ends that mode
        pressed.append(keys[0])
        await asyncio.sleep(mode.pause)
        await context.until(_left(mode), OPENED_WITHIN)
        if context.reading.fresh.claim in _QUIET:
            return {"delivery": "submitted", "keys": pressed, "note": None}
    stopped = False
    # each by itself: two at once are another key, and the second is not for a turn that is over
    for n, key in enumerate(keys, 1):
        await context.hands.press([key])
        pressed.append(key)
        last = n == len(keys)
        stopped = await context.until(lambda r: r.fresh.claim in _QUIET, CLOSED_WITHIN if last else AGAIN_AFTER)
        if stopped:
            break
    note = None if stopped else f"no sign within {CLOSED_WITHIN:g} s that it stopped"
    return {"delivery": "submitted" if stopped else "unconfirmed", "keys": pressed, "note": note}


def _swallowing(fresh: Fresh, key: str) -> FieldMode | None:
    """The mode of the input field that this key would end, before the agent gets it."""
    return next((mode for mode in fresh.modes if key in mode.swallows), None)


def _left(mode: FieldMode) -> Sign:
    return lambda reading: reading.fresh.claim in _QUIET or mode not in reading.fresh.modes


def _keys(context: Context) -> DialogKeys:
    return context.controls.dialogs.get(context.case.fresh.rule or "") or DialogKeys()


def _waiting(context: Context) -> WaitingFor:
    waiting = context.case.fresh.waiting
    if waiting is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", "no dialog is open", {"reason": "no_prompt"})
    return waiting


def _told(waiting: WaitingFor) -> dict[str, Any]:
    """What was answered, for the answer and the audit, without secrets."""
    told = {"kind": waiting.kind, "subject": waiting.subject, "text": waiting.text, "options": list(waiting.options)}
    return {"prompt": {**redact(told), "fingerprint": waiting.fingerprint}}


async def _press_and_see(context: Context, keys: tuple[str, ...]) -> Result:
    """The keys one by one, as a person presses them, and whether the dialog went."""
    waiting = _waiting(context)
    asked = waiting.fingerprint
    for n, key in enumerate(keys):
        if n:
            await asyncio.sleep(_STEP)
        await context.hands.press([key])

    def went(reading: Reading) -> bool:
        now = reading.fresh.waiting
        return reading.fresh.row is not None and (now is None or now.fingerprint != asked)

    closed = await context.until(went, CLOSED_WITHIN, twice=True)  # a redraw may leave it out once
    result = {**_told(waiting), "keys": list(keys)}
    if closed:
        return {**result, "delivery": "submitted", "note": None}
    return {**result, "delivery": "unconfirmed", "note": f"the dialog still stands after {CLOSED_WITHIN:g} s"}


ACTS = {Kind.APPROVE: approve, Kind.DENY: deny, Kind.ANSWER: answer, Kind.INTERRUPT: interrupt}
