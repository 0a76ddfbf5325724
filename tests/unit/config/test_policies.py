"""The rules of who may do what, in the configuration."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import parse
from agtmuxd.config.policies import VERBS
from agtmuxd.policy.rules import ACTS
from agtmuxd.policy.rules import VERBS as KNOWN

pytestmark = pytest.mark.tc("TC-746")


def rule(**fields: str) -> str:
    whole = {"effect": "allow", "subject": "agent:a", "verb": "act", "object": "*"} | fields
    return "[[policies]]\n" + "\n".join(f'{key} = "{value}"' for key, value in whole.items())


def test_all_verbs_of_rules_can_be_written() -> None:
    assert set(VERBS) == {"*", *KNOWN, *ACTS}


@pytest.mark.parametrize("subject", ["agent:web/builder", "agent:*", "team:web", "uid:1000", "device:my-phone", "*"])
def test_subjects(subject: str) -> None:
    assert parse(rule(subject=subject), "c.toml").policies[0].subject == subject


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"subject": "builder"}, "write agent:NAME, team:NAME"),
        ({"subject": "uid:me"}, "write agent:NAME, team:NAME"),
        ({"verb": "act.sned"}, r"did you mean act\.send\?"),
        ({"object": "pane:host"}, "write target:NAME, agent:NAME, topic:NAME"),
        ({"effect": "auto_approve"}, "c.toml, line 2"),
        ({"match": "x"}, "unknown setting"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(fields: dict[str, str], problem: str) -> None:
    with pytest.raises(AgtmuxError, match=problem):
        parse(rule(**fields), "c.toml")
