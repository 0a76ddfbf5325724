"""Whether hooks work: test events that came in, and agents that run but were never heard.

Owns how a test event is known. It never reaches the door: it is no agent's word and changes nothing.
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
START_ERROR: Final = 2 * NS
"""How far off the start of a process may be: a machine tells its boot in whole seconds."""
_OWN: Final = frozenset({Source.HOOK, Source.NOTIFY})


class HookHealth:
    """Remembers the newest test events, and looks who is deaf."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._tests: dict[str, str] = {}

    @staticmethod
    def is_test(event: WireEvent) -> bool:
        return isinstance(event.payload.get(TEST_KEY), str)

    def arrived_test(self, event: WireEvent) -> dict[str, Any]:
        """Remember it; the result for who posted it."""
        self._tests[str(event.payload[TEST_KEY])] = "spooled" if event.spooled else "posted"
        while len(self._tests) > KEPT:
            del self._tests[next(iter(self._tests))]
        return {
            "event_id": event.event_id, "status": "dropped_unbound", "runtime_id": None, "reason_code": "test_event"
        }  # fmt: skip

    def arrived(self, nonces: Sequence[str]) -> dict[str, str]:
        return {nonce: self._tests[nonce] for nonce in nonces if nonce in self._tests}

    def deaf_panes(
        self, item: Mapping[str, Any], changed_at: int | None, target_id: str | None = None
    ) -> tuple[list[str], list[str]]:
        """Refs of panes whose agent began before the settings last changed, and never told anything since.

        Then those never heard of whom that cannot be told: one of the two moments is not known. ``changed_at``:
        ns by our clock, None where it is not known; ``target_id``: the machine of these settings, None for this one.
        """
        deaf: list[str] = []
        maybe: list[str] = []
        if not item["installed"] or item["as_argument"]:
            # as argument: Codex's notify, in a file that Codex writes to; its hooks tell of the same
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
    """When a file of this machine was last written (ns), None where that cannot be told."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _start_is_known(runtime: Runtime) -> bool:
    """Where the system does not count starts in ticks, an agent's start is when it was first seen: too late."""
    return runtime.process_start is not None and runtime.process_start.isdigit()
