"""agtmux policy: the rules, and what they decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, agtmux, listing, out

pytestmark = pytest.mark.tc("TC-746")
RULE = {"rule": "rule 1", "effect": "allow", "subject": "agent:builder", "verb": "act.send", "object": "target:host"}


def test_rules_are_listed_and_none_is_said(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/policies", listing() | {"items": [RULE]})
    assert out(short_dir, "policy", "list") == "rule 1 allow agent:builder act.send target:host\n"
    stub.answer("GET /v1/policies", listing() | {"items": []})
    assert b"there are no rules" in agtmux(short_dir, "policy", "list").stderr


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"allowed": True, "rule": "rule 1", "text": "allow * act *"}, "allowed (rule 1: allow * act *)"),
        ({"allowed": False, "rule": "default", "text": None}, "denied (no rule fits)"),
        (
            {"allowed": False, "rule": "default", "text": None, "topics_below": "team/web/"},
            "denied (no rule fits; topics below team/web/ are allowed)",
        ),
    ],
)
def test_a_test_names_the_rule_that_decides(short_dir: Path, stub: Stub, answer: dict[str, object], text: str) -> None:
    stub.answer("GET /v1/policies/test", answer)
    assert out(short_dir, "policy", "test", "agent:x", "act.send", "target:host") == f"{text}\n"
    assert stub.calls[0].query == {"subject": ["agent:x"], "verb": ["act.send"], "object": ["target:host"]}
