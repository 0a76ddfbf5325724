"""Which keys stop a turn and submit a text, where the user of an agent may have given them to something else.

Owns the choice: the key that the agent shows, else the one that its settings name, else its own. Presses nothing.
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
"""Seconds. Settings that took longer to read leave the pane unseen for too long: it is read and decided on again."""


async def interrupting(context: ActionContext) -> tuple[str, ...]:
    """The keys that stop the turn that runs. Raises E_UNSUPPORTED where none is known, or none can be pressed, and what
    ``core.action.guard`` says of a pane that changed while the settings were read."""
    controls, usual = context.controls, context.controls.interrupt
    if not usual:
        raise AgtmuxError(
            "E_UNSUPPORTED", "agtmux does not know how to interrupt this agent: run agtmux kill to send it C-c"
        )
    shown = controls.shown_key(context.sample)
    told: tuple[str, ...] | None = (shown,) if shown else ()
    if shown is None:
        told = (await _rebound(context)).interrupt
    if told is None or usual[0] in map(named, told):
        return usual
    if controls.always and context.case.fresh.field is InputField.FREE:
        return controls.always
    return (_pressable(context, told, "stops a turn"),) * len(usual)


async def submitting(context: ActionContext) -> tuple[str, ...]:
    """The keys that submit what stands in the input field; empty for the usual one. Raises as ``interrupting``."""
    told = (await _rebound(context)).submit
    if told is None or "Enter" in map(named, told):
        return ()
    return (_pressable(context, told, "submits a text"),)


async def _rebound(context: ActionContext) -> KeyOverrides:
    """What the settings say. Raises as ``ActionContext.check_again``."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    told = await context.reader.key_overrides(context.reached, context.runtime)
    if loop.time() - begun > ASKED_WITHIN:
        await context.check_again()
    return told


def _pressable(context: ActionContext, told: Sequence[str], what: str) -> str:
    """The first of these keys that a terminal can send."""
    key = next((name for name in map(named, told) if name is not None), None)
    if key is not None:
        return key
    way = f"agtmux attach {context.key[1]}"
    if told:
        text = f"the key that {what} is {' or '.join(told)}, which agtmux cannot press: run {way}"
    else:
        text = f"no key {what}, because the agent's settings removed it: run {way}"
    raise AgtmuxError("E_UNSUPPORTED", text, {"reason": "keys"})
