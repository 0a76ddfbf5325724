"""Check whether hooks work: note test events that arrived, and find agents that never sent an event.

Owns how a test event is recognised. A test event never enters the pipeline: no agent sent it, and it changes no state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agtmuxd.api.requests import WireEvent
from agtmuxd.core.model import NS, Source
from agtmuxd.core.ref import format_pane
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.repository import Runtime

TEST_KEY: Final = "agtmux_test"
"""A payload with this key was sent by ``agtmux hooks status`` through an installed command."""
KEPT: Final = 64
"""Test events that are remembered."""
START_ERROR: Final = 2 * NS
"""Possible error (ns) of a process's start time: the system gives its boot time in whole seconds."""
_OWN: Final = frozenset({Source.HOOK, Source.NOTIFY})


class HookHealth:
    """Remember the newest test events, and find panes whose agent sends no events."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._tests: dict[str, str] = {}

    @staticmethod
    def is_test(event: WireEvent) -> bool:
        return isinstance(event.payload.get(TEST_KEY), str)

    def receive_test(self, event: WireEvent) -> dict[str, Any]:
        """Remember a test event. Return the result for its sender."""
        self._tests[str(event.payload[TEST_KEY])] = "spooled" if event.spooled else "posted"
        while len(self._tests) > KEPT:
            del self._tests[next(iter(self._tests))]
        return {
            "event_id": event.event_id, "status": "dropped_unbound", "runtime_id": None, "reason_code": "test_event"
        }  # fmt: skip

    def received_tests(self, nonces: Sequence[str]) -> dict[str, str]:
        return {nonce: self._tests[nonce] for nonce in nonces if nonce in self._tests}

    def deaf_panes(
        self, item: Mapping[str, Any], changed_at: int | None, target_id: str | None = None
    ) -> tuple[list[str], list[str]]:
        """Return refs of panes whose agent has sent no event: those that are deaf, and those that may be.

        An agent is deaf if it started before its settings last changed: it does not know the hooks yet. It may be
        deaf if its start or the change is not known. ``changed_at``: time of the change in ns by our clock, None if
        not known. ``target_id``: the ssh target that has these settings, None for this machine.
        """
        deaf: list[str] = []
        maybe: list[str] = []
        if not item["installed"] or item["as_argument"]:
            # as_argument: Codex's notify, in a file that Codex itself writes; its hooks report the same events
            return deaf, maybe
        repository = self._pipeline.repository
        for (target, pane_id), runtime_id in sorted(repository.active.items()):
            runtime, there = repository.runtimes.get(runtime_id), repository.targets.get(target)
            if runtime is None or there is None or runtime.agent_type != item["agent"]:
                continue
            mine = there.kind == "local" if target_id is None else target == target_id
            if not mine or any(source in _OWN for source, _ in repository.registers.get(runtime_id, {})):
                continue
            row = repository.panes[(target, pane_id)].row
            ref = format_pane(there.name, row.session_name, row.window_id, pane_id)
            if changed_at is not None and runtime.started_at < changed_at - START_ERROR:
                deaf.append(ref)
            elif changed_at is None or not _start_is_known(runtime):
                maybe.append(ref)
        return deaf, maybe


def changed_here(path: str) -> int | None:
    """Return when a file of this machine was last written (ns), None if the file cannot be read."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _start_is_known(runtime: Runtime) -> bool:
    """Return whether the system gives the start in clock ticks. Otherwise it is when agtmux first saw the agent."""
    return runtime.process_start is not None and runtime.process_start.isdigit()
