"""Explain panes for the API: why a pane shows its state, and the last message of its agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agtmuxd.actions.runner import ActionRunner
from agtmuxd.adapters.registry import Registry
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.requests import HistoryQuery
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.core.state.resolve import Resolution, resolve
from agtmuxd.core.versions import older
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.ingest.transcripts.follower import TranscriptFollower
from agtmuxd.repository import StateRow
from agtmuxd.stream.published import PublishedRows

History = Callable[[HistoryQuery, str | None], Awaitable[list[dict[str, Any]]]]


class Panes:
    """Implements ``PaneService`` of ``api.routes.panes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        view: PublishedRows,
        pipeline: Pipeline,
        registry: Registry,
        actions: ActionRunner,
        transcripts: TranscriptFollower | None,
        history: History,
        clock: Callable[[], int],
    ) -> None:
        self.envelope = envelope
        self.view = view
        self._pipeline = pipeline
        self._registry = registry
        self._actions = actions
        self._transcripts = transcripts
        self._history = history
        self._clock = clock

    def nonce(self, item: Mapping[str, Any]) -> str:
        """Make a nonce for an item. If its target was removed meanwhile, the nonce is valid for no pane."""
        identity = item["identity"]
        target = self._pipeline.repository.target_named(identity["target"])
        where = "" if target is None else target.target_id, str(identity["pane_id"])
        return self._actions.nonce_of(where, item["runtime_id"], item["state_version"])

    async def explain(self, key: str) -> dict[str, Any]:
        repository = self._pipeline.repository
        where = repository.pane_key(key)
        runtime_id = repository.active.get(where)
        state = repository.states.get(where)
        recent = await self._history(HistoryQuery(limit=20), key)
        if runtime_id is None:
            return {"decided_by": _decided(state), "candidates": [], "marks": {}, "recent_events": recent,
                    "snapshot": self._actions.nonce(where)}  # fmt: skip
        runtime = repository.runtimes[runtime_id]
        adapter = self._registry.get(runtime.agent_type)
        oldest = None if adapter is None else adapter.oldest
        now = self._clock()
        registers, marks = self._pipeline.registers_of(runtime_id)
        candidates = _candidates(resolve(registers, marks, self._pipeline.runtime_facts(runtime), now), now)
        return {
            "oldest_version": oldest,
            "older": older(runtime.agent_version, oldest),
            "decided_by": [c for c in candidates if c["used"]] or _decided(state),
            "candidates": candidates,
            "marks": {mark: stamp(at) for mark, at in sorted(marks.items())},
            "recent_events": recent,
            "snapshot": self._actions.nonce(where),
        }

    def message(self, key: str) -> dict[str, Any]:
        runtime_id = self._pipeline.repository.active.get(self._pipeline.repository.pane_key(key))
        if runtime_id is None or self._transcripts is None or not self._transcripts.follows(runtime_id):
            return {"runtime_id": runtime_id, "text": None, "said_at": None, "source": None}
        found = self._transcripts.last_message(runtime_id)
        return {
            "runtime_id": runtime_id, "text": None if found is None else found.text,
            "said_at": None if found is None else stamp(found.at), "source": "transcript",
        }  # fmt: skip


def _candidates(resolution: Resolution, now: int) -> list[dict[str, Any]]:
    """List every claim that was considered. Those that decided the state come first."""
    candidates = []
    for seen in resolution.considered:
        register, entry = seen.register, seen.register.entry
        candidates.append(
            {
                "source": str(register.source), "subject": register.subject,
                "claim": None if entry.claim is None else str(entry.claim), "strength": str(entry.strength),
                "phase": str(entry.phase), "rule": entry.rule, "detail": entry.detail,
                "since": stamp(entry.since), "last_seen": stamp(register.last_seen),
                "age_s": round((now - register.last_seen) / 1e9, 1),
                "retired_at": stamp_or_none(seen.retired_at), "retired_by": seen.retired_by, "fresh": seen.fresh,
                "used": seen.used, "discarded_because": seen.discarded_because,
            }
        )  # fmt: skip
    candidates.sort(key=lambda c: (not c["used"], c["source"], c["subject"]))
    return candidates


def _decided(state: StateRow | None) -> list[dict[str, Any]]:
    return [dict(by) for by in state.decided_by] if state is not None else []
