"""Hold the SQL of the delivery engine: claim a delivery, and write what became of it. Makes no decisions.

Every change names the states from which it may come, so that two writers never undo each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from agtmuxd.features.messages.model import Delivery, DeliveryState, Message
from agtmuxd.features.messages.store import DELIVERY_COLUMNS, delivery_of, get_message, marks

S = DeliveryState
OPEN: Final = (S.QUEUED, S.HELD, S.CLAIMED, S.SUBMITTED)
"""States of which the engine has something to do."""
WAITING: Final = (S.QUEUED, S.HELD)
"""States before anything is typed."""
_UNREAD: Final = (S.QUEUED, S.HELD, S.DELIVERED)
"""States of a message to be read, before it is."""
_CONCERNS: Final = "ifnull(m.sender_agent_id, d.agent_id)"
"""Whom a failed message concerns: its sender, or its recipient if a person sent it."""
_FAILED: Final = """(d.state = 'dead'
 OR (d.state = 'submitted_unconfirmed' AND NOT (m.kind = 'prompt' AND d.hold_reason = 'no_turn')))"""
"""Deliveries that somebody must look at. A typed command that began no turn, such as /compact, is none of them."""
_FROM: Final = "FROM deliveries d JOIN messages m USING (message_id)"


class Waiting(NamedTuple):
    """A delivery to a pane, and when its message expires (ns)."""

    delivery: Delivery
    expires_at: int | None


class Mail(NamedTuple):
    """How many messages an agent has not read, how many that concern it are dead or unconfirmed, and when (ns) the
    newest came. ``failed_at``: when the last of them failed (ns); None: none has.
    """

    unread: int
    dead: int
    newest: int
    unconfirmed: int = 0
    failed_at: int | None = None


def agents_waiting(connection: sqlite3.Connection) -> set[str]:
    """Return the agents for which the engine has something to do."""
    rows = connection.execute(
        f"SELECT DISTINCT agent_id FROM deliveries WHERE state IN ({marks(OPEN)}) AND route = 'pane'",  # noqa: S608
        OPEN,
    )
    return {row[0] for row in rows}


def agents_with_mail(connection: sqlite3.Connection) -> set[str]:
    """Return the agents of whose mail there is something to show."""
    unread = connection.execute(
        f"SELECT DISTINCT agent_id FROM deliveries WHERE state IN ({marks(_UNREAD)}) AND route = 'pull'",  # noqa: S608
        _UNREAD,
    )
    failed = connection.execute(f"SELECT DISTINCT {_CONCERNS} {_FROM} WHERE {_FAILED}")
    return {row[0] for rows in (unread, failed) for row in rows} - {""}


def mail(connection: sqlite3.Connection, agent_id: str) -> Mail:
    """Return what there is to show of an agent's mail."""
    unread, newest = connection.execute(
        f"SELECT count(*), max(m.created_at) {_FROM} WHERE d.agent_id = ? AND d.route = 'pull'"
        f" AND d.state IN ({marks(_UNREAD)})",
        (agent_id, *_UNREAD),
    ).fetchone()
    failed, dead, latest = connection.execute(
        f"SELECT count(*), total(d.state = 'dead'), max(d.updated_at) {_FROM} WHERE {_FAILED} AND {_CONCERNS} = ?",
        (agent_id,),
    ).fetchone()
    return Mail(unread, int(dead), max(newest or 0, latest or 0), failed - int(dead), latest)


def concerned(connection: sqlite3.Connection, agent_id: str) -> set[str]:
    """Return the agents whom the failed deliveries to an agent concern."""
    rows = connection.execute(f"SELECT DISTINCT {_CONCERNS} {_FROM} WHERE d.agent_id = ? AND {_FAILED}", (agent_id,))
    return {row[0] for row in rows}


def queue(connection: sqlite3.Connection, agent_id: str) -> list[Waiting]:
    """Return the open deliveries to the pane of an agent, in their order."""
    rows = connection.execute(
        f"SELECT {DELIVERY_COLUMNS}, m.expires_at {_FROM} WHERE d.agent_id = ? AND d.route = 'pane'"
        f" AND d.state IN ({marks(OPEN)}) ORDER BY d.position, m.seq",
        (agent_id, *OPEN),
    )
    return [Waiting(delivery_of(row[:-1]), row[-1]) for row in rows]


def change(
    connection: sqlite3.Connection, delivery_id: str, from_states: Sequence[DeliveryState], now: int, **fields: Any
) -> Delivery | None:
    """Write fields of a delivery if it is in one of ``from_states``. Return it as it is now, None if it was not."""
    names = ", ".join(f"{name} = ?" for name in fields)
    done = connection.execute(
        f"UPDATE deliveries SET {names}, updated_at = ? WHERE delivery_id = ?"  # noqa: S608 names are of this package
        f" AND state IN ({marks(from_states)})",
        (*fields.values(), now, delivery_id, *from_states),
    )
    if not done.rowcount:
        return None
    row = connection.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE delivery_id = ?",  # noqa: S608
        (delivery_id,),
    ).fetchone()
    return delivery_of(row)


def claim(
    connection: sqlite3.Connection, delivery_id: str, now: int, *, runtime_id: str, action_ref: str
) -> tuple[Delivery, Message] | None:
    """Claim a delivery that waits. Return it with its message as it is now; None: it waits no more."""
    claimed = change(
        connection, delivery_id, WAITING, now, state=S.CLAIMED, claimed_at=now, runtime_id=runtime_id,
        action_ref=action_ref, hold_reason=None, next_try_at=None,
    )  # fmt: skip
    return None if claimed is None else (claimed, get_message(connection, claimed.message_id))


def expire(connection: sqlite3.Connection, agent_id: str, now: int) -> list[Delivery]:
    """Expire what waited too long for an agent's pane. Return the deliveries that expired."""
    found = connection.execute(
        f"SELECT d.delivery_id {_FROM} WHERE d.agent_id = ? AND d.route = 'pane'"
        f" AND d.state IN ({marks(WAITING)}) AND m.expires_at <= ?",
        (agent_id, *WAITING, now),
    ).fetchall()
    ended = [change(connection, row[0], WAITING, now, state=S.EXPIRED, next_try_at=None) for row in found]
    return [one for one in ended if one is not None]
