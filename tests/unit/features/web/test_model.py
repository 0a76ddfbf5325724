"""Codes are taken once and in time; bad attempts are counted without making good ones wait."""

from __future__ import annotations

import pytest

from agtmuxd.api.route import WebScope
from agtmuxd.core.model import NS
from agtmuxd.features.web.model import BAD_FOR, CODE_FOR, MOST_CODES, BadAttempts, LinkCodes, digest, free_name

pytestmark = pytest.mark.tc("TC-291")
NOW = 1_000 * NS


def test_a_code_is_taken_once() -> None:
    codes = LinkCodes()
    codes.add("c-1", "phone", WebScope.ACT, NOW)
    found = codes.take("c-1", NOW + 1)
    assert found is not None
    assert (found.name, found.scope) == ("phone", WebScope.ACT)
    assert codes.take("c-1", NOW + 2) is None


@pytest.mark.parametrize(("after", "taken"), [(CODE_FOR - 1, True), (CODE_FOR, False), (CODE_FOR + NS, False)])
def test_a_code_holds_for_ninety_seconds(after: int, taken: bool) -> None:
    codes = LinkCodes()
    codes.add("c-1", "phone", WebScope.ACT, NOW)
    assert (codes.take("c-1", NOW + after) is not None) is taken


def test_a_second_code_for_a_name_makes_the_first_one_void() -> None:
    codes = LinkCodes()
    codes.add("c-1", "phone", WebScope.ALL, NOW)
    codes.add("c-2", "phone", WebScope.OBSERVE, NOW)
    assert codes.take("c-1", NOW) is None
    found = codes.take("c-2", NOW)
    assert found is not None and found.scope is WebScope.OBSERVE


def test_no_more_codes_wait_than_allowed_and_no_old_ones_are_kept() -> None:
    codes = LinkCodes()
    for number in range(MOST_CODES + 3):
        codes.add(f"c-{number}", f"n-{number}", WebScope.ACT, NOW)
    assert len(codes.names(NOW)) == MOST_CODES
    assert codes.take("c-0", NOW) is None
    assert codes.take(f"c-{MOST_CODES + 2}", NOW) is not None
    codes.add("new", "new", WebScope.ACT, NOW + CODE_FOR)
    assert codes.names(NOW + CODE_FOR) == {"new"}


def test_five_bad_attempts_a_minute_are_answered_and_the_next_is_told_how_long_to_wait() -> None:
    bad = BadAttempts()
    assert [bad.add(NOW + second * NS) for second in range(5)] == [None] * 5
    assert bad.add(NOW + 10 * NS) == 50
    assert bad.add(NOW + BAD_FOR - 1) == 1
    assert bad.add(NOW + BAD_FOR) is None, "the first one is a minute ago, so there is room for one more"
    assert bad.add(NOW + BAD_FOR) == 1
    assert bad.total == 9


def test_a_digest_does_not_hold_the_secret_and_takes_any_text() -> None:
    assert len(digest("x")) == 64
    assert digest("a") != digest("b")
    assert digest("\ud800")


def test_a_device_without_a_name_gets_the_first_free_one() -> None:
    assert free_name(set()) == "browser"
    assert free_name({"browser", "browser-2", "phone"}) == "browser-3"
