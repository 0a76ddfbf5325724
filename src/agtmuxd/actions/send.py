"""Send text and keys to a pane (``send``), and return a receipt.

Owns the order: type, see the text in the input field, submit, see that it was submitted. Owns the words of the receipt:

- ``typed``: the text is in the input field, or was handed to a shell.
- ``submitted``: the agent began a turn, or its input field emptied.
- ``cleared``: a text that agtmux had typed was removed from the input field.
- ``unconfirmed``: no sign of any of these within the time.

Nothing is ever pressed a second time.
"""

from __future__ import annotations

import re
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.context import STEADY, STEADY_PASTE, ActionContext, Result
from agtmuxd.actions.pane_check import PaneReading
from agtmuxd.actions.stop_keys import submitting
from agtmuxd.core.action.guard import asks_for_text
from agtmuxd.core.action.request import SendParams
from agtmuxd.core.model import Claim, State
from agtmuxd.core.screen.controls import InputField
from agtmuxd.core.screen.field_mode import FieldMode, TextMethod
from agtmuxd.tmux.keys import KEY_BYTES

MAX_TEXT: Final = 256 * 1024
"""Bytes of text that one send may carry."""
SEEN_WITHIN: Final = 3.0
"""Seconds for typed text to appear in the input field. Large texts get more."""
PER_BYTE: Final = 1 / 20_000
MODE_WITHIN: Final = 2.0
"""Seconds for the input field to leave a mode."""
COMMAND_SIGNS: Final = ("!", "#", "/")
"""A text that begins with one is meant as a command. Behind any other beginning these signs are part of a prompt."""
BACKSPACE: Final = b"\x7f"
PASTE_END: Final = "\x1b[201~"

