"""Define what a request for leases asks for, once it is checked. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.core.globs import compile_pattern
from agtmuxd.features.leases.model import MAX_HOLD, NAME_TTL, PATH_TTL, Lease, Scope, checked_ttl, holder_of, name_scope


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """What somebody wants to hold. ``ttl``: ns. ``capacity``: of the names; None: as it is."""

    git_dir: str | None
    paths: tuple[str, ...]
    names: tuple[str, ...]
    mode: str = "exclusive"
    ttl: int | None = None
    capacity: int | None = None
    advisory: bool = False
    reason: str | None = None

    def digest(self, operation: str) -> str:
        """Return what two requests with the same ``request_ref`` must have in common."""
        return digest(operation, asdict(self))

    def objects(self) -> list[str]:
        """Return what rules of policy can be about."""
        return [*(f"path:{one}" for one in self.paths), *(f"name:{one}" for one in self.names)]


def digest(operation: str, values: dict[str, Any]) -> str:
    """Return a digest of an operation and its values."""
    text = json.dumps([operation, values], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def drafts(request: LeaseRequest, repository: Scope | None, actor: Actor, now: int) -> list[Lease]:
    """Return the leases that are wanted, without ids and fences, none twice. Raises E_INVALID_REQUEST."""
    if not request.paths and not request.names:
        raise AgtmuxError("E_INVALID_REQUEST", "nothing to hold: give paths, names or both")
    if request.names and request.mode == "shared":
        raise AgtmuxError("E_INVALID_REQUEST", "a name is held by as many as its capacity allows: leave out --shared")
    if request.capacity is not None and not request.names:
        raise AgtmuxError("E_INVALID_REQUEST", "only names have a capacity: leave out --capacity")
    scopes: list[tuple[Scope, str | None]] = [(name_scope(name), None) for name in request.names]
    if request.paths:
        if repository is None:
            raise AgtmuxError("E_INVALID_REQUEST", "paths are in a repository: give repo")
        scopes += [(repository, compile_pattern(path, repository.ignore_case).text) for path in request.paths]
    unique = {(scope.scope_id, pattern): (scope, pattern) for scope, pattern in scopes}
    return [_draft(request, scope, pattern, actor, now) for scope, pattern in unique.values()]


def _draft(request: LeaseRequest, scope: Scope, pattern: str | None, actor: Actor, now: int) -> Lease:
    ttl = checked_ttl(request.ttl, PATH_TTL if pattern is not None else NAME_TTL)
    return Lease(
        lease_id="", scope=scope, pattern=pattern, mode=request.mode, advisory=request.advisory,
        holder=holder_of(actor), holder_label=actor.label, agent_id=actor.agent_id, runtime_id=actor.runtime_id,
        fence=0, ttl=ttl, acquired_at=now, renewed_at=now, expires_at=now + ttl, hold_until=now + MAX_HOLD,
        reason=request.reason,
    )  # fmt: skip


def same_hold(wanted: Lease, others: Sequence[Lease]) -> Lease | None:
    """Return the path lease of the same holder that already holds exactly this. Names are never held twice by one."""
    for one in others:
        if one.pattern is not None and (one.holder, one.pattern, one.mode, one.advisory) == (
            wanted.holder, wanted.pattern, wanted.mode, wanted.advisory
        ):  # fmt: skip
            return one
    return None
