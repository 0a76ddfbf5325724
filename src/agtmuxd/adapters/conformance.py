"""Check that an adapter meets the contract. For authors of adapters, in this repository or in another package.

    def test_the_adapter_keeps_the_contract(tmp_path):
        assert violations(ToyAdapter(), tmp_path) == []

Owns the checks. Knows no agent. Only recordings of the real program can show that the states are right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.contract import Adapter, Ending
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.adapters.registry import Registry
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.core.model import Claim, Proc, RawEvent, Sample, Signal, Source
from agtmuxd.core.state.registers import WAITS

_SHELL: Final = Sample(("$ ls", "a b", "$"), "host", False, True, 2, 2, 80, 24)
_COMMAND: Final = "/opt/agtmux hook"
_NAMES: Final = ("Stop", "SessionStart", "Notification", "PermissionRequest", "start", "exit", "no such event")
_ODD: Final[tuple[Any, ...]] = (
    None, [], "x", {}, {"hook_event_name": 7}, {"prompt": ["x"]}, {"tool_input": "x", "tool_name": {}},
    {"error": "x", "status": []}, {"questions": [None], "session_id": 3}, {"message": {"text": []}, "cwd": 1},
)  # fmt: skip


def violations(adapter: Any, folder: Path) -> list[str]:
    """Return the rules of the contract that ``adapter`` breaks, one line each.

    ``folder``: an empty folder, where hooks are installed and removed.
    """
    registry = Registry()
    registry.add(adapter)
    if registry.refused:
        return list(registry.refused.values())
    return [*_names(adapter), *_processes(adapter), *_events(adapter), *_screens(adapter), *_hooks(adapter, folder)]


def _names(adapter: Adapter) -> Iterator[str]:
    for what in ("name", "agent_type"):
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", getattr(adapter, what)):
            yield f"{what}: {getattr(adapter, what)!r} must be a short word of lower-case letters, digits and -"
    if not re.fullmatch(r"\d+\.\d+\.\d+", adapter.version):
        yield f"version: {adapter.version!r} must be a version like 1.0.0"


def _process(comm: str, *argv: str) -> Proc:
    return Proc(10, 1, 10, 10, 1, "S", "7", comm, argv)


def _processes(adapter: Adapter) -> Iterator[str]:
    name = adapter.agent_type
    others = (
        ("", ()), ("bash", ("bash", "-c", f"{name} run")), ("bash", ("-bash",)), ("vim", ("vim", f"{name}.md")),
        ("grep", ("grep", "-r", name)), ("tail", ("tail", "-f", f"/var/log/{name}.log")),
    )  # fmt: skip
    for comm, argv in others:
        try:
            found = adapter.identify(_process(comm, *argv))
        except Exception as error:  # noqa: BLE001 - every exception is reported
            yield f"identify: raises {type(error).__name__} for {list(argv)}: {error}"
        else:
            if found is not None:
                yield f"identify: {list(argv)} is recognised as no agent, or as another one"


def _event(agent: str, name: str, payload: Any) -> RawEvent:
    return RawEvent("e", name, Source.HOOK, agent, 1, 1, "d", payload=payload)


def _events(adapter: Adapter) -> Iterator[str]:
    try:
        adapter.normalise(_event("another", "Stop", {}), {})
        yield "normalise: accepts another agent's event; raise ValueError for it (adapters.shared.checked_payload does)"
    except ValueError:
        pass
    proxy = IsolatedAdapter(adapter)
    for name in _NAMES:
        for payload in _ODD:
            for prior in ({}, {"headless": True, "agent_session_id": "s"}):
                before = proxy.errors
                try:
                    signal = proxy.normalise(_event(adapter.agent_type, name, payload), prior)
                except ValueError:
                    continue
                if proxy.errors > before:
                    yield (
                        f"normalise: raises for {name} with {payload!r}: {proxy.last_error}; to refuse an "
                        "event, raise ValueError"
                    )
                elif not isinstance(signal, Signal):
                    yield f"normalise: gives {signal!r} for {name}; expected a Signal"
                elif prior and any(write.claim in WAITS for write in signal.writes):
                    yield f"normalise: {name} says that a headless run waits for you; a headless run cannot ask"


def _screens(adapter: Adapter) -> Iterator[str]:
    proxy = IsolatedAdapter(adapter)
    if adapter.capabilities.polling_required and proxy.look(_SHELL, None) is not None:
        yield "look: returns a claim for the screen of a shell; expected None"
    for sample in (
        Sample((), "", False, False, 0, 0, 1, 1),
        Sample(("x" * 40,) * 10, "\u2026", True, True, 39, 9, 40, 10),
    ):
        for before in (None, *Claim):
            proxy.look(sample, before)
        proxy.ended_in_order(Ending(sample, sample.title, False, None, None))
    if proxy.errors:
        yield f"look: fails on a screen: {proxy.last_error}"
    if isinstance(adapter, RuleAdapter) and not adapter.rules.recorded_on:
        yield from (
            f"rule {rule.name}: must be a hint, because recorded_on names no version"
            for rule in adapter.rules.rules
            if rule.strength.value != "hint"
        )


def _hooks(adapter: Adapter, folder: Path) -> Iterator[str]:
    try:
        for remove in (False, False, True):
            plans = adapter.plan_hooks(folder, _COMMAND, remove=remove)
            for plan in plans:
                if plan.after is None:
                    plan.path.unlink(missing_ok=True)
                else:
                    plan.path.parent.mkdir(parents=True, exist_ok=True)
                    plan.path.write_text(plan.after, encoding="utf-8")
            statuses = adapter.hook_status(folder, _COMMAND)
            if plans and any(status.installed is remove for status in statuses):
                says = "installed" if remove else "not installed"
                yield f"hook_status: returns {says} after plan_hooks(remove={remove})"
            if any(plan.changes for plan in adapter.plan_hooks(folder, _COMMAND, remove=remove)):
                yield f"plan_hooks(remove={remove}): still plans a change after the change was made"
    except ValueError as error:
        yield f"plan_hooks: fails for an empty folder: {error}"
    left = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    if left:
        yield f"plan_hooks: leaves {', '.join(left)} after the hooks were removed"
