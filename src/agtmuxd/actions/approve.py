"""Approve what a dialog asks for (``approve``), with the dialog's key or option."""

from __future__ import annotations

from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.dialog import keys_of, press_and_confirm, take_option, unknown_keys


async def approve(context: ActionContext) -> Result:
    """Approve the open dialog. Raises E_UNSUPPORTED for a dialog whose key is not known."""
    keys = keys_of(context)
    if keys.approve_at:
        return await take_option(context, keys, keys.approve_at)
    if not keys.approve:
        raise unknown_keys(context, "approve")
    return await press_and_confirm(context, keys.approve)
