"""Take in posted events: normalise each, bind it to a runtime, and apply it.

Runs on the store's thread. Owns the inbox of events that wait for their runtime. ``apply_event`` applies a bound event
to the registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agtmuxd.core.model import Ancestor, RawEvent, Signal, Source
from agtmuxd.core.state.binding import Binding, is_nested
from agtmuxd.core.state.event_sender import ProcessRole, Sender, find_sender
from agtmuxd.ingest.apply_event import active, apply_event, candidate, find
from agtmuxd.ingest.context import PENDING_TTL, IngestContext, SessionState, real_path
from agtmuxd.repository import Repository, Runtime
from agtmuxd.store import history


class EventAdapters(Protocol):
    """What the pipeline needs of the adapters. ``normalise`` raises ValueError if no adapter understands the event."""

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal: ...

    def kind_of(self, link: Ancestor) -> ProcessRole | None: ...


_SETTLED = ("bind_ambiguous", "bind_nested")
"""Reasons to drop an event at once: waiting does not help."""


@dataclass(frozen=True, slots=True)
class EventResult:
    """The result of one posted event."""

    event_id: str
    status: str  # bound | pending_bind | duplicate | dropped_unbound | stale_runtime | late
    runtime_id: str | None = None
    reason_code: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Convert for the answer of ``POST /v1/events``."""
        return {
            "event_id": self.event_id,
            "status": self.status,
            "runtime_id": self.runtime_id,
            "reason_code": self.reason_code,
        }


