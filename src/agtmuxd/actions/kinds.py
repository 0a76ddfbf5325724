"""What each kind of action does: the table that the path looks into."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agtmuxd.actions import decisions
from agtmuxd.actions.attach import attach
from agtmuxd.actions.context import Context, Result
from agtmuxd.actions.kill import kill
from agtmuxd.actions.send import send
from agtmuxd.actions.view_output import view
from agtmuxd.core.action.request import Kind
from agtmuxd.ingest.pipeline import Door

Act = Callable[[Context], Awaitable[Result]]


def acts(door: Door) -> dict[Kind, Act]:
    """All of them. ``ack`` is the one that touches no pane, but the state that the daemon shows."""

    async def ack(context: Context) -> Result:
        had = await door.acknowledge(context.key, context.case.known.runtime_id)
        return {"attention_before": had, "attention": "none"}

    return {Kind.ATTACH: attach, Kind.SEND: send, Kind.VIEW: view, Kind.KILL: kill, Kind.ACK: ack, **decisions.ACTS}
