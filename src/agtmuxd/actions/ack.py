"""``ack``: marks a pane as seen. The one action that touches no pane, but the state that the daemon shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.ingest.pipeline import Pipeline


def acknowledging(pipeline: Pipeline) -> Callable[[ActionContext], Awaitable[Result]]:
    """The action over ``door``, which clears the attention of the pane's agent."""

    async def ack(context: ActionContext) -> Result:
        had = await pipeline.acknowledge(context.key, context.case.known.runtime_id)
        return {"attention_before": had, "attention": "none"}

    return ack
