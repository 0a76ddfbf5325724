"""Mark a pane as seen (``ack``). This action changes only the state that the daemon shows, not the pane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.ingest.pipeline import Pipeline


def make_acknowledge(pipeline: Pipeline) -> Callable[[ActionContext], Awaitable[Result]]:
    """Return the action. It clears the attention of the pane's agent through ``pipeline``."""

    async def ack(context: ActionContext) -> Result:
        had = await pipeline.acknowledge(context.key, context.case.known.runtime_id)
        return {"attention_before": had, "attention": "none"}

    return ack
