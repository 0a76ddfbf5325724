"""Single-use codes by which a button on a phone answers one prompt.

A code is in the message to the phone and nowhere else: the database has its SHA-256. It is good for one use within ten
minutes, for exactly the prompt of its message.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import NS
from agtmuxd.features.notify.message import Prompt
from agtmuxd.store.db import Store

GOOD_FOR: Final = 600 * NS
WRONG_A_MINUTE: Final = 10
"""Wrong codes within a minute; after that none is looked at."""


class Codes:
    """Makes codes and uses them up."""

    def __init__(self, database: Store, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._wrong: deque[int] = deque()

    async def make(self, message_id: str, prompt: Prompt) -> str:
        """Return a new code for the prompt of a message. Raises E_STORE_UNAVAILABLE."""
        code = secrets.token_urlsafe(32)
        row = (_hash(code), message_id, prompt.runtime_id, prompt.fingerprint, self._clock() + GOOD_FOR)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO notify_codes VALUES (?, ?, ?, ?, ?, NULL)", row)

        await self._database.run(write)
        return code

    async def use(self, code: str) -> str:
        """Use a code up, and return the id of its message. Of two who send it at once, one gets it.

        Raises E_UNAUTHORIZED, E_RATE_LIMITED.
        """
        now = self._clock()
        while self._wrong and self._wrong[0] <= now - 60 * NS:
            self._wrong.popleft()
        if len(self._wrong) >= WRONG_A_MINUTE:
            raise AgtmuxError("E_RATE_LIMITED", "too many wrong codes: try again in a minute")

        def take(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(
                "UPDATE notify_codes SET used_at = ? WHERE code_hash = ? AND used_at IS NULL AND expires_at > ?"
                " RETURNING message_id",
                (now, _hash(code), now),
            ).fetchone()
            if row is None:
                return None
            # a message that was sent several times has as many codes
            connection.execute("UPDATE notify_codes SET used_at = ? WHERE message_id = ?", (now, row[0]))
            return str(row[0])

        message_id = await self._database.run(take)
        if message_id is None:
            self._wrong.append(now)
            raise AgtmuxError(
                "E_UNAUTHORIZED", "this button was used already or is older than 10 minutes: open the page"
            )
        return message_id


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
