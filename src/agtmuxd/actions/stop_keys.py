"""Choose the keys that stop a turn and that submit a text. Users of an agent may have changed them.

Owns the choice: the key that the agent shows, else the key in its settings, else its default. Presses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.context import ActionContext
from agtmuxd.core.action.keys import named
from agtmuxd.core.screen.controls import InputField, KeyOverrides

ASKED_WITHIN: Final = 0.25
"""Seconds. If reading the settings takes longer, the pane has gone unread for too long: it is read and decided on
again.
"""


async def interrupting(context: ActionContext) -> tuple[str, ...]:
    """Return the keys that stop the running turn.

    Raises E_UNSUPPORTED if none is known or none can be pressed. Raises what ``core.action.guard`` raises for a pane
    that changed while the settings were read.
    """
    controls, usual = context.controls, context.controls.interrupt
    if not usual:
        raise AgtmuxError(
            "E_UNSUPPORTED", "agtmux does not know how to interrupt this agent: run agtmux kill to send it C-c"
        )
    shown = controls.shown_key(context.sample)
    chosen: tuple[str, ...] | None = (shown,) if shown else ()
    if shown is None:
        chosen = (await _keys_from_settings(context)).interrupt
    if chosen is None or usual[0] in map(named, chosen):
        return usual
    if controls.always and context.case.current.field is InputField.FREE:
        return controls.always
    return (_pressable(context, chosen, "stops a turn"),) * len(usual)


async def submitting(context: ActionContext) -> tuple[str, ...]:
    """Return the keys that submit the input field. Empty for the usual key. Raises as ``interrupting``."""
    chosen = (await _keys_from_settings(context)).submit
    if chosen is None or "Enter" in map(named, chosen):
        return ()
    return (_pressable(context, chosen, "submits a text"),)


async def _keys_from_settings(context: ActionContext) -> KeyOverrides:
    """Return the keys in the agent's settings. Raises as ``ActionContext.check_again``."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    chosen = await context.reader.key_overrides(context.reached, context.runtime)
    if loop.time() - begun > ASKED_WITHIN:
        await context.check_again()
    return chosen


def _pressable(context: ActionContext, chosen: Sequence[str], what: str) -> str:
    """Return the first of these keys that a terminal can send."""
    key = next((name for name in map(named, chosen) if name is not None), None)
    if key is not None:
        return key
    way = f"agtmux attach {context.key[1]}"
    if chosen:
        text = f"the key that {what} is {' or '.join(chosen)}, which agtmux cannot press: run {way}"
    else:
        text = f"no key {what}, because the agent's settings removed it: run {way}"
    raise AgtmuxError("E_UNSUPPORTED", text, {"reason": "keys"})