_SPECIAL: Final = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that act as keys when typed: a tab completes, a line feed submits. Pasted, they are text."""
_WORKING: Final = frozenset({Claim.RUNNING, Claim.WAITING_APPROVAL, Claim.WAITING_INPUT})


async def send(context: ActionContext) -> Result:
    """Send the text and keys. Raises what the guard raises after copy mode is left, and what ``Keystrokes`` raises on
    the first write.
    """
    params = context.case.request.params
    if not isinstance(params, SendParams):
        raise TypeError("send takes SendParams")
    if params.clear_own_draft:
        return await _clear(context)
    if params.leave_mode and context.reading.pane.row is not None and context.reading.pane.row.in_mode:
        await _leave_mode(context)
    result: Result = {"delivery": "typed", "entered": False, "queued": False, "bytes": 0, "by": None, "note": None}
    submit = await submitting(context) if params.enter and not params.shell and not _dialog_open(context) else ()
    dialog = _dialog_open(context)
    field = context.case.current.field
    chips = context.controls.chips(context.sample)
    if params.text is not None and not params.shell and not dialog and not await _takes_text(context, result):
        return result
    if params.text is not None:
        data = params.text.encode("utf-8", "replace")
        result["bytes"] = len(data)
        result["by"] = await _write_text(context, params, data, paste=not dialog and _must_paste(context))
        context.failpoint("mid_act")
    if params.keys:
        await context.keystrokes.press(params.keys)
        result["keys"] = list(params.keys)
    if params.shell:
        return await _to_shell(context, params, result)
    seen = True
    if params.text is not None and not dialog and field is not InputField.ABSENT:
        steady = STEADY_PASTE if result["by"] == "paste" else STEADY
        seen = await _shows_text(context, params.text, chips, steady)
        if not seen:
            result["delivery"] = "unconfirmed"
            mode = _other_mode(context.reading)
            what = "does not show in the input field" if mode is None else f"switched the input field to {mode.name}"
            result["note"] = f"the text was typed, but {what}" + (", so it was not submitted" if params.enter else "")
    if params.enter and seen:
        await _submit(context, params, result, submit, blind=dialog or field is InputField.ABSENT)
    return result


async def _clear(context: ActionContext) -> Result:
    """Remove the text in the input field, which the guard found to be agtmux's own: one backspace for each character.

    Each part is written only while the pane is as it was read. Nothing is pressed again if some of the text stays.
    """
    left = count = context.case.own_draft or 0
    while left > 0:
        part = min(left, KEY_BYTES)
        await context.keystrokes.type(BACKSPACE * part)
        left -= part
        context.failpoint("mid_clear")
    gone = await context.until(
        lambda r: r.current.field in (InputField.FREE, InputField.OFFERED), SEEN_WITHIN + count * PER_BYTE, twice=True
    )
    note = None if gone else "the input field still holds a text: look at the pane"
    return {"delivery": "cleared" if gone else "unconfirmed", "characters": count, "note": note}


def _dialog_open(context: ActionContext) -> bool:
    """Return whether the last reading shows a dialog."""
    current, named = context.case.current, context.case.request.guards.if_state
    if State.WAITING_INPUT not in named and asks_for_text(context.case.known, current):
        return False
    return current.claim in (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)


async def _leave_mode(context: ActionContext) -> None:
    await context.keystrokes.leave_mode()
    left = await context.until(lambda r: r.pane.row is not None and not r.pane.row.in_mode, 1.0)
    if not left:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"{context.key[1]} did not leave copy mode: nothing was typed",
            {"reason": "copy_mode"},
        )  # fmt: skip
    await context.check_again()


async def _takes_text(context: ActionContext, result: Result) -> bool:
    """Make the input field take text: leave a mode that does not. Return whether it does."""
    mode = next((mode for mode in context.case.current.modes if mode.enter), None)
    if mode is None:
        return True
    await context.keystrokes.press(mode.enter)
    if await context.until(
        lambda r: r.current.field is not InputField.ABSENT and mode not in r.current.modes, MODE_WITHIN
    ):
        return True
    result["delivery"] = "unconfirmed"
    result["note"] = f"the input field did not leave {mode.name}: the text was not typed"
    return False


def _must_paste(context: ActionContext) -> bool:
    """Return whether letters may be commands in the input field as it is now."""
    return context.controls.pastes or any(mode.text is TextMethod.PASTE for mode in context.reading.current.modes)


async def _write_text(context: ActionContext, params: SendParams, data: bytes, *, paste: bool) -> str:
    """Write the bytes to the pane and return how: keys, paste or buffer. ``paste``: into an input field where keys may
    be commands.
    """
    special = params.text is not None and _SPECIAL.search(params.text) is not None
    paste = params.paste if params.paste is not None else paste or special or len(data) > KEY_BYTES
    if paste and not params.shell and PASTE_END in (params.text or ""):
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            "text: it contains the end mark of a paste, and what follows would act as keys: remove it",
        )
    if not paste and len(data) <= KEY_BYTES:
        await context.keystrokes.type(data)
        return "keys"
    await context.keystrokes.paste(data, bracketed=paste)
    return "paste" if paste else "buffer"


async def _to_shell(context: ActionContext, params: SendParams, result: Result) -> Result:
    if params.enter:
        await context.keystrokes.type(b"\r")
        result["entered"] = True
    return result


def _other_mode(reading: PaneReading) -> FieldMode | None:
    """Return the mode of the input field in which a text would not be a prompt, if it is in one."""
    return next((mode for mode in reading.current.modes if mode.text is TextMethod.NONE), None)


async def _shows_text(context: ActionContext, text: str, chips: int, steady: float) -> bool:
    """Return whether the text appears in the input field as a prompt and stays as it is. Programs take in a paste
    piece by piece. Text can also switch the field to a mode in which it is a command for a shell.
    """
    controls = context.controls

    def seen(reading: PaneReading) -> bool:
        if reading.sample is None or (_other_mode(reading) is not None and not text.startswith(COMMAND_SIGNS)):
            return False
        return controls.holds(reading.sample, text, chips)

    return await context.until(seen, SEEN_WITHIN + len(text) * PER_BYTE, steady=steady)


async def _submit(
    context: ActionContext, params: SendParams, result: Result, keys: tuple[str, ...], *, blind: bool
) -> None:
    """Press the submit key once the text was seen, and wait for a sign that it was submitted. ``keys``: other than the
    usual key.
    """
    before = context.known().state
    at = context.clock()
    held = context.sample.lines
    try:
        if keys:
            await context.keystrokes.press(keys)
        else:
            await context.keystrokes.type(context.controls.submit)
    except AgtmuxError as error:
        if error.code != "E_PRECONDITION_FAILED" or params.text is None:
            raise
        result["delivery"], result["note"] = (
            "unconfirmed",
            "the pane changed before the text was submitted: the text is still in the input field",
        )
        return
    result["entered"] = True
    context.failpoint("after_submit")

    def went(reading: PaneReading) -> bool:
        if context.turn_began(at):
            return True
        fresh = reading.current
        if blind:
            return reading.sample is not None and reading.sample.lines != held
        if fresh.field in (InputField.FREE, InputField.OFFERED) and params.text is not None:
            return True
        return (
            fresh.field is InputField.ABSENT and fresh.alive and fresh.claim in _WORKING and before is not State.RUNNING
        )

    if await context.until(went, params.timeout):
        result["delivery"] = "submitted"
        result["queued"] = before is State.RUNNING
        if result["queued"]:
            result["note"] = "the agent is busy and has queued the text itself"
    else:
        result["delivery"] = "unconfirmed"
        result["note"] = _why_unconfirmed(context, params)


def _why_unconfirmed(context: ActionContext, params: SendParams) -> str:
    """Return what the screen shows at the end if no sign of a submission came."""
    sample, field = context.reading.sample, context.reading.current.field
    pressed = f"the submit key was pressed {params.timeout:g} s ago"
    if sample is not None and params.text is not None and context.controls.holds(sample, params.text, 0):
        return f"{pressed} and the text is still in the input field: another key may submit it, or a list is open"
    if field is InputField.DRAFT:
        return f"{pressed} and a text is still in the input field"
    return f"{pressed}, but no turn began and the input field did not empty"
