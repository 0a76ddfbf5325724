"""Names of agents."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import Agent, checked_name, named

pytestmark = pytest.mark.tc("TC-603")


@pytest.mark.parametrize("text", ["", "1st", "-x", "a b", "a/b", "a" * 65, "a\n", "ä", "%1"])
def test_a_name_that_could_be_a_ref_an_option_or_unreadable_is_refused(text: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        checked_name(text)
    assert caught.value.code == "E_INVALID_REQUEST"


def test_a_name_is_found_in_any_case_and_a_team_narrows_it() -> None:
    one, two = Agent("1", "Builder", 0, team="web"), Agent("2", "builder", 0)
    assert named([one, two], "BUILDER") == [one, two]
    assert named([one, two], "Web/builder") == [one]
    assert checked_name("claude-1") == "claude-1"
