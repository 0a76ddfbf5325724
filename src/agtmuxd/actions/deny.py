"""Deny what a dialog asks for (``deny``), with the dialog's key or option."""

from __future__ import annotations

from typing import Final

from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.dialog import CLOSED_WITHIN, keys_of, press_and_confirm, take_option, unknown_keys
from agtmuxd.core.screen.controls import DialogKeys

FOLLOWS_WITHIN: Final = 0.5
"""Seconds to wait for a dialog that follows a denial."""


async def deny(context: ActionContext) -> Result:
    """Deny the open dialog. Raises E_UNSUPPORTED for a dialog whose key is not known."""
    keys = keys_of(context)
    pressed = keys.denying(context.sample)
    if not keys.deny_at and not pressed:
        raise unknown_keys(context, "deny")
    taken = take_option(context, keys, keys.deny_at) if keys.deny_at else press_and_confirm(context, pressed or ())
    return await _end_follow_up(context, await taken)


async def _end_follow_up(context: ActionContext, result: Result) -> Result:
    """Close a dialog that a denial led to: it asks for a message to the agent, which is not needed."""
    if result["delivery"] != "submitted" or not any(keys.finish for keys in context.controls.dialogs.values()):
        return result
    await context.until(lambda r: r.current.rule is not None, FOLLOWS_WITHIN)  # the next dialog may not be drawn yet
    asked = context.reading.current.rule
    finish = context.controls.dialogs.get(asked or "", DialogKeys()).finish
    if not finish:
        return result
    await context.keystrokes.press(finish)
    result = {**result, "keys": [*result["keys"], *finish]}
    if await context.until(lambda r: r.current.row is not None and r.current.rule != asked, CLOSED_WITHIN, twice=True):
        return {**result, "delivery": "submitted", "note": None}
    note = "denied, but a similar dialog is still open: it may be the same request or the next one"
    return {**result, "delivery": "unconfirmed", "note": note}
