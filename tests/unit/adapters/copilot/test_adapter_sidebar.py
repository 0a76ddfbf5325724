"""Copilot with its sidebar of sessions open: what is beside it is read, and the marks of sessions that do not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.core.model import Claim, Sample
from tests.corpus import recording

OPEN = recording.load("copilot/r17-sidebar-100x26")
ADAPTER = CopilotAdapter()


def at(t_ms: int) -> Sample:
    return OPEN.sample_at(t_ms)


@pytest.mark.tc("TC-036")
@pytest.mark.parametrize(
    ("t_ms", "claim", "rule"),
    [
        (19_000, Claim.RUNNING, "working"), (25_500, Claim.WAITING_APPROVAL, "approval"),
        (35_000, Claim.WAITING_INPUT, "question"), (44_500, Claim.IDLE, "cancelled"), (50_000, Claim.ERROR, "failed"),
        (62_000, Claim.WAITING_APPROVAL, "sidebar"),
    ],
)  # fmt: skip
def test_a_sidebar_hides_nothing(t_ms: int, claim: Claim, rule: str) -> None:
    found = ADAPTER.look(at(t_ms), None)
    assert found is not None and (found.claim, found.rule) == (claim, rule)


@pytest.mark.tc("TC-036")
def test_a_box_beside_the_sidebar_says_what_it_asks() -> None:
    found = ADAPTER.look(at(25_500), None)
    assert found is not None and found.waiting_for is not None
    assert (found.waiting_for.subject, found.waiting_for.text) == (
        "Quick",
        "touch ./q; sleep 1 Do you want to run this command?",
    )


@pytest.mark.tc("TC-036")
def test_a_mark_in_the_sidebar_says_that_another_session_asks() -> None:
    sample = at(62_000)
    for mark, claim in (("!", Claim.WAITING_APPROVAL), ("?", Claim.WAITING_INPUT), ("●", Claim.IDLE)):
        rows = tuple(row.replace("  !  ", f"  {mark}  ", 1) if row.startswith("  !  ") else row for row in sample.lines)
        found = ADAPTER.look(replace(sample, lines=rows), None)
        assert found is not None and found.claim is claim


@pytest.mark.tc("TC-036")
def test_words_like_a_mark_are_none_where_no_sidebar_is_open() -> None:
    sample = at(9_000)
    quoted = replace(sample, lines=(sample.lines[0], "  !  hello there              │", *sample.lines[2:]))
    found = ADAPTER.look(quoted, None)
    assert found is not None and found.claim is Claim.NOT_RUNNING
