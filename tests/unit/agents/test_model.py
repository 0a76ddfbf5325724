"""Names of agents."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import Agent, Team, checked_name, level, named

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


def test_a_word_that_refs_and_commands_use_is_no_name() -> None:
    for text in ("claude", "Claude", "person"):
        with pytest.raises(AgtmuxError, match="cannot be a name"):
            checked_name(text, ("claude", "person"))
    assert checked_name("claude-1", ("claude",)) == "claude-1"


@pytest.mark.tc("TC-620")
@pytest.mark.parametrize(
    ("age", "living", "wanted"),
    [
        (0.0, None, "alive"), (60.0, None, "alive"), (61.0, None, "stale"), (301.0, None, "gone"),
        (301.0, True, "stale"), (0.0, False, "gone"), (None, None, "gone"), (None, True, "gone"),
    ],
)  # fmt: skip
def test_a_living_process_counts_more_than_the_age(age: float | None, living: bool | None, wanted: str) -> None:
    assert level(age, living) == wanted


@pytest.mark.tc("TC-624")
def test_an_agent_without_a_setting_of_its_own_gets_messages_as_its_team_says() -> None:
    team = Team("t", "web", 0, deliver="pane")
    assert team.deliver_to(Agent("1", "builder", 0)) == "pane"
    assert team.deliver_to(Agent("1", "builder", 0, deliver="pull")) == "pull"
