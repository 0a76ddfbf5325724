"""The rows of channels."""

from __future__ import annotations

import sqlite3

import pytest

from agtmuxd.features.messages import channel_store as rows
from agtmuxd.features.messages.model import Channel
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-688")


def test_a_channel_is_one_in_any_case_of_letters_and_comes_back_with_its_members() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, load())
    connection.execute("INSERT INTO teams VALUES ('t1', 'Web', 'pull', NULL, 1)")
    rows.add_channel(connection, Channel("c1", "build", 5))
    rows.add_channel(connection, Channel("c2", "build", 6, "Web", "t1"))
    with pytest.raises(sqlite3.IntegrityError):
        rows.add_channel(connection, Channel("c3", "BUILD", 7))
    rows.set_member(connection, "c1", "a1", "pull", 8)
    rows.set_member(connection, "c1", "a1", "none", 9)
    assert [one.channel_id for one in rows.named(connection, "Build")] == ["c1", "c2"]
    assert [one.channel_id for one in rows.named(connection, "web/build")] == ["c2"]
    one = rows.get_channel(connection, "c1")
    assert one is not None and one.members == ({"agent_id": "a1", "notify": "none", "joined_at": 8},)
    assert rows.names_of(connection, {"c1", "c2", "c9"}) == {"c1": "build", "c2": "Web/build"}
    assert rows.remove_member(connection, "c1", "a1") and not rows.remove_member(connection, "c1", "a1")
    assert rows.team_named(connection, "WEB") == ("t1", "Web") and rows.team_of(connection, "a1") == (None, None)
