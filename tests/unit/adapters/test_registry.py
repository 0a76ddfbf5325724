"""The registry: others may add adapters, old contracts are refused, what one raises harms nobody."""

from __future__ import annotations

from typing import Any

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.contract import Adapter
from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import Ancestor
from tests.unit.adapters.toy import ToyAdapter


def test_an_agent_type_is_given_once() -> None:
    class Usurper(ToyAdapter):
        name = "usurper"
        agent_type = "claude"

    registry = discover(points=())
    registry.add(Usurper())
    assert "already has an adapter" in registry.refused["usurper"]
    assert isinstance(registry.adapters["claude"].adapter, ClaudeAdapter)


def test_the_shipped_adapters_keep_the_contract() -> None:
    for fenced in discover(points=()):
        assert isinstance(fenced.adapter, Adapter)
        assert isinstance(fenced, Adapter)


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
