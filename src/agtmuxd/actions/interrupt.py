"""Stop a turn (``interrupt``): press its keys one by one and wait for the sign that it stopped.

``stop_keys`` finds the keys.
"""

from __future__ import annotations

import asyncio
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.dialog import CLOSED_WITHIN, OPENED_WITHIN, Sign
from agtmuxd.actions.stop_keys import interrupting
from agtmuxd.core.action.guard import CurrentPane
from agtmuxd.core.model import Claim
from agtmuxd.core.screen.controls import InputField
from agtmuxd.core.screen.field_mode import FieldMode

AGAIN_AFTER: Final = 0.2
"""Seconds between the keys of an agent that needs two keys."""
MOST_MODES: Final = 3
"""Modes of an input field to leave, one after the other, before a key reaches the agent."""
_QUIET: Final = frozenset({Claim.NOT_RUNNING, Claim.IDLE, Claim.COMPLETED, Claim.ERROR})


async def interrupt(context: ActionContext) -> Result:
    """Press Escape, or the key that this agent uses for it.

    Raises as ``stop_keys.interrupting``. Raises E_PRECONDITION_FAILED if the key would change the draft in the input
    field.
    """
    keys = await interrupting(context)
    for one in context.reading.current.modes:
        if keys[0] in one.swallows and one.converts and context.reading.current.field is not InputField.FREE:
            text = f"{keys[0]} would end {one.name} and change the draft: run agtmux attach {context.key[1]}"
            raise AgtmuxError("E_PRECONDITION_FAILED", text, {"reason": "field_mode", "mode": one.name})
    pressed: list[str] = []
    while mode := _swallowing(context.reading.current, keys[0]):
        if len(pressed) == MOST_MODES:
            return {"delivery": "unconfirmed", "keys": pressed, "note": f"the input field did not leave {mode.name}"}
        await context.keystrokes.press(keys[:1])  # this key only ends the mode
        pressed.append(keys[0])
        await asyncio.sleep(mode.pause)
        await context.until(_left(mode), OPENED_WITHIN)
        if context.reading.current.claim in _QUIET:
            return {"delivery": "submitted", "keys": pressed, "note": None}
    stopped = False
    # Press each key by itself: two at once are another key, and the second is not needed once the turn has ended.
    for n, key in enumerate(keys, 1):
        await context.keystrokes.press([key])
        pressed.append(key)
        last = n == len(keys)
        stopped = await context.until(lambda r: r.current.claim in _QUIET, CLOSED_WITHIN if last else AGAIN_AFTER)
        if stopped:
            break
    note = None if stopped else f"the agent did not stop within {CLOSED_WITHIN:g} s"
    return {"delivery": "submitted" if stopped else "unconfirmed", "keys": pressed, "note": note}


def _swallowing(fresh: CurrentPane, key: str) -> FieldMode | None:
    """Return the mode of the input field that this key would end before the agent gets it."""
    return next((mode for mode in fresh.modes if key in mode.swallows), None)


def _left(mode: FieldMode) -> Sign:
    return lambda reading: reading.current.claim in _QUIET or mode not in reading.current.modes