class EventInbox:
    """Bind and apply events. ``post`` takes one event; ``bind_pending`` tries the waiting events again."""

    def __init__(
        self,
        repository: Repository,
        session_state: SessionState,
        adapters: EventAdapters,
        skew_budget: int,
        lives: Callable[[Ancestor], bool],
    ) -> None:
        """``skew_budget``: ns. ``lives``: whether a process of this machine still runs."""
        self._repository = repository
        self._session_state = session_state
        self._adapters = adapters
        self._skew = skew_budget
        self._lives = lives
        self._last_senders: dict[str, Ancestor] = {}
        """For agents inside containers: the process that sent the last event, by runtime id."""

    def post(self, run: IngestContext, event: RawEvent) -> EventResult:
        """Take in one event and return its result."""
        run.counted[f"events_{event.source}"] += 1
        if event.runtime_id is not None:
            return self._post_named(run, event, event.runtime_id)
        result = self._post_to_pane(run, event)
        if result is not None:
            return result
        try:
            signal = self._understand(event, None)
        except ValueError as error:
            run.counted["events_not_understood"] += 1
            return EventResult(event.event_id, "dropped_unbound", None, f"not_understood: {error}"[:200])
        bound = self._bound(run, event, signal)
        if bound.runtime_id is not None:
            return self._apply(run, event, bound.runtime_id)
        if history.already_bound(run.connection, event):
            return EventResult(event.event_id, "duplicate")
        inbox_id = history.add_pending(run.connection, event, signal.session_id)
        if inbox_id is None:
            return EventResult(event.event_id, "duplicate")
        if bound.reason in _SETTLED:
            history.settle_pending(run.connection, inbox_id, "dropped_unbound", bound.reason, None)
            run.counted[f"events_{bound.reason}"] += 1
            return EventResult(event.event_id, "dropped_unbound", None, bound.reason)
        run.pending_added[inbox_id] = event
        run.search_targets.update(self._possible_targets(event))
        return EventResult(event.event_id, "pending_bind")

    def _post_to_pane(self, run: IngestContext, event: RawEvent) -> EventResult | None:
        """Apply an event that names its pane to the runtime of that pane.

        Nearly all events name their pane; this way they are normalised only once. None if the event does not belong to
        that runtime, or if no adapter understands it.
        """
        target_id, _known = self._target_of(event)
        if target_id is None or event.pane_id is None:
            return None
        runtime = run.unit.active_runtime((target_id, event.pane_id))
        if runtime is None:
            return None
        try:
            signal = self._understand(event, runtime)
        except ValueError:
            return None
        if signal.ambient or self._bound(run, event, signal).runtime_id != runtime.runtime_id:
            return None
        return self._apply(run, event, runtime.runtime_id, signal)

    def bind_pending(self, run: IngestContext) -> None:
        """Try to bind the waiting events. Drop those that waited longer than ``PENDING_TTL``, with the reason."""
        waiting = {**self._session_state.pending, **run.pending_added}
        for inbox_id, event in sorted(waiting.items()):
            if inbox_id in run.pending_settled:
                continue
            try:
                signal = self._understand(event, None)
                bound = self._bound(run, event, signal)
            except ValueError:
                bound = Binding(None, "bind_no_candidate")
            old = run.now > event.ingested_at + PENDING_TTL
            if bound.runtime_id is not None and not old:
                self._apply(run, event, bound.runtime_id)
                history.settle_pending(run.connection, inbox_id, "bound", None, bound.runtime_id)
            elif bound.reason in _SETTLED or old:
                reason = "bind_ttl_expired" if bound.runtime_id is not None else bound.reason
                history.settle_pending(run.connection, inbox_id, "dropped_unbound", reason, None)
                run.counted[f"events_{reason}"] += 1
            else:
                continue
            run.pending_settled.add(inbox_id)

    def _possible_targets(self, event: RawEvent) -> Iterable[str]:
        """List the ids of the targets that may run the event's process: the named one, or else all of this machine."""
        target_id, _known = self._target_of(event)
        if target_id is not None:
            return (target_id,)
        return (target.target_id for target in self._repository.targets.values() if target.kind == "local")

    def _target_of(self, event: RawEvent) -> tuple[str | None, bool]:
        """Give ``(target_id, known)``. Not known: the event names a tmux server that no target has shown yet."""
        if event.target_id is not None:
            return event.target_id, True
        if event.tmux_socket is None:
            return None, True
        found = self._session_state.servers.get((real_path(event.tmux_socket), event.tmux_server_pid or 0))
        return found, found is not None

    def _understand(self, event: RawEvent, runtime: Runtime | None) -> Signal:
        if event.source is Source.ACTION:
            return Signal(event_type=event.event_type)  # agtmux's own audit: it goes into history and makes no claim
        prior: dict[str, Any] = {}
        if runtime is not None:
            prior = {
                "agent_session_id": runtime.agent_session_id,
                "headless": runtime.headless,
                "agent_version": runtime.agent_version,
            }
        return self._adapters.normalise(event, prior)

    def _bound(self, run: IngestContext, event: RawEvent, signal: Signal) -> Binding:
        target_id, known = self._target_of(event)
        if not known and not signal.ambient:
            return Binding(None, "bind_no_candidate")
        sender = find_sender(event, self._adapters.kind_of)
        bound = find(run.unit, event, signal, target_id, sender, self._session_state.declared)
        if bound.reason == "bind_no_candidate" and not signal.ambient:
            lives = (candidate(runtime) for runtime in active(run.unit))
            if is_nested(sender, self._adapters.kind_of, target_id, lives, apart=event.apart):
                return Binding(None, "bind_nested")
        runtime = run.unit.runtimes.get(bound.runtime_id) if bound.runtime_id is not None else None
        if runtime is not None and event.apart and not signal.ambient and not self._is_first(runtime, sender):
            return Binding(None, "bind_ambiguous")
        if runtime is None or event.target_id is None or event.tmux_server_pid is None or signal.ambient:
            return bound
        if runtime.boot_id.partition(".")[0] != str(event.tmux_server_pid):
            return Binding(None, "bind_no_candidate")  # it comes from another tmux server of that machine
        return bound

    def _is_first(self, runtime: Runtime, sender: Sender) -> bool:
        """Whether no other live agent sent events before as the agent inside this runtime's container.

        A container passes its environment to every process that is started in it later, also from another pane. So a
        second agent in there may name the first agent's pane.
        """
        if any(link.pid == runtime.pid for link in (*sender.links, *sender.above)):
            return True  # it is that process, or runs below it
        link, before = sender.links[0], self._last_senders.get(runtime.runtime_id)
        if before is not None and (before.pid, before.start) != (link.pid, link.start) and self._lives(before):
            return False
        self._last_senders = {
            known: last for known, last in self._last_senders.items() if known in self._repository.runtimes
        }
        self._last_senders[runtime.runtime_id] = link
        return True

    def _post_named(self, run: IngestContext, event: RawEvent, runtime_id: str) -> EventResult:
        runtime = run.unit.runtimes.get(runtime_id)
        if runtime is None or runtime.ended_at is not None:
            if history.has_runtime(run.connection, runtime_id):
                history.add_event(run.connection, event, runtime_id, "stale_runtime")
            return EventResult(event.event_id, "stale_runtime", runtime_id, "E_RUNTIME_STALE")
        return self._apply(run, event, runtime_id)

    def _apply(self, run: IngestContext, event: RawEvent, runtime_id: str, signal: Signal | None = None) -> EventResult:
        """Apply an event to this runtime. ``signal``: the event as already normalised for this runtime, if it was."""
        runtime = run.unit.runtimes.get(runtime_id)
        if runtime is None:
            return EventResult(event.event_id, "stale_runtime", runtime_id, "E_RUNTIME_STALE")
        if runtime_id in run.unit.runtimes.over and runtime_id not in self._repository.runtimes:
            run.save_new_runtime(runtime)
        if not history.add_event(run.connection, event, runtime_id, "applied"):
            return EventResult(event.event_id, "duplicate", runtime_id)
        try:
            signal = signal or self._understand(event, runtime)
        except ValueError as error:
            run.counted["events_not_understood"] += 1
            return EventResult(event.event_id, "bound", runtime_id, f"not_understood: {error}"[:200])
        run.refresh_targets.add(runtime.target_id)
        used = event.payload.get("uses_up") if event.source is Source.ACTION else None
        if isinstance(used, int):
            run.unit.used[runtime_id] = used
        applied = apply_event(run.unit, runtime, event, signal, skew_budget=self._skew)
        known = run.unit.runtimes.get(runtime_id)
        if known is not None and known.agent_session_id != runtime.agent_session_id:
            run.rebind = True  # waiting events that name only this session can be bound now
        if not applied:
            history.mark_late(run.connection, event.event_id)
            return EventResult(event.event_id, "late", runtime_id)
        run.unit.shown.add((runtime.target_id, runtime.pane_id))
        return EventResult(event.event_id, "bound", runtime_id)
