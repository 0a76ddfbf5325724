"""Map each kind of action to what it does: the runner's table. One module per action."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agtmuxd.actions.ack import make_acknowledge
from agtmuxd.actions.answer import answer
from agtmuxd.actions.approve import approve
from agtmuxd.actions.attach import attach
from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.deny import deny
from agtmuxd.actions.interrupt import interrupt
from agtmuxd.actions.kill import kill
from agtmuxd.actions.send import send
from agtmuxd.actions.view_output import view
from agtmuxd.core.action.request import Kind
from agtmuxd.ingest.pipeline import Pipeline

Act = Callable[[ActionContext], Awaitable[Result]]


def action_functions(pipeline: Pipeline) -> dict[Kind, Act]:
    return {
        Kind.ATTACH: attach,
        Kind.SEND: send,
        Kind.VIEW: view,
        Kind.KILL: kill,
        Kind.APPROVE: approve,
        Kind.DENY: deny,
        Kind.ANSWER: answer,
        Kind.INTERRUPT: interrupt,
        Kind.ACK: make_acknowledge(pipeline),
    }
