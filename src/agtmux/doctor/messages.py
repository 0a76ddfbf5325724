"""Check the deliveries of messages: do any wait for agents that are gone, or stay where they are?"""

from __future__ import annotations

from agtmux.doctor.report import note, ok, skipped, warning
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding


def delivered(facts: Facts) -> Iterator[Finding]:
    """Do messages arrive?"""
    if facts.health is None or facts.client is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    try:
        found = facts.client.check_deliveries().json()
    except AgtmuxError as error:
        if error.code == "E_DAEMON_UNREACHABLE":
            raise
        yield skipped("no_messages", "this daemon sends no messages")
        return
    stuck, orphans, dead = len(found.get("stuck") or ()), found.get("orphans") or 0, found.get("dead") or 0
    if stuck:
        yield warning("stuck", f"{_count(stuck)} stay where they are", "agtmux daemon logs -n 100")
    if orphans:
        yield warning("orphans", f"{_count(orphans)} wait for agents that are gone", "agtmux outbox --undelivered")
    if dead:
        yield warning("dead", f"{_count(dead)} failed after all tries", "agtmux dead list")
    if found.get("unconfirmed"):
        yield note("unconfirmed", f"{_count(found['unconfirmed'])} may not have been taken", "agtmux dead list")
    if not (stuck or orphans or dead):
        yield ok("delivered", "no delivery is stuck")


def _count(number: int) -> str:
    return f"{number} {'delivery' if number == 1 else 'deliveries'}"
