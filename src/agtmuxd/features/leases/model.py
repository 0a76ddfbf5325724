"""Define leases and decide about them: which conflict, when one ends, who may do what. Pure. Times are in ns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.core.globs import Budget, compile_pattern, overlap
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.core.model import NS

PATH_TTL: Final = 3600 * NS
NAME_TTL: Final = 300 * NS
LEAST_TTL: Final = 30 * NS
MOST_TTL: Final = 8 * 3600 * NS
MAX_HOLD: Final = 8 * 3600 * NS
"""How long the daemon renews a lease for an agent that lives. The agent's own renewal begins this time anew."""
ORPHAN_GRACE: Final = 60 * NS
"""How long a lease stays when its agent's runtime has ended."""
KEEP_ENDED: Final = 7 * 86400 * NS
KEEP_REQUESTS: Final = 86400 * NS
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


@dataclass(frozen=True, slots=True)
class Scope:
    """What leases can conflict in: the paths of one repository, or one name.

    ``name``: the name, or the repository's git folder. ``capacity``: how many may hold the name at once.
    """

    scope_id: str
    kind: str
    name: str
    ignore_case: bool = False
    capacity: int = 1


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease. ``holder``: the agent's id, or the label of a person or device.

    ``hold_until``: up to then the daemon renews it. ``advisory``: it refuses nobody, and nobody refuses it.
    """

    lease_id: str
    scope: Scope
    pattern: str | None
    mode: str
    advisory: bool
    holder: str
    holder_label: str
    agent_id: str | None
    runtime_id: str | None
    fence: int
    ttl: int
    acquired_at: int
    renewed_at: int
    expires_at: int
    hold_until: int
    orphaned_at: int | None = None
    ended_at: int | None = None
    state: str = "active"
    end_reason: str | None = None
    reason: str | None = None

    @property
    def what(self) -> str:
        """Return what it holds, for messages: its pattern or its name."""
        return self.pattern if self.pattern is not None else self.scope.name

    def ended(self, at: int, state: str, why: str) -> Lease:
        """Return it as it is after its end."""
        return replace(self, ended_at=at, state=state, end_reason=why)

    def renewed(self, at: int, ttl: int | None = None) -> Lease:
        """Return it as its holder renewed it."""
        ttl = ttl or self.ttl
        return replace(
            self, ttl=ttl, renewed_at=at, expires_at=at + ttl, hold_until=at + MAX_HOLD, orphaned_at=None,
            state="active",
        )  # fmt: skip

    def item(self, holder: str | None = None) -> dict[str, Any]:
        """Convert to the item of answers and of the stream. ``holder``: who asks; None: without ``mine``."""
        item: dict[str, Any] = {
            "lease_id": self.lease_id,
            "kind": self.scope.kind,
            "repo_id": self.scope.scope_id if self.scope.kind == "path" else None,
            "git_dir": self.scope.name if self.scope.kind == "path" else None,
            "pattern": self.pattern,
            "name": self.scope.name if self.scope.kind == "name" else None,
            "capacity": self.scope.capacity if self.scope.kind == "name" else None,
            "mode": self.mode,
            "advisory": self.advisory,
            "holder": self.holder_label,
            "agent_id": self.agent_id,
            "runtime_id": self.runtime_id,
            "fence": self.fence,
            "ttl_s": self.ttl / NS,
            "acquired_at": stamp(self.acquired_at),
            "renewed_at": stamp(self.renewed_at),
            "expires_at": stamp(self.expires_at),
            "orphaned_at": stamp_or_none(self.orphaned_at),
            "ended_at": stamp_or_none(self.ended_at),
            "state": self.state,
            "end_reason": self.end_reason,
            "reason": self.reason,
        }
        return item if holder is None else {**item, "mine": self.holder == holder}


def holder_of(actor: Actor) -> str:
    """Return who holds what this actor acquires: an agent by its id, all programs of a person together."""
    return actor.agent_id or actor.label


def name_scope(name: str, capacity: int = 1) -> Scope:
    """Return the scope of a name. Two names that differ only in case are one. Raises E_INVALID_REQUEST."""
    if NAME.fullmatch(name) is None:
        text = f"{name[:80]!r} is not a name: use letters, digits and . _ : / - (at most 128, no blank)"
        raise AgtmuxError("E_INVALID_REQUEST", text)
    return Scope(f"name:{name.lower()}", "name", name, capacity=capacity)


def checked_ttl(ttl: int | None, default: int) -> int:
    """Return how long a lease is to last. Raises E_INVALID_REQUEST."""
    if ttl is None:
        return default
    if not LEAST_TTL <= ttl <= MOST_TTL:
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"a lease lasts {LEAST_TTL // NS} s to {MOST_TTL // NS // 3600} h: give --ttl in between",
        )
    return ttl


# ---------------------------------------------------------------- ends and renewals


def due(lease: Lease, now: int, living: Mapping[str, str | None]) -> Lease:
    """Return the open lease as it is now: expired, orphaned, released, renewed, or the same.

    ``living``: for each agent whose fate is known, its runtime now (None: it has none). An agent that is not in it may
    live or not: its leases are not renewed, and run out by their time.
    """
    if lease.orphaned_at is not None and now >= lease.orphaned_at + ORPHAN_GRACE and not living.get(lease.holder):
        return lease.ended(now, "released", "holder_gone")
    if now >= lease.expires_at:
        return lease.ended(now, "expired", "ttl")
    if lease.agent_id is None or lease.agent_id not in living:
        return lease
    runtime_id = living[lease.agent_id]
    if runtime_id is None:
        return lease if lease.orphaned_at is not None else replace(lease, orphaned_at=now, state="orphaned")
    until = min(now + lease.ttl, lease.hold_until)
    if lease.orphaned_at is not None or runtime_id != lease.runtime_id:  # the agent is back
        lease = replace(lease, orphaned_at=None, state="active", runtime_id=runtime_id)
    elif now < lease.renewed_at + lease.ttl // 3:
        return lease
    return replace(lease, renewed_at=now, expires_at=until) if until > lease.expires_at else lease


def next_look(leases: Iterable[Lease], now: int) -> int | None:
    """Return when to look at these open leases next, because of the time alone. None: never."""
    times = []
    for lease in leases:
        times.append(lease.expires_at)
        if lease.orphaned_at is not None:
            times.append(lease.orphaned_at + ORPHAN_GRACE)
        elif lease.agent_id is not None and lease.expires_at < lease.hold_until:
            renewal = lease.renewed_at + lease.ttl // 3
            times.append(renewal if renewal > now else now + lease.ttl // 3)  # its agent cannot be seen now
    return min(times, default=None)


# ---------------------------------------------------------------- conflicts


def conflicts(wanted: Lease, others: Sequence[Lease], budget: Budget) -> list[Lease]:
    """Return the open leases of this scope that keep ``wanted`` from being granted. Raises E_INVALID_REQUEST."""
    if wanted.advisory:
        return []
    held = [one for one in others if not one.advisory]
    if wanted.scope.kind == "name":
        own_first = sorted(held, key=lambda one: one.holder != wanted.holder)
        return own_first if len(held) >= wanted.scope.capacity else []
    return [one for one in held if one.holder != wanted.holder and _excludes(wanted, one, budget)]


def _excludes(wanted: Lease, other: Lease, budget: Budget) -> bool:
    return "exclusive" in (wanted.mode, other.mode) and overlaps(wanted, other, budget)


def overlaps(one: Lease, other: Lease, budget: Budget) -> bool:
    """Return whether two path leases of a repository hold a common path."""
    case = one.scope.ignore_case
    return overlap(compile_pattern(one.pattern or "", case), compile_pattern(other.pattern or "", case), budget)


def conflict_error(wanted: Lease, found: Sequence[Lease], next_step: str) -> AgtmuxError:
    """Return the refusal: who holds what, until when, and what to do next."""
    first = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    own = " (that is you)" if first.holder == wanted.holder else ""
    text = f"{wanted.what} is held by {first.holder_label}{own}: {first.what} until {stamp(first.expires_at)}{more}"
    details: dict[str, object] = {
        "holder": first.holder_label,
        "pattern": first.pattern,
        "name": None if first.pattern is not None else first.scope.name,
        "lease_id": first.lease_id,
        "fence": first.fence,
        "state": first.state,
        "expires_at": stamp(first.expires_at),
        "wanted": wanted.what,
        "next_step": next_step,
        "conflicts": [one.item(wanted.holder) for one in found[:20]],
    }
    return AgtmuxError("E_LEASE_CONFLICT", f"{text}: {next_step}", details)


def next_step(wanted: Lease, found: Sequence[Lease]) -> str:
    """Return what the one who was refused can do."""
    if found[0].holder == wanted.holder:
        return f"go on with it, or run agtmux lease release {found[0].what}"
    if all(one.state == "orphaned" for one in found):
        return f"its holder has ended; wait a minute, or run agtmux lease take {found[0].lease_id}"
    return "wait for it with --wait, or work on something else"
