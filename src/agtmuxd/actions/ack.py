"""``ack``: marks a pane as seen. The one action that touches no pane, but the state that the daemon shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agtmuxd.actions.context import Context, Result
from agtmuxd.ingest.pipeline import Door


def acknowledging(door: Door) -> Callable[[Context], Awaitable[Result]]:
    """The action over ``door``, which clears the attention of the pane's agent."""

    async def ack(context: Context) -> Result:
        had = await door.acknowledge(context.key, context.case.known.runtime_id)
        return {"attention_before": had, "attention": "none"}

    return ack
