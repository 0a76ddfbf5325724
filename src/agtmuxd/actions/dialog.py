"""Operate an agent's dialog: its options, the pointer, the keys, and the sign that it closed.

Owns what ``approve``, ``deny`` and ``answer`` share. The adapter defines which keys a dialog takes, next to the rule
that recognises the dialog.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.redact import redact
from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.pane_check import PaneReading
from agtmuxd.core.model import WaitingFor
from agtmuxd.core.screen.controls import DialogKeys

CLOSED_WITHIN: Final = 5.0
"""Seconds for a dialog to close, or a turn to stop."""
OPENED_WITHIN: Final = 2.0
"""Seconds for a pointer to move, and for the field behind "type something" to open."""
_STEP: Final = 0.08
"""Seconds between two keys."""

Sign = Callable[[PaneReading], bool]


def keys_of(context: ActionContext) -> DialogKeys:
    return context.controls.dialogs.get(context.case.current.rule or "") or DialogKeys()


def waiting_of(context: ActionContext) -> WaitingFor:
    waiting = context.case.current.waiting
    if waiting is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", "no dialog is open", {"reason": "no_prompt"})
    return waiting


def unknown_keys(context: ActionContext, what: str) -> AgtmuxError:
    """Return E_UNSUPPORTED with what to do instead: choose an option by its number, if numbers are known to work."""
    rule, waiting, pane = context.case.current.rule or "no rule", context.case.current.waiting, context.key[1]
    way = f"agtmux attach {pane}"
    if keys_of(context).option and waiting is not None and waiting.options:
        way = f"agtmux answer {pane} N to choose an option ({options_text(waiting)})"
    text = f"agtmux knows no key to {what} this dialog ({rule}): run {way}"
    return AgtmuxError("E_UNSUPPORTED", text, {"rule": context.case.current.rule})


def options_text(waiting: WaitingFor) -> str:
    """Return the options with their numbers, on one line."""
    return "; ".join(f"{n} {option}" for n, option in enumerate(waiting.options, 1)) or "no options are shown"


def prompt_of(waiting: WaitingFor) -> dict[str, Any]:
    """Return the prompt that was answered, for the answer and the audit, without secrets."""
    prompt = {"kind": waiting.kind, "subject": waiting.subject, "text": waiting.text, "options": list(waiting.options)}
    return {"prompt": {**redact(prompt), "fingerprint": waiting.fingerprint}}


async def take_option(context: ActionContext, keys: DialogKeys, number: int) -> Result:
    """Choose option ``number``. Move the pointer to it first if keys act there. Raises E_UNSUPPORTED if it is not
    visible.
    """
    waiting = waiting_of(context)
    if number > len(waiting.options):
        raise unknown_keys(context, f"take option {number} of")
    if keys.points and not await point_at(context, keys, number, waiting.options, same_prompt(waiting)):
        note = "that option could not be selected in the dialog: nothing was answered; look again"
        return {**prompt_of(waiting), "delivery": "unconfirmed", "note": note}
    return await press_and_confirm(context, keys.taking(number))


async def point_at(context: ActionContext, keys: DialogKeys, number: int, options: Sequence[str], same: Sign) -> bool:
    """Move the pointer to that option of the ``same`` prompt if needed, and return whether it is there. Raises
    E_UNSUPPORTED if it is not visible.
    """
    moves = keys.moves(context.sample, number, options)
    if moves is None:
        raise unknown_keys(context, "answer")
    if not moves:
        return True
    await context.keystrokes.press(moves)
    return await context.until(
        lambda r: r.sample is not None and same(r) and keys.moves(r.sample, number, options) == (), OPENED_WITHIN
    )


def same_prompt(waiting: WaitingFor, rule: str | None = None) -> Sign:
    """Return a sign that the same prompt is still open: while the pointer moved, another one could take its place.

    ``rule``: the rule that recognised the prompt. If another rule matches now, such as that of an open field, the
    prompts are not compared.
    """

    def same(reading: PaneReading) -> bool:
        now = reading.current.waiting
        if rule is not None and reading.current.rule != rule:
            return True
        return now is not None and now.fingerprint == waiting.fingerprint

    return same


async def press_and_confirm(context: ActionContext, keys: tuple[str, ...]) -> Result:
    """Press the keys one by one, as a person does, and return whether the dialog closed."""
    waiting = waiting_of(context)
    asked = waiting.fingerprint
    for n, key in enumerate(keys):
        if n:
            await asyncio.sleep(_STEP)
        await context.keystrokes.press([key])

    def went(reading: PaneReading) -> bool:
        now = reading.current.waiting
        return reading.current.row is not None and (now is None or now.fingerprint != asked)

    closed = await context.until(went, CLOSED_WITHIN, twice=True)  # a redraw may leave it out once
    result = {**prompt_of(waiting), "keys": list(keys)}
    if closed:
        return {**result, "delivery": "submitted", "note": None}
    return {**result, "delivery": "unconfirmed", "note": f"the dialog is still open after {CLOSED_WITHIN:g} s"}
