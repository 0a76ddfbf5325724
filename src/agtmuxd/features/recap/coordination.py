"""Add up messages, results, answers and leases that were taken over, from the published changes of coordination. Pure.

Those changes have no texts, so neither has the recap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agtmuxd.core.json_codec import nanoseconds, stamp

LISTED: Final = 20
"""Messages and leases that are listed: the newest. Counts include all."""
_FAILED: Final = ("dead", "submitted_unconfirmed")

Item = Mapping[str, Any]


class CoordinationRecap:
    """The recap of the time from ``since`` (ns) on."""

    def __init__(self, since: int) -> None:
        self._since = since
        self._messages: dict[str, dict[str, Any]] = {}
        self._to_people: set[str] = set()
        self._failed: set[str] = set()
        self._overdue: set[str] = set()
        self._taken: dict[str, dict[str, Any]] = {}

    def change(self, kind: str, name: str, at: int, item: Item | None) -> None:
        """Take in one change: the new item, or None if it is gone."""
        if item is None:
            return
        if kind == "message":
            self._message(name, item)
        elif kind == "delivery":
            if item.get("agent_id") is None:
                self._to_people.add(str(item.get("message_id")))
            (self._failed.add if item.get("state") in _FAILED else self._failed.discard)(name)
        elif kind == "lease" and item.get("state") == "taken" and name not in self._taken:
            what = item.get("pattern") or item.get("name")
            self._taken[name] = {
                "at": stamp(at), "lease_id": name, "what": what, "holder": item.get("holder"),
                "reason": item.get("end_reason"),
            }  # fmt: skip

    def _message(self, name: str, item: Item) -> None:
        overdue = item.get("overdue_at")
        if overdue is not None and nanoseconds(overdue) >= self._since:
            self._overdue.add(name)
        if item.get("cancelled_at") is not None:
            self._messages.pop(name, None)
        elif nanoseconds(item["created_at"]) >= self._since:
            self._messages[name] = {
                "at": item["created_at"], "message_id": name, "kind": item.get("kind"), "sender": item.get("sender"),
            }  # fmt: skip

    def result(self) -> dict[str, Any]:
        """Give the part ``coordination`` of the answer."""
        kinds = [one["kind"] for one in self._messages.values()]
        to_people = [one for name, one in self._messages.items() if name in self._to_people]
        return {
            "to_people": len(to_people), "results": kinds.count("result"), "answers": kinds.count("answer"),
            "overdue": len(self._overdue), "undelivered": len(self._failed), "leases_taken": len(self._taken),
            "messages": to_people[: -LISTED - 1 : -1], "takeovers": list(self._taken.values())[: -LISTED - 1 : -1],
        }  # fmt: skip
