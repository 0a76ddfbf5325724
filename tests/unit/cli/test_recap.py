"""``agtmux recap``: the times it takes, and how it writes what happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import pytest

from agtmux.cli.recap import lines, since_of, span

pytestmark = pytest.mark.tc("TC-253")
NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("8h", "2026-03-10T01:30:00.000+00:00"), ("90m", "2026-03-10T08:00:00.000+00:00"),
        ("07:15", "2026-03-10T07:15:00.000+00:00"), ("22:00", "2026-03-09T22:00:00.000+00:00"),
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000+00:00"),
    ],
)  # fmt: skip
def test_a_time_is_a_span_a_clock_time_or_a_date(text: str, at: str) -> None:
    assert since_of(text, NOW) == at


@pytest.mark.parametrize("text", ["yesterday", "25:00", "8", "-8h", "", "9999999999999d"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.UsageError, match="write it like 8h"):
        since_of(text, NOW)


def item(**more: Any) -> dict[str, Any]:
    return {
        "agent_type": "claude", "project": "shop", "branch": "main",
        "identity": {"target": "host", "session_name": "w"},
        "window_index": 1, "pane_index": 0, "ended_at": None, "waited_s": 0.0, "wait_count": 0, "waits": [],
        "finished": 0, "failed": 0, "failures": [], "running_s": 0.0, **more,
    }  # fmt: skip


def body(*items: dict[str, Any], begins: str = "2026-03-10T00:00:00Z") -> dict[str, Any]:
    total = {"agents": len(items), "finished": 1, "failed": 1, "waited_s": 4000.0}
    return {"since": "2026-03-10T01:30:00Z", "log_begins": begins, "summary": total, "items": list(items)}


def test_it_says_who_waited_and_for_what() -> None:
    wait = {"waited_s": 1860.0, "since": "2026-03-10T07:00:00Z", "until": None, "subject": "Bash", "text": "rm -rf b",
            "state": "waiting_approval"}  # fmt: skip
    out = lines(body(item(wait_count=3, waited_s=2520.0, waits=[wait])), NOW)
    assert "  claude shop:main w:1.0: 3 times, 42 min" in out
    assert any(line.startswith("    31 min from ") and line.endswith("Bash rm -rf b, still waiting") for line in out)


def test_it_says_what_failed_and_where_the_log_begins() -> None:
    bad = item(failed=1, failures=[{"at": "2026-03-10T08:00:00Z", "detail": "HTTP\x1b[31m 429"}])
    out = lines(body(bad, begins="2026-03-10T06:00:00Z"), NOW)
    assert any("nothing is known of the time before" in line for line in out)
    assert any("429" in line and "\x1b" not in line for line in out)


def test_a_quiet_time_is_said_so() -> None:
    assert lines(body(), NOW)[-1] == "Nothing happened."


def test_spans_have_one_or_two_units() -> None:
    assert [span(s) for s in (0, 59, 60, 3599, 3661, 86400)] == [
        "0 s",
        "59 s",
        "1 min",
        "59 min",
        "1 h 01 min",
        "24 h 00 min",
    ]


@pytest.mark.tc("TC-919")
def test_it_says_what_agents_sent_to_people_and_which_leases_were_taken_over() -> None:
    """Texts are not shown. An older daemon says nothing of it."""
    message = {"at": "2026-03-10T07:00:00Z", "message_id": "m-1", "kind": "review_request", "sender": "agent:builder"}
    taken = {"at": "2026-03-10T08:00:00Z", "what": "src/**", "holder": "agent:x", "reason": "taken by person"}
    counts = {"to_people": 1, "results": 0, "answers": 2, "overdue": 0, "undelivered": 0, "leases_taken": 1}
    found = {**counts, "messages": [message], "takeovers": [taken]}
    out = lines({**body(item(finished=1, agent={"name": "builder"})), "coordination": found}, NOW)
    assert out[-8:] == [
        "  builder shop:main w:1.0: 1 finished, 0 s running", "", "Messages", "  1 to people, 2 answers",
        "    Mar 10 07:00  agent:builder: review request", "", "Leases taken over",
        "  Mar 10 08:00  src/** of agent:x, taken by person",
    ]  # fmt: skip
