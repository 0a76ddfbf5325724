"""A message as the API has it."""

from __future__ import annotations

from typing import Any

from tests.unit.daemon_stub import STAMP

MESSAGE: dict[str, Any] = {
    "message_id": "m-1",
    "seq": 12,
    "sender": "agent:anna",
    "sender_agent_id": "a1",
    "kind": "question",
    "priority": "urgent",
    "subject": "port",
    "preview": "which\nport?",
    "body": "which\x1b[31m port?",
    "body_bytes": 11,
    "parent_id": None,
    "thread_id": "m-1",
    "channel": None,
    "refs": [{"path": "a.py", "line": 3, "commit": "1f2e"}],
    "depends_on": [],
    "ready": None,
    "reply_by": STAMP,
    "overdue_at": STAMP,
    "expires_at": STAMP,
    "hop": 0,
    "created_at": STAMP,
    "cancelled_at": None,
    "deliveries": [
        {
            "delivery_id": "d-1",
            "message_id": "m-1",
            "agent_id": "a2",
            "agent": "bert",
            "state": "held",
            "hold_reason": "draft",
            "route": "pane",
            "attempts": 1,
            "error_code": None,
            "updated_at": STAMP,
        },
        {
            "delivery_id": "d-2",
            "message_id": "m-1",
            "agent_id": None,
            "agent": None,
            "state": "read",
            "hold_reason": None,
            "route": "pull",
            "attempts": 0,
            "error_code": None,
            "updated_at": STAMP,
        },
    ],
    "reactions": [{"agent_id": None, "agent": None, "reaction": "+1", "made_at": STAMP}],
}
