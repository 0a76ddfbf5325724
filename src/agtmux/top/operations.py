"""What a person can do in the dashboard, as ids. A test compares them with those of the other surfaces.

Each operation names the method of ``agtmux.client.Client`` that it goes through, and for an action its kind.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """``key``: the id of its key (``agtmux.top.keys``); None for what needs no key."""

    id: str
    method: str
    key: str | None
    kind: str | None = None


OPERATIONS: tuple[Operation, ...] = (
    Operation("watch", "watch", None),
    Operation("targets", "targets", None),
    Operation("explain", "explain", "explain"),
    Operation("message", "message", "output"),
    Operation("view-output", "act", "output", "view-output"),
    Operation("attach", "act", "go", "attach"),
    Operation("approve", "act", "approve", "approve"),
    Operation("deny", "act", "deny", "deny"),
    Operation("answer", "act", "answer", "answer"),
    Operation("prompt", "act", "prompt", "send"),
    Operation("interrupt", "act", "interrupt", "interrupt"),
    Operation("kill", "act", "kill", "kill"),
    Operation("ack", "act", "seen", "ack"),
    Operation("look", "look", None),
    Operation("inbox", "mailbox", "coord"),
    Operation("show-message", "show_message", "coord"),
    Operation("change-message", "change_message", "coord"),
    Operation("send-message", "send_message", "compose"),
    Operation("queue-prompt", "queue_add", "queue"),
    Operation("leases", "leases", "coord"),
    Operation("worktrees", "worktrees", "coord"),
    Operation("deliveries", "deliveries", "coord"),
    Operation("change-delivery", "change_delivery", "coord"),
    Operation("mute", "mute", "mute"),
    Operation("unmute", "unmute", "mute"),
)
BY_ID = {operation.id: operation for operation in OPERATIONS}
