"""The registry: others may add adapters, old contracts are refused, what one raises harms nobody."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.contract import CONTRACT_VERSION, Adapter, Ending, Identity
from agtmuxd.adapters.discovery import BUILT_IN, discover
from agtmuxd.adapters.isolation import STRIKES, IsolatedAdapter
from agtmuxd.adapters.registry import Registry
from agtmuxd.adapters.samples import from_capture
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.adapters.validation import ContractError, check_contract
from agtmuxd.core.model import Ancestor, Claim, Proc, RawEvent, Sample, Signal, Source
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

SHIPPED = ["claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cline", "cursor", "generic"]


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


def proc(comm: str) -> Proc:
    return Proc(5, 1, 5, 5, 1, "S", "9", comm, (comm,))


SAMPLE = Sample(("thinking", "hard"), "", False, True, 0, 0, 20, 5)


def event(kind: str) -> RawEvent:
    return RawEvent("e1", kind, Source.HOOK, "broken", 1, 1, "d")


def point(name: str, where: str) -> EntryPoint:
    return EntryPoint(name=name, value=where, group="agtmux.adapters")


@pytest.mark.tc("TC-046")
def test_an_installed_adapter_joins_by_its_entry_point_alone() -> None:
    registry = discover(points=[point("toy", f"{__name__}:ToyAdapter")])
    assert [a.agent_type for a in registry] == [*SHIPPED, "toy"]
    found = registry.identify(proc("toy"))
    assert found is not None
    assert found[0].agent_type == "toy"
    write = found[0].look(SAMPLE, None)
    assert write is not None
    assert write.claim is Claim.RUNNING


@pytest.mark.tc("TC-046")
def test_an_entry_point_that_does_not_load_is_refused_with_its_reason() -> None:
    registry = discover(points=[point("ghost", "no_such_module_here:Adapter")])
    assert "ghost" in registry.refused["ghost"]
    assert len(registry.adapters) == len(BUILT_IN)


def test_a_disabled_agent_type_is_left_out() -> None:
    assert [a.agent_type for a in discover(disabled=["codex"], points=())] == [a for a in SHIPPED if a != "codex"]


def test_an_agent_type_is_given_once() -> None:
    class Usurper(ToyAdapter):
        name = "usurper"
        agent_type = "claude"

    registry = discover(points=())
    registry.add(Usurper())
    assert "already has an adapter" in registry.refused["usurper"]
    assert isinstance(registry.adapters["claude"].adapter, ClaudeAdapter)


@pytest.mark.tc("TC-047")
@pytest.mark.parametrize("version", [CONTRACT_VERSION, "1.0", "1.7", "1.99.3", "1.2.0-rc1"])
def test_a_newer_minor_of_the_contract_is_accepted(version: str) -> None:
    check_contract("x", version)


@pytest.mark.tc("TC-047")
@pytest.mark.parametrize("version", ["0.9", "2.0", "2.0.1", "10.0", "1", "", "one", None, 1.0])
def test_another_major_or_no_version_is_refused_with_a_reason(version: object) -> None:
    with pytest.raises(ContractError) as caught:
        check_contract("x", version)
    assert "adapter x" in str(caught.value)
    assert repr(version) in str(caught.value) or str(version) in str(caught.value)


@pytest.mark.tc("TC-047")
def test_a_refused_adapter_is_not_used_and_the_reason_kept() -> None:
    class Future(ToyAdapter):
        contract_version = "2.0"

    registry = Registry()
    registry.add(Future())
    assert registry.get("toy") is None
    assert "2.0" in registry.refused["toy"]


def test_something_that_is_no_adapter_is_refused() -> None:
    class Half:
        name = "half"
        contract_version = CONTRACT_VERSION

    registry = Registry()
    registry.add(Half())  # type: ignore[arg-type]
    assert "contract" in registry.refused["half"]


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


def test_the_shipped_adapters_keep_the_contract() -> None:
    for fenced in discover(points=()):
        assert isinstance(fenced.adapter, Adapter)
        assert isinstance(fenced, Adapter)


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


def test_what_a_process_is_stays_known_to_one_thread_while_another_reads_rules_anew() -> None:
    registry = discover([])
    link = Ancestor(70, "s", ("claude",), "claude")

    class Forgetful(dict[Any, Any]):
        """Rules are read anew right behind the first thing that becomes known."""

        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, value)
            registry.use_rules({})

    registry._kinds = Forgetful()
    kind = registry.kind_of(link)
    assert kind is not None
    assert kind.agent_type == "claude"
