"""Whether hooks work: test events that came in, and agents that run but were never heard.

Owns how a test event is known. It never reaches the door: it is no agent's word and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agtmuxd.api.models import WireEvent
from agtmuxd.core.model import NS, Source
from agtmuxd.core.ref import format_pane
from agtmuxd.ingest.door import Door

TEST_KEY: Final = "agtmux_test"
"""A payload with this key was sent by ``agtmux hooks status`` through an installed command."""
KEPT: Final = 64
START_ERROR: Final = 2 * NS
"""How far off the start of a process may be: a machine tells its boot in whole seconds."""
_OWN: Final = frozenset({Source.HOOK, Source.NOTIFY})


class HookCare:
    """Remembers the newest test events, and looks who is deaf."""

    def __init__(self, door: Door) -> None:
        self._door = door
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

    def deaf_panes(self, item: Mapping[str, Any]) -> list[str]:
        """Refs of local panes whose agent began before the settings last changed, and never told anything since."""
        if not item["installed"]:
            return []
        try:
            changed_at = Path(item["path"]).stat().st_mtime_ns
        except OSError:
            return []
        world = self._door.world
        out = []
        for (target_id, pane_id), runtime_id in sorted(world.active.items()):
            runtime, target = world.runtimes.get(runtime_id), world.targets.get(target_id)
            if runtime is None or target is None or target.kind != "local" or runtime.agent_type != item["agent"]:
                continue
            heard = any(source in _OWN for source, _ in world.registers.get(runtime_id, {}))
            if not heard and runtime.started_at < changed_at - START_ERROR:
                row = world.panes[(target_id, pane_id)].row
                out.append(format_pane(target.name, row.session_name, row.window_id, pane_id))
        return out
