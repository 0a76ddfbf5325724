"""Topics, caps and the condition of a signal."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.signals.model import checked_range, checked_topic, digest, parse_operand, payload_cap

pytestmark = pytest.mark.tc("TC-742")


@pytest.mark.parametrize("topic", ["built", "team/web/built", "agent/claude-1/x.y_z"])
def test_a_topic_has_plain_parts(topic: str) -> None:
    assert checked_topic(topic) == topic
    assert checked_range(f"{topic}/") == f"{topic}/"


@pytest.mark.parametrize(
    "topic", ["", "/a", "a//b", "a/", "a b", "../x", "a>1", "-a", "a/.b", "x" * 65, "a/" * 8 + "a"]
)
def test_other_texts_are_no_topics(topic: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        checked_topic(topic)
    assert caught.value.code == "E_INVALID_REQUEST"


def test_the_first_pattern_that_fits_gives_the_cap() -> None:
    caps = {"team/web/big": 90, "team/web/*": 10, "*": 20}
    assert [payload_cap(topic, caps, 50) for topic in ("team/web/big", "team/web/x", "team/db/x")] == [90, 10, 20]
    assert payload_cap("a", {}, 50) == 50


def test_a_condition_may_name_a_sequence() -> None:
    assert parse_operand("a/b>12") == ("a/b", 12)
    assert parse_operand("a/b") == ("a/b", None)
    for wrong in ("a/b>", "a/b>x", ">1", "a b>1"):
        with pytest.raises(AgtmuxError):
            parse_operand(wrong)


def test_another_topic_or_payload_is_another_request() -> None:
    assert digest("a", b"1") == digest("a", b"1")
    assert len({digest("a", b"1"), digest("a", b"2"), digest("a1", b"")}) == 3
