"""An adapter of the documentation, and what is handed to it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from agtmuxd.adapters.contract import Ending, Identity
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.core.model import Proc, RawEvent, Sample, Signal, Source
from agtmuxd.core.screen.rule_file import load

RULES = """
format = 1
agent = "toy"
[[rule]]
name = "busy"
claim = "running"
strength = "hint"
all = [{ contains = "thinking hard" }]
"""


class ToyAdapter(RuleAdapter):
    """A third party's adapter: its own file, nothing of core."""

    name = "toy"
    agent_type = "toy"

    def __init__(self) -> None:
        super().__init__(load(RULES, "toy.toml", "toy"))

    def identify(self, proc: Proc) -> Identity | None:
        return Identity("toy") if proc.comm == "toy" else None

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        return Signal(event.event_type)

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        return home / ".toy"

    def ended_in_order(self, ending: Ending) -> bool | None:
        return None


def proc(comm: str) -> Proc:
    return Proc(5, 1, 5, 5, 1, "S", "9", comm, (comm,))


def event(kind: str) -> RawEvent:
    return RawEvent("e1", kind, Source.HOOK, "broken", 1, 1, "d")


def point(name: str, where: str) -> EntryPoint:
    return EntryPoint(name=name, value=where, group="agtmux.adapters")


SAMPLE = Sample(("thinking", "hard"), "", False, True, 0, 0, 20, 5)
