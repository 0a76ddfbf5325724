"""The rows of agents and bindings."""

from __future__ import annotations

import sqlite3

import pytest

from agtmuxd.agents.model import Agent
from agtmuxd.agents.store import add_agent, add_binding, end_binding, load_agents, next_number
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-604")


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, load())
    return made


def test_an_agent_and_a_runtime_have_one_open_binding_each(connection: sqlite3.Connection) -> None:
    for name in ("a", "b"):
        add_agent(connection, Agent(name, name, 5))
    add_binding(connection, "b1", "a", "rt-1", 1, 6, "auto")
    for agent, runtime in (("a", "rt-2"), ("b", "rt-1")):
        with pytest.raises(sqlite3.IntegrityError):
            add_binding(connection, "b2", agent, runtime, 2, 7, "operator")
    end_binding(connection, "a", 8)
    add_binding(connection, "b3", "b", "rt-1", 1, 9, "take")
    assert [(one.name, one.runtime_id, one.epoch) for one in load_agents(connection)] == [
        ("a", None, 1), ("b", "rt-1", 1)
    ]  # fmt: skip


def test_a_name_is_one_agent_in_any_case_of_letters(connection: sqlite3.Connection) -> None:
    add_agent(connection, Agent("1", "Builder", 5))
    with pytest.raises(sqlite3.IntegrityError):
        add_agent(connection, Agent("2", "builder", 5))


def test_numbers_of_a_type_are_given_once(connection: sqlite3.Connection) -> None:
    assert [next_number(connection, kind) for kind in ("claude", "claude", "codex", "claude")] == [1, 2, 1, 3]
