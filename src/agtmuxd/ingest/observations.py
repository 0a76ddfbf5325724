"""Apply rounds and health changes of targets to panes, runtimes and levels.

Runs on the store's thread, except ``nothing_new``. Owns when a target's states are resolved again after a start.
``ingest.runtimes`` finds the agents that began and ended.
"""

from __future__ import annotations

from dataclasses import replace

from agtmuxd.core.ids import dedupe_key, uuid7
from agtmuxd.core.model import RawEvent, Source
from agtmuxd.core.state.debounce import DebounceResult
from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.ingest import runtimes
from agtmuxd.ingest.apply_event import apply_level
from agtmuxd.ingest.context import GRACE, IngestContext, SessionState, living, real_path
from agtmuxd.repository import Repository, Runtime, Target
from agtmuxd.store import history


class ObservationIntake:
    """Take the results of observers into a transaction."""

    def __init__(self, repository: Repository, session_state: SessionState) -> None:
        self._repository = repository
        self._session_state = session_state

    def apply_time(self, run: IngestContext) -> None:
        """Do what is due by time alone: make unread targets ready, touch states that may change, forget old crashes."""
        if run.now >= self._session_state.opened_at + GRACE:
            for target_id in self._repository.targets:
                self._make_ready(run, target_id)
        self._session_state.quiet_runtimes.delay_wakes(self._session_state.wakes, run.now)
        run.unit.touched.update(r for r, at in self._session_state.wakes.items() if at <= run.now)
        runtimes.forget_old_crashes(run.unit, run.now)
        self._session_state.crash_due = runtimes.crash_due((s for _, s in run.unit.states.items()), None)

    def apply_health(self, run: IngestContext, change: HealthChange) -> None:
        """Apply a change of a target's health."""
        target = run.unit.targets.get(change.target_id)
        if target is None:
            return
        moved = target.health != change.health
        updated = replace(
            target,
            health=change.health,
            health_since=change.at if moved else target.health_since,
            reason=change.reason,
            tmux_version=change.tmux_version or target.tmux_version,
            last_seen_at=change.at if change.health == "ok" else target.last_seen_at,
            updated_at=change.at,
        )
        run.unit.targets.put(target.target_id, updated)
        if change.health == "down":
            self._session_state.down.add(target.target_id)
            self._make_ready(run, target.target_id)
        if moved:
            run.unit.touched.update(r.runtime_id for r in living(run.unit, target.target_id))

    def remove(self, run: IngestContext, target_id: str) -> None:
        """Remove a target with everything that was known about it."""
        target = run.unit.targets.get(target_id)
        if target is None:
            return
        run.removed_targets[target_id] = target.name
        for runtime in list(living(run.unit, target_id)):
            run.unit.active.drop((target_id, runtime.pane_id))
        for runtime_id, runtime in list(run.unit.runtimes.items()):
            if runtime.target_id == target_id:
                run.unit.runtimes.drop(runtime_id)
                run.unit.registers.drop(runtime_id)
                run.unit.marks.drop(runtime_id)
        for key in [k for k, _ in run.unit.states.items() if k[0] == target_id]:
            run.unit.states.drop(key)
        for key in [k for k, _ in run.unit.panes.items() if k[0] == target_id]:
            run.unit.panes.drop(key)
            run.unit.shown.add(key)
        run.unit.targets.drop(target_id)

    def nothing_new(self, seen: Observation) -> bool:
        """Whether a round shows nothing new. If so, note only its time: no transaction is needed."""
        if seen.target_id not in self._session_state.ready:
            return False
        if seen.target_id in self._session_state.down:
            return False
        if seen.looked_at != self._session_state.looked_at.get(seen.target_id):
            return False
        if seen.unread or self._session_state.unread.get(seen.target_id):
            return False
        server = _server_of(seen, self._repository.targets.get(seen.target_id))
        if server is not None and self._session_state.servers.get(server) != seen.target_id:
            return False
        if not self._session_state.quiet_runtimes.shows_nothing_new(
            self._repository, seen, self._session_state.suspended
        ):
            return False
        self._session_state.read_at[seen.target_id] = seen.at
        return True

    def apply_round(self, run: IngestContext, seen: Observation) -> None:
        """Apply one good round."""
        if run.unit.targets.get(seen.target_id) is None:
            return
        self._session_state.read_at[seen.target_id] = seen.at
        if seen.target_id in self._session_state.down:  # a target is up again only after a good round
            self._session_state.down.discard(seen.target_id)
            run.unit.touched.update(r.runtime_id for r in living(run.unit, seen.target_id))
        before = self._session_state.looked_at.get(seen.target_id, frozenset())
        self._session_state.looked_at[seen.target_id] = seen.looked_at
        server = _server_of(seen, run.unit.targets.get(seen.target_id))
        if server is not None:
            # events of this server may be waiting
            run.rebind |= self._session_state.servers.get(server) != seen.target_id
            self._session_state.servers[server] = seen.target_id
        known = set(run.unit.active.values())
        runtimes.update_panes(run.unit, seen, self._session_state.title_at)
        runtimes.update_runtimes(run.unit, seen)
        self._make_ready(run, seen.target_id)
        for pane_id, agent in seen.agents.items():
            runtime = run.unit.active_runtime((seen.target_id, pane_id))
            if runtime is None:
                continue
            if agent.suspended != (runtime.runtime_id in self._session_state.suspended):
                (self._session_state.suspended.add if agent.suspended else self._session_state.suspended.discard)(
                    runtime.runtime_id
                )
                run.unit.touched.add(runtime.runtime_id)
            if agent.declared and runtime.runtime_id not in self._session_state.declared:
                self._session_state.declared.add(runtime.runtime_id)
                run.rebind = True  # also for a runtime that was stored by an earlier daemon
            if runtime.runtime_id not in known:
                run.rebind = True
            if self._session_state.quiet_runtimes.is_unchanged(runtime.runtime_id, agent):
                self._session_state.quiet_runtimes.read(runtime.runtime_id, seen.at)
                continue
            self._session_state.quiet_runtimes.end(run.unit, runtime.runtime_id)
            for source, settled in agent.levels:
                self._apply_level_sample(run, runtime, source, settled, seen.at)
        self._update_unread(run, seen)
        for pane_id in seen.looked_at - before:
            runtime = run.unit.active_runtime((seen.target_id, pane_id))
            if runtime is not None:
                run.unit.touched.add(runtime.runtime_id)
        run.rebind = run.rebind or bool(self._session_state.pending and seen.gone)

    def _update_unread(self, run: IngestContext, seen: Observation) -> None:
        """Update which agents' panes cannot be read, and touch the runtimes for which that changed."""
        before = self._session_state.unread.pop(seen.target_id, frozenset())
        if not seen.unread and not before:
            return
        listed = {row.pane_id for row in seen.panes}
        there = list(living(run.unit, seen.target_id))
        now = frozenset(
            r.pane_id for r in there if r.pane_id in seen.unread or ("" in seen.unread and r.pane_id not in listed)
        )
        if now:
            self._session_state.unread[seen.target_id] = now
        run.unit.touched.update(r.runtime_id for r in there if r.pane_id in before ^ now)

    def _make_ready(self, run: IngestContext, target_id: str) -> None:
        """Resolve this target's states from now on. Until then the stored states stay as they are."""
        if target_id in self._session_state.ready:
            return
        self._session_state.ready.add(target_id)
        run.unit.shown.update(key for key, _ in run.unit.panes.items() if key[0] == target_id)
        run.unit.touched.update(r.runtime_id for r in living(run.unit, target_id))

    def _apply_level_sample(
        self, run: IngestContext, runtime: Runtime, source: Source, settled: DebounceResult, at: int
    ) -> None:
        if settled.refreshed and (source, "turn") not in (run.unit.registers.get(runtime.runtime_id) or {}):
            # the claim was made for another runtime of that process
            settled = replace(settled, changed=settled.steady.current, since=at)
        event_id = uuid7(at) if settled.changed is not None else ""
        write = apply_level(run.unit, runtime, source, settled, at, event_id)
        if write is None:
            return
        event = RawEvent(
            event_id=event_id, event_type=f"claim:{write.claim or 'none'}", source=source,
            agent_type=runtime.agent_type, event_time=settled.since, ingested_at=at,
            dedupe_key=dedupe_key(source, event_id, "claim"), source_event_id=event_id,
            payload={"rule": write.rule, "claim": write.claim, "detail": write.detail},
        )  # fmt: skip
        if runtime.runtime_id in run.unit.runtimes.over:
            run.save_new_runtime(runtime)
        history.add_event(run.connection, event, runtime.runtime_id, "applied")
        run.counted[f"events_{source}"] += 1


def _server_of(seen: Observation, target: Target | None) -> tuple[str, int] | None:
    """Give ``(socket path, pid)`` of a tmux server of this machine, else None.

    A server of another machine may have the same socket path and pid.
    """
    if target is None or target.kind != "local" or seen.socket_path is None or seen.server_pid is None:
        return None
    return real_path(seen.socket_path), seen.server_pid
