"""What the doctor says of the daemon, its health and its notifications."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux.client import Client
from agtmux.doctor import daemon
from agtmux.protocol.errors import AgtmuxError
from agtmux.service.state import ServiceState
from tests.unit.daemon_stub import STAMP, Stub
from tests.unit.doctor.world import codes, facts, fixes, target

GONE = AgtmuxError("E_DAEMON_UNREACHABLE", "no daemon answers at /r: run agtmux daemon start")


@pytest.mark.tc("TC-521")
@pytest.mark.parametrize(
    ("given", "found", "fix"),
    [
        ({"unreachable": GONE}, ("warning", "absent"), "agtmux daemon start"),
        ({"unreachable": GONE, "holder": 7}, ("problem", "lost"), "agtmux daemon restart"),
        (
            {"unreachable": AgtmuxError("E_FORBIDDEN", "uid 7 listens at /r: run agtmux daemon restart")},
            ("problem", "unreachable"),
            "agtmux daemon restart",
        ),
        (
            {"service": ServiceState("systemd", {"f": "ours"}, listening=True)},
            ("note", "waits"),
            "agtmux daemon start",
        ),
    ],
)
def test_a_daemon_that_is_not_there_is_named_with_what_to_type(
    given: dict[str, Any], found: tuple[str, str], fix: str
) -> None:
    seen = list(daemon.running(facts(health=None, **given)))
    assert codes(seen) == [found]
    assert fixes(seen) == [fix]


@pytest.mark.tc("TC-521")
@pytest.mark.parametrize(
    ("version", "more"), [("0.0.1", ("warning", "older")), ("99.0", ("warning", "newer")), (None, None)]
)
def test_another_version_of_the_daemon_is_a_warning(version: str | None, more: tuple[str, str] | None) -> None:
    seen = codes(daemon.running(facts(healthy={"version": version} if version else {})))
    assert seen == [("ok", "running"), *([more] if more else [])]


@pytest.mark.tc("TC-521")
@pytest.mark.parametrize(
    ("healthy", "found"),
    [
        ({}, [("ok", "healthy")]),
        ({"last_errors": ["rules not loaded: x"]}, [("note", "error"), ("ok", "healthy")]),
        (
            {"status": "degraded", "last_errors": ["log: no space"]},
            [("warning", "error"), ("problem", "degraded")],
        ),
        ({"status": "degraded", "targets": [target(health="down")]}, [("note", "degraded")]),
        ({"counters": {"loop_lag_ms": 900}}, [("warning", "slow"), ("ok", "healthy")]),
        ({"counters": {"failed_operations": 2}}, [("note", "failed_operations"), ("ok", "healthy")]),
        (
            {"adapters": [{"name": "claude", "errors": 3, "last_error": "KeyError: x"}]},
            [("warning", "adapter"), ("ok", "healthy")],
        ),
        ({"last_errors": ["notify: ntfy: 500", "retention: the clock jumped 3 days"]}, [("ok", "healthy")]),
    ],
)
def test_why_health_is_degraded_is_said(healthy: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Each error once: those of targets, clocks and notifications stand with their own checks."""
    assert codes(daemon.healthy(facts(healthy=healthy))) == found


def channel(**fields: Any) -> dict[str, Any]:
    return {
        "channel": "phone", "kind": "ntfy", "state": "ok", "last_success": STAMP, "last_error": None, "undelivered": 0,
        **fields,
    }  # fmt: skip


@pytest.mark.tc("TC-521")
@pytest.mark.parametrize(
    ("status", "found", "fix"),
    [
        ({"channels": []}, [("ok", "channels")], []),
        ({"channels": [channel()]}, [("ok", "channels")], []),
        (
            {"channels": [channel(state="failing", last_error="410 Gone")]},
            [("warning", "channel")],
            ["agtmux notify test phone"],
        ),
        (
            {"channels": [channel(state="disabled"), channel(channel="desk")]},
            [("warning", "channel"), ("ok", "channels")],
            ["agtmux notify test phone"],
        ),
        (
            {"channels": [channel(state="unused", last_success=None)]},
            [("note", "untried"), ("ok", "channels")],
            ["agtmux notify test phone"],
        ),
        (
            {"channels": [channel()], "muted_until": STAMP, "dead": [{}]},
            [("note", "muted"), ("note", "dead"), ("ok", "channels")],
            ["agtmux unmute", "agtmux notify retry"],
        ),
    ],
)
def test_a_channel_that_fails_is_a_warning_whatever_its_kind(
    short_dir: Path, status: dict[str, Any], found: list[tuple[str, str]], fix: list[str]
) -> None:
    stub = Stub(short_dir / "sock").start()
    stub.answer("GET /v1/notify", status)
    seen = list(daemon.notifications(facts(client=Client([str(stub.socket)]))))
    stub.stop()
    assert codes(seen) == found
    assert fixes(seen) == fix


@pytest.mark.tc("TC-521")
def test_a_daemon_without_notifications_is_no_failure(short_dir: Path) -> None:
    stub = Stub(short_dir / "sock").start()
    assert codes(daemon.notifications(facts(client=Client([str(stub.socket)])))) == [("skipped", "no_notify")]
    stub.stop()


@pytest.mark.tc("TC-521")
def test_without_a_daemon_its_checks_are_skipped() -> None:
    for check in (daemon.healthy, daemon.notifications):
        assert codes(check(facts(health=None))) == [("skipped", "no_daemon")]
