"""List the error codes: one row per code with its HTTP status and the CLI's exit status.

Owns the codes. Knows neither HTTP servers nor click. docs/reference/api.md holds the same table, and a test compares
them.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class CodeRow(NamedTuple):
        """What a code means outside. ``http``: None if the daemon never sends it. ``exit``: exit status. ``retryable``:
        a bool.
        """

        http: int | None
        exit: int
        retryable: bool

else:
    from collections import namedtuple

    CodeRow = namedtuple("CodeRow", "http exit retryable")  # typing.NamedTuple costs 5 ms of import

CODES: dict[str, CodeRow] = {
    "E_INVALID_REQUEST": CodeRow(400, 2, False),
    "E_REF_INVALID": CodeRow(400, 2, False),
    "E_REF_INVALID_ENCODING": CodeRow(400, 2, False),
    "E_CURSOR_INVALID": CodeRow(400, 2, False),
    "E_UNAUTHORIZED": CodeRow(401, 3, False),
    "E_FORBIDDEN": CodeRow(403, 3, False),
    "E_DAEMON_UNREACHABLE": CodeRow(None, 3, True),
    "E_REF_NOT_FOUND": CodeRow(404, 4, False),
    "E_TARGET_NOT_FOUND": CodeRow(404, 4, False),
    "E_ACTION_NOT_FOUND": CodeRow(404, 4, False),
    "E_AGENT_NOT_FOUND": CodeRow(404, 4, False),
    "E_NOT_FOUND": CodeRow(404, 4, False),
    "E_REF_AMBIGUOUS": CodeRow(409, 4, False),
    "E_AGENT_AMBIGUOUS": CodeRow(409, 4, False),
    "E_TARGET_EXISTS": CodeRow(409, 4, False),
    "E_RUNTIME_STALE": CodeRow(409, 5, False),
    "E_IDEMPOTENCY_CONFLICT": CodeRow(409, 5, False),
    "E_PRECONDITION_FAILED": CodeRow(412, 5, False),
    "E_SNAPSHOT_EXPIRED": CodeRow(412, 5, False),
    "E_CURSOR_EXPIRED": CodeRow(410, 5, False),
    "E_PAYLOAD_TOO_LARGE": CodeRow(413, 2, False),
    "E_POLICY_DENIED": CodeRow(403, 3, False),
    "E_QUEUE_FULL": CodeRow(429, 6, True),
    "E_LEASE_CONFLICT": CodeRow(409, 5, True),
    "E_LEASE_FENCED": CodeRow(409, 5, False),
    "E_WORKTREE_DIRTY": CodeRow(409, 5, False),
    "E_NOT_DELIVERABLE": CodeRow(409, 5, True),
    "E_RATE_LIMITED": CodeRow(429, 6, True),
    "E_PID_UNAVAILABLE": CodeRow(422, 5, False),
    "E_UNSUPPORTED": CodeRow(422, 5, False),
    "E_TMUX_UNSUPPORTED": CodeRow(422, 5, False),
    "E_ACTION_INDETERMINATE": CodeRow(500, 5, False),
    "E_TARGET_UNREACHABLE": CodeRow(503, 6, True),
    "E_STORE_UNAVAILABLE": CodeRow(503, 6, True),
    "E_OVERLOADED": CodeRow(503, 6, True),
    "E_TIMEOUT": CodeRow(None, 7, True),
    "E_INTERNAL": CodeRow(500, 1, False),
}

SCHEMA_VERSION = "1.0"


class AgtmuxError(Exception):
    """An error with a code of the table. ``message`` says what is wrong and what to do next, in one line.

    ``details`` can be written as JSON. It is raised where the reason is known. It is translated only once, in the API
    or in the CLI.
    """

    def __init__(self, code: str, message: str, details: dict[str, object] | None = None) -> None:
        if code not in CODES:
            message = f"{code}: {message}"
            code = "E_INTERNAL"
        super().__init__(message)
        self.code = sys.intern(code)
        self.message = message
        self.details: dict[str, object] = details or {}

    @property
    def exit_status(self) -> int:
        return CODES[self.code].exit

    @property
    def http_status(self) -> int:
        return CODES[self.code].http or 500

    def envelope(self) -> dict[str, object]:
        """Return the error envelope of the API. ``--json`` prints the same."""
        return {
            "schema_version": SCHEMA_VERSION,
            "error": {
                "code": self.code,
                "message": self.message,
                "details": self.details,
                "retryable": CODES[self.code].retryable,
            },
        }
