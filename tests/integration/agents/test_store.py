"""The rows of agents, bindings, teams and requests."""

from __future__ import annotations

import sqlite3

import pytest

from agtmuxd.agents.model import Agent, SessionKey, Team
from agtmuxd.agents.store import (
    add_agent,
    add_binding,
    add_team,
    end_binding,
    find_request,
    free_name,
    is_used,
    load_agents,
    load_directory,
    next_number,
    remove_agent,
    remove_team,
    save_agent,
    save_request,
)
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-604")


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("PRAGMA foreign_keys = ON")
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
    add_binding(connection, "b3", "b", "rt-1", 1, 9, "take", "person")
    assert [(one.name, one.runtime_id, one.epoch, one.bound_by) for one in load_agents(connection)] == [
        ("a", None, 1, "agtmux"), ("b", "rt-1", 1, "person")
    ]  # fmt: skip


def test_an_agent_without_a_runtime_keeps_the_session_that_it_was_last(connection: sqlite3.Connection) -> None:
    add_agent(connection, Agent("a", "a", 5))
    for epoch, session in ((1, None), (2, SessionKey("t-host", "claude", "s-1"))):
        add_binding(connection, f"b{epoch}", "a", f"rt-{epoch}", epoch, 6, "auto")
        end_binding(connection, "a", 7 + epoch, session)
    (one,) = load_agents(connection)
    assert (one.epoch, one.ended_at, one.session) == (2, 9, SessionKey("t-host", "claude", "s-1"))


def test_a_name_is_one_agent_in_any_case_of_letters(connection: sqlite3.Connection) -> None:
    add_agent(connection, Agent("1", "Builder", 5))
    with pytest.raises(sqlite3.IntegrityError):
        add_agent(connection, Agent("2", "builder", 5))
    save_agent(connection, Agent("1", "Builder", 5, retired_at=6), None)
    add_agent(connection, Agent("2", "builder", 5))


def test_numbers_of_a_type_are_given_once(connection: sqlite3.Connection) -> None:
    assert [next_number(connection, kind) for kind in ("claude", "claude", "codex", "claude")] == [1, 2, 1, 3]
    add_agent(connection, Agent("1", "Claude-4", 5))
    assert free_name(connection, "claude") == "claude-5", "a person has used that name"


def test_an_agent_that_another_table_names_is_in_use(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE notes (holder_agent_id TEXT, agent_id TEXT)")
    for name in ("a", "b", "c"):
        add_agent(connection, Agent(name, name, 5))
    connection.execute("INSERT INTO notes VALUES ('a', NULL), (NULL, 'b')")
    assert [is_used(connection, name) for name in ("a", "b", "c")] == [True, True, False]
    add_binding(connection, "b1", "c", "rt-1", 1, 6, "auto")
    remove_agent(connection, "c")
    assert [one.name for one in load_agents(connection)] == ["a", "b"]


def test_agents_stay_when_their_team_is_removed(connection: sqlite3.Connection) -> None:
    team = Team("t1", "web", 5, "pane", "lead")
    add_team(connection, team)
    add_agent(connection, Agent("a", "lead", 5, scopes=("src/**",), deliver="pull", owner="Ada"), "t1")
    stored = load_directory(connection)
    assert list(stored.teams) == [team]
    assert stored.agents[0] == Agent("a", "lead", 5, "web", scopes=("src/**",), deliver="pull", owner="Ada")
    add_agent(connection, Agent("b", "lead", 5), None)
    with pytest.raises(sqlite3.IntegrityError):
        remove_team(connection, "t1")  # both agents would have one name
    save_agent(connection, Agent("b", "other", 5), None)
    remove_team(connection, "t1")
    assert [one.team for one in load_agents(connection)] == [None, None]


def test_a_request_is_remembered_for_a_week(connection: sqlite3.Connection) -> None:
    save_request(connection, "r-1", "digest", "{}", 1)
    assert find_request(connection, "r-1") == ("digest", "{}")
    save_request(connection, "r-2", "digest", "{}", 8 * 86_400 * 1_000_000_000)
    assert find_request(connection, "r-1") is None
