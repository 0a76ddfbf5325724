"""What each kind of action does: the table that the path looks into."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agtmuxd.core.request import Kind
from agtmuxd.execute import answer
from agtmuxd.execute.attach import attach
from agtmuxd.execute.context import Context, Result
from agtmuxd.execute.kill import kill
from agtmuxd.execute.send import send
from agtmuxd.execute.view import view
from agtmuxd.ingest.door import Door

Act = Callable[[Context], Awaitable[Result]]


def acts(door: Door) -> dict[Kind, Act]:
    """All of them. ``ack`` is the one that touches no pane, but the state that the daemon shows."""

    async def ack(context: Context) -> Result:
        had = await door.acknowledge(context.key, context.case.known.runtime_id)
        return {"attention_before": had, "attention": "none"}

    return {Kind.ATTACH: attach, Kind.SEND: send, Kind.VIEW: view, Kind.KILL: kill, Kind.ACK: ack, **answer.ACTS}
