"""Support any program wrapped by ``agtmux run -- COMMAND``: it runs from its start to its end, and its result is known.

Owns how to recognise such a wrapper and what its two events mean. Knows nothing about what the program does in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import base_name
from agtmuxd.adapters.contract import CONTRACT_VERSION, Capabilities, Ending, HookPlan, HookStatus, Identity
from agtmuxd.adapters.generic.run_command import wrapper_of
from agtmuxd.adapters.shared import checked_payload, first_line
from agtmuxd.core.model import Claim, Phase, Proc, RawEvent, Sample, Signal, Write

AGENTS: Final = frozenset({"claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cline", "cursor-agent"})
"""Programs that have an adapter of their own. Wrapped, they are still recognised as themselves."""

INTERRUPTED: Final = 130
"""A shell's exit status for Ctrl-C. You pressed it, so you need no notice."""

_RUNS: Final = Write(Claim.RUNNING, "the wrapped program runs")


class GenericAdapter:
    """A program that ``agtmux run`` wraps."""

    name = "generic"
    agent_type = "generic"
    version = "1.0.0"
    contract_version = CONTRACT_VERSION
    capabilities = Capabilities(
        event_driven=True,
        polling_required=False,
        supports_waiting_approval=False,
        supports_waiting_input=False,
        supports_completed=True,
    )
    innermost = False

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise the wrapper's own process, unless it wraps an agent."""
        wrapper = wrapper_of(proc.argv)
        if wrapper is None or base_name(wrapper.command[0]) in AGENTS:
            return None
        return Identity(self.agent_type, gives_way=True)

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn ``start`` and ``exit`` into signals. Raises ValueError for anything else."""
        payload = checked_payload(event, self.agent_type)
        if event.event_type == "start":
            command = payload.get("command")
            words = [w for w in command if isinstance(w, str)] if isinstance(command, list) else []
            write = Write(Claim.RUNNING, "start", phase=Phase.START)
            return Signal("turn_start", (write,), task=first_line(" ".join(words)))
        if event.event_type != "exit":
            raise ValueError(f"{event.event_type!r} is not an event of the wrapper: use start or exit")
        code = payload.get("exit_code")
        if code == 0:
            return Signal("turn_end", (Write(Claim.COMPLETED, "exit 0", phase=Phase.END),), session_ended=True)
        if code == INTERRUPTED:
            return Signal("turn_interrupted", (Write(Claim.IDLE, "exit 130", phase=Phase.END),), session_ended=True)
        rule, detail = (f"exit {code}", f"exited {code}") if isinstance(code, int) else ("exit", "ended")
        return Signal("turn_failed", (Write(Claim.ERROR, rule, phase=Phase.END, detail=detail),))

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Claim that it runs, whatever its screen shows."""
        return _RUNS

    def status_path(self, proc: Proc, config_home: Path) -> Path | None:
        """Return None: there is no status file."""
        return None

    def read_status(self, data: Mapping[str, Any], proc: Proc) -> Sequence[Write]:
        """Return nothing: there is no status file."""
        return ()

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return the home folder. Nothing is kept there."""
        return home

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Return True only if the wrapper reported that its program ended with 0."""
        return ending.session_ended

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Return nothing: the wrapper reports by itself."""
        return ()

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return nothing: the wrapper reports by itself."""
        return ()
