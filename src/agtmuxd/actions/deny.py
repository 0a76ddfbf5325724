"""``deny``: the key, or the option, that refuses what a dialog asks for."""

from __future__ import annotations

from typing import Final

from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.dialog import CLOSED_WITHIN, keys_of, press_and_see, take_option, unknown_keys
from agtmuxd.core.screen.controls import DialogKeys

FOLLOWS_WITHIN: Final = 0.5
"""Seconds for the dialog that a denial leads to."""


async def deny(context: ActionContext) -> Result:
    """Raises E_UNSUPPORTED for a dialog whose key is not known."""
    keys = keys_of(context)
    pressed = keys.denying(context.sample)
    if not keys.deny_at and not pressed:
        raise unknown_keys(context, "deny")
    taken = take_option(context, keys, keys.deny_at) if keys.deny_at else press_and_see(context, pressed or ())
    return await _end_follow_up(context, await taken)


async def _end_follow_up(context: ActionContext, result: Result) -> Result:
    """A denial that led to a dialog of its own (words for the agent, which it does not need) is ended there."""
    if result["delivery"] != "submitted" or not any(keys.finish for keys in context.controls.dialogs.values()):
        return result
    await context.until(lambda r: r.fresh.rule is not None, FOLLOWS_WITHIN)  # what follows may not be drawn yet
    asked = context.reading.fresh.rule
    finish = context.controls.dialogs.get(asked or "", DialogKeys()).finish
    if not finish:
        return result
    await context.keystrokes.press(finish)
    result = {**result, "keys": [*result["keys"], *finish]}
    if await context.until(lambda r: r.fresh.row is not None and r.fresh.rule != asked, CLOSED_WITHIN, twice=True):
        return {**result, "delivery": "submitted", "note": None}
    note = "denied, but such a dialog is still open: it may be the same request or the next one"
    return {**result, "delivery": "unconfirmed", "note": note}
