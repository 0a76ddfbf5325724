"""Check paths that somebody is about to change or commit: against leases of others, and against an agent's own scope.

An agent is blocked, a person is only warned. A sender that belongs to an agent which agtmux does not know is blocked by
every lease. Only a finding about an agent's scope is written: as a change ``scope_violation`` of the stream.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agtmuxd.core.actor import Actor
from agtmuxd.core.globs import compile_path, compile_pattern, expression, text_of
from agtmuxd.core.json_codec import stamp
from agtmuxd.features.contract import Agents, Write
from agtmuxd.features.leases.model import Lease, Scope, holder_of
from agtmuxd.features.leases.service import Leases

SHOWN: Final = 100
"""Findings in one answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one path. ``lease``: of somebody else. None: it is outside ``scopes``, those of the agent.

    ``blocks``: an agent may not go on. An advisory lease only warns.
    """

    path: str
    lease: Lease | None = None
    scopes: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        return self.lease is None or not self.lease.advisory

    def item(self) -> dict[str, Any]:
        """Convert to JSON, with a sentence for people and what to do next."""
        one = self.lease
        if one is None:
            text = f"{self.path} is outside your scope ({', '.join(self.scopes)})"
            step = "leave it out, or ask a person to change the scope in your team's file"
        else:
            kind = "noted" if one.advisory else "held"
            text = f"{self.path} is {kind} by {one.holder_label} ({one.what}) until {stamp(one.expires_at)}"
            step = f"leave it out, or wait for it: agtmux lease acquire --wait '{self.path}'"
        return {
            "path": self.path,
            "kind": "scope" if one is None else "lease",
            "blocks": self.blocks,
            "holder": None if one is None else one.holder_label,
            "pattern": None if one is None else one.pattern,
            "lease_id": None if one is None else one.lease_id,
            "fence": None if one is None else one.fence,
            "expires_at": None if one is None else stamp(one.expires_at),
            "text": text,
            "next_step": step,
        }


class PathJudge:
    """Finds what is wrong with paths of one repository. Pure."""

    def __init__(self, leases: Sequence[Lease], holder: str | None, scopes: Sequence[str], repository: Scope) -> None:
        """``leases``: the open ones of the repository. ``holder``: who asks; None: an agent that is not known."""

        def compiled(pattern: str | None) -> re.Pattern[str]:
            return expression(compile_pattern(pattern or "", repository.ignore_case))

        self._own = [compiled(one.pattern) for one in leases if one.holder == holder]
        self._others = [(one, compiled(one.pattern)) for one in leases if one.holder != holder]
        self._texts = tuple(scopes)
        self._scopes = [compiled(one) for one in scopes]

    def findings(self, path: str) -> list[Finding]:
        """Return what is wrong with one path. Raises E_INVALID_REQUEST if it is a pattern or leaves the repository."""
        place = compile_path(path)
        text = text_of(place)
        held = [lease for lease, pattern in self._others if pattern.match(text)]
        if held and any(pattern.match(text) for pattern in self._own):
            held = [lease for lease in held if lease.mode != "shared"]
        found = [Finding(place.text, lease) for lease in held]
        if self._scopes and not any(pattern.match(text) for pattern in self._scopes):
            found.append(Finding(place.text, scopes=self._texts))
        return found


class Guard:
    """Implements ``GuardService`` of ``routes``."""

    def __init__(self, *, leases: Leases, write: Write, agents: Agents, clock: Callable[[], int]) -> None:
        self._leases = leases
        self._write = write
        self._agents = agents
        self._clock = clock

    async def check(self, actor: Actor | None, git_dir: str, paths: Sequence[str], hook: str) -> dict[str, Any]:
        """Judge these paths. ``actor`` None: an agent that agtmux does not know. Raises E_INVALID_REQUEST."""
        repository = await self._leases.find_repository(git_dir)
        opens = await self._leases.open_in(repository.scope_id)
        agent = self._agents.get(actor.agent_id) if actor is not None and actor.agent_id is not None else None
        scopes: Sequence[str] = agent.scopes if agent is not None else ()
        found: list[Finding] = []
        if opens or scopes:
            judge = PathJudge(opens, None if actor is None else holder_of(actor), scopes, repository)
            found = await asyncio.to_thread(lambda: [one for path in paths for one in judge.findings(path)])
        managed = actor is None or actor.is_agent
        outside = [one for one in found if one.lease is None]
        if outside and actor is not None:
            await self._publish(actor, repository, outside, hook)
        blocked = managed and any(one.blocks for one in found)
        return {
            "verdict": "block" if blocked else "warn" if found else "pass",
            "managed": managed,
            "agent": None if actor is None else actor.name,
            "checked": len(paths),
            "truncated": len(found) > SHOWN,
            "findings": [one.item() for one in sorted(found, key=lambda one: not one.blocks)[:SHOWN]],
        }

    async def _publish(self, actor: Actor, repository: Scope, outside: Sequence[Finding], hook: str) -> None:
        item = {
            "agent_id": actor.agent_id,
            "agent": actor.name,
            "team": actor.team,
            "repo_id": repository.scope_id,
            "git_dir": repository.name,
            "paths": [one.path for one in outside[:SHOWN]],
            "scopes": list(outside[0].scopes),
            "hook": hook,
            "at": stamp(self._clock()),
        }
        names = "\x1f".join([str(actor.agent_id), repository.scope_id, *(one.path for one in outside)])
        name = hashlib.sha256(names.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        await self._write(lambda _connection, publish: publish("scope_violation", name, item))
