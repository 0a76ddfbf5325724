"""What ``agtmux notify`` prints: tests that failed, what holds back, what was sent and why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agtmux.cli.notify import moment, trace_lines
from tests.unit.daemon_stub import Stub, agtmux, listing, pane

pytestmark = pytest.mark.tc("TC-410")
NOW = 1_767_225_600.0
STAMP = "2026-01-01T00:00:00.000Z"


def delivery(channel: str, state: str, **more: Any) -> dict[str, Any]:
    return {"channel": channel, "part": "first", "state": state, "at": STAMP, "rule": 1, "reason": None, **more}


def status(**more: Any) -> dict[str, Any]:
    channel = {
        "channel": "desk", "kind": "desktop", "body": "full", "state": "failing", "last_success": None,
        "last_failure": STAMP, "last_error": "no\x1b[31m bus", "failures": 2, "undelivered": 1,
    }  # fmt: skip
    return {
        "channels": [channel], "quiet_until": None, "muted_until": None, "mutes": [], "episodes": [], "dead": [],
        **more,
    }  # fmt: skip


def test_a_test_names_each_channel_and_fails_if_one_does(short_dir: Path, stub: Stub) -> None:
    results = [{"channel": "desk", "ok": True, "detail": ""}, {"channel": "log", "ok": False, "detail": "no route"}]
    stub.answer("POST /v1/notify/test", {"results": results})
    done = agtmux(short_dir, "notify", "test")
    assert (done.returncode, done.stdout.decode()) == (1, "ok    desk\nFAIL  log: no route\n")
    stub.answer("POST /v1/notify/test", {"results": results[:1]})
    assert agtmux(short_dir, "notify", "test", "desk").returncode == 0


def test_the_status_shows_what_fails_and_what_holds_back(short_dir: Path, stub: Stub) -> None:
    dead = {"message": "m-1", "channel": "log", "made_at": STAMP, "title": "claude is done", "attempts": 7,
            "last_error": "500"}  # fmt: skip
    episode = {"opened_at": STAMP, "kind": "error", "agent": "claude", "place": "work:1.0", "target": "host",
               "deliveries": [delivery("desk", "sent")]}  # fmt: skip
    body = status(
        quiet_until=STAMP, mutes=[{"pane": None, "until": STAMP}], dead=[dead], episodes=[episode],
    )  # fmt: skip
    stub.answer("GET /v1/notify", body)
    done = agtmux(short_dir, "notify", "status")
    out = done.stdout.decode()
    assert "quiet hours until 2026-01-01 00:00" in out
    assert "muted until 2026-01-01 00:00: everything" in out
    assert "no[31m bus" in out and "\x1b" not in out
    assert "desk sent" in out and "claude is done" in out
    assert "agtmux notify retry" in done.stderr.decode()


def test_without_a_channel_the_status_says_how_to_add_one(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/notify", status(channels=[]))
    assert agtmux(short_dir, "notify", "status").stdout.startswith(b"no channel: add one to ")


def test_why_asks_about_one_pane(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    stub.answer("GET /v1/notify/why", {"items": []})
    done = agtmux(short_dir, "notify", "why", "claude")
    assert done.returncode == 0, done.stderr
    assert b"has never needed you" in done.stdout


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (delivery("desk", "sent"), "  desk: sent 0s ago (rule 1)"),
        (delivery("desk", "skipped", reason="you looked at it"), "  desk: not sent: you looked at it (rule 1)"),
        (delivery("desk", "unknown", reason="the daemon ended"), "  desk: perhaps sent: the daemon ended (rule 1)"),
        (delivery("desk", "dead", reason="no route"), "  desk: failed: no route (rule 1)"),
        (delivery("desk", "hold", at=None, reason="it is muted"), "  desk: waits: it is muted (rule 1)"),
        (delivery("desk", "retry", reason="no bus"), "  desk: failed, waits until 00:00: no bus (rule 1)"),
        (delivery("desk", "send", part="remind", rule=None), "  desk (reminder): is sent now (no rule)"),
    ],
)
def test_each_delivery_is_one_line(one: dict[str, Any], line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    item = {"kind": "error", "opened_at": STAMP, "closed_at": None, "deliveries": [one], "rules_not_for_it": []}
    assert list(trace_lines(item, NOW)) == ["error, 0s ago, still open", line]


def test_rules_that_are_not_for_it_say_why() -> None:
    item = {"kind": "error", "opened_at": STAMP, "closed_at": STAMP, "close_reason": "the agent ended",
            "rules_not_for_it": [{"rule": 2, "reason": "it is not for claude"}]}  # fmt: skip
    assert list(trace_lines(item, NOW)) == [
        "error, 0s ago, ended: the agent ended",
        "  nothing is sent: no channel is configured, or no rule is for it",
        "  rule 2: it is not for claude",
    ]  # fmt: skip


def test_a_time_of_another_day_has_its_date() -> None:
    assert moment(STAMP, NOW) == "00:00"
    assert moment(STAMP, NOW + 200_000) == "2026-01-01 00:00"
    assert moment("soon", NOW) == "soon"


def test_retry_says_how_many(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/notify/retry", {"retried": 2})
    assert agtmux(short_dir, "notify", "retry").stdout == b"sending 2 messages again\n"
    stub.answer("POST /v1/notify/retry", {"retried": 0})
    assert agtmux(short_dir, "notify", "retry").stdout == b"no message has failed\n"
    body = json.loads(agtmux(short_dir, "notify", "retry", "--json").stdout)
    assert body["retried"] == 0
