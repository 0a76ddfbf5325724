"""How checks are run: side by side, each for itself, for a limited time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agtmux.doctor.checks import CHECKS, Check, run
from agtmux.doctor.facts import Facts
from agtmux.doctor.report import Finding, ok
from agtmux.protocol.errors import AgtmuxError
from tests.unit.doctor.world import codes, facts


@pytest.mark.tc("TC-520")
def test_a_check_that_fails_or_hangs_does_not_end_the_others() -> None:
    """What a check had found before counts. A person hears once what is slow."""
    end = threading.Event()

    def broken(_: Facts) -> Iterator[Finding]:
        yield ok("first", "found before")
        raise KeyError("oops")

    def refused(_: Facts) -> Iterator[Finding]:
        yield from ()
        raise AgtmuxError("E_STORE_UNAVAILABLE", "no store")

    def hangs(_: Facts) -> Iterator[Finding]:
        yield ok("first", "found before")
        end.wait(60)

    def fine(_: Facts) -> Iterator[Finding]:
        yield ok("fine", "x")

    slow: list[list[str]] = []
    checks = [Check(one.__name__, "", one) for one in (broken, refused, hangs, fine)]
    report = run(facts(), checks, slow=slow.append, limit=0.2, slow_after=0.05)
    end.set()
    assert [result.check for result in report.results] == ["broken", "refused", "hangs", "fine"]
    assert [codes(result.findings) for result in report.results] == [
        [("ok", "first"), ("warning", "failed")],
        [("warning", "failed")],
        [("ok", "first"), ("warning", "timeout")],
        [("ok", "fine")],
    ]
    assert slow == [["hangs"]]
    assert "KeyError" in report.results[0].findings[1].text


@pytest.mark.tc("TC-520")
def test_each_check_has_its_own_name_and_says_what_it_looks_at() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.about and len(check.name) <= 10 for check in CHECKS)
