"""Adapters are found by their entry points."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.discovery import BUILT_IN, discover
from agtmuxd.core.model import Claim
from tests.unit.adapters.toy import SAMPLE, point, proc

SHIPPED = ["claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cline", "cursor", "generic"]


@pytest.mark.tc("TC-046")
def test_an_installed_adapter_joins_by_its_entry_point_alone() -> None:
    registry = discover(points=[point("toy", "tests.unit.adapters.toy:ToyAdapter")])
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
