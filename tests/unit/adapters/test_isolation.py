"""An adapter that raises, or takes too long, is counted and stops nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.contract import Identity
from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.isolation import STRIKES, IsolatedAdapter
from agtmuxd.adapters.registry import Registry
from agtmuxd.adapters.samples import from_capture
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.core.model import Claim, Proc, RawEvent, Sample, Signal
from agtmuxd.core.screen.rule_file import load
from tests.unit.adapters.toy import SAMPLE, ToyAdapter, event, point, proc


class BrokenAdapter(ToyAdapter):
    """Raises in everything."""

    name = "broken"
    agent_type = "broken"

    def identify(self, proc: Proc) -> Identity | None:
        raise RuntimeError("no idea")

    def look(self, sample: Sample, before: Claim | None) -> None:
        raise KeyError("nope")

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        if event.event_type == "bad":
            raise ValueError("bad payload")
        raise RuntimeError("no idea")


def test_what_an_adapter_raises_is_counted_and_stops_nobody() -> None:
    registry = discover(points=[point("broken", f"{__name__}:BrokenAdapter")])
    broken = registry.adapters["broken"]
    assert registry.identify(proc("nobody")) is None
    assert registry.identify(proc("claude")) is not None
    assert broken.look(SAMPLE, None) is None
    assert broken.normalise(event("odd"), {}) == Signal("odd")
    assert broken.errors == 3
    assert broken.last_error is not None
    assert "normalise" in broken.last_error


def test_a_bad_payload_is_an_answer_and_not_a_failure() -> None:
    broken = IsolatedAdapter(BrokenAdapter())
    with pytest.raises(ValueError, match="bad payload"):
        broken.normalise(event("bad"), {})
    assert broken.errors == 0


ENDLESS = """
format = 1
agent = "claude"
recorded_on = ["1"]
extends = true
[[rule]]
name = "endless"
priority = 9999
claim = "running"
strength = "hint"
any = [{ row = '^(a+)+$' }]
"""


@pytest.mark.tc("TC-046")
def test_a_users_rule_that_never_ends_leaves_the_shipped_ones_in_use() -> None:
    registry = Registry()
    registry.add(ClaudeAdapter())
    registry.use_rules({"claude": load(ENDLESS, "claude.toml", "claude")})
    fenced = registry.adapters["claude"]
    sample = from_capture("a" * 60 + "b")
    assert fenced.look(sample, None) is None
    assert (fenced.errors, "rule endless takes too long" in str(fenced.last_error)) == (1, True)
    assert isinstance(fenced.adapter, RuleAdapter)
    assert fenced.adapter.rules is fenced.adapter.shipped
    fenced.look(sample, None)
    assert fenced.errors == 1


class Slow(ClaudeAdapter):
    def look(self, sample: Sample, before: Claim | None) -> None:
        while True:
            sample.rows  # noqa: B018 CPU time


def test_an_adapter_that_takes_too_long_again_and_again_is_not_asked_any_more() -> None:
    fenced = IsolatedAdapter(Slow())
    for _ in range(STRIKES + 2):
        assert fenced.look(from_capture(""), None) is None
    assert (fenced.errors, "not used until" in str(fenced.last_error)) == (STRIKES, True)
    fenced.reset_failures()
    fenced.look(from_capture(""), None)
    assert fenced.errors == STRIKES + 1
