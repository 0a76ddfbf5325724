"""Find the adapters of this daemon: the shipped ones and the installed ones.

Owns the list of shipped adapters and the entry-point group ``agtmux.adapters``. The registry checks whether each
adapter can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.cline.adapter import ClineAdapter
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.contract import Adapter
from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.adapters.cursor.adapter import CursorAdapter
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from agtmuxd.adapters.generic.adapter import GenericAdapter
from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from agtmuxd.adapters.pi.adapter import PiAdapter
from agtmuxd.adapters.qwen.adapter import QwenAdapter
from agtmuxd.adapters.registry import Registry

GROUP: Final = "agtmux.adapters"
BUILT_IN: Final[tuple[Callable[[], Adapter], ...]] = (
    ClaudeAdapter, CodexAdapter, GeminiAdapter, CopilotAdapter, OpenCodeAdapter, PiAdapter, QwenAdapter, ClineAdapter,
    CursorAdapter, GenericAdapter,
)  # fmt: skip


def discover(disabled: Iterable[str] = (), points: Iterable[EntryPoint] | None = None) -> Registry:
    """Return the shipped adapters and those of the entry-point group, without the agent types in ``disabled``.

    An entry point names a class or a function that makes an adapter. If it fails to load, it is refused with the
    reason.
    """
    registry = Registry()
    off = set(disabled)
    for make in BUILT_IN:
        adapter = make()
        if adapter.agent_type not in off:
            registry.add(adapter)
    for point in entry_points(group=GROUP) if points is None else points:
        if point.name in off:
            continue
        try:
            made = point.load()()
        except Exception as e:  # noqa: BLE001 - see isolation.IsolatedAdapter
            registry.refused[point.name] = f"adapter {point.name}: {type(e).__name__}: {e}"[:500]
            continue
        registry.add(made)
    return registry
