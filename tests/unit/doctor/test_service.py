"""What the doctor says of the daemon's service."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from agtmux.doctor import service
from agtmux.service.state import ServiceState
from tests.unit.doctor.world import codes, facts, fixes

GOOD: dict[str, Any] = {
    "files": {"/u/agtmuxd.service": "ours"}, "enabled": True, "active": True, "listening": True, "pid": 4711,
    "program": sys.executable,
}  # fmt: skip


@pytest.mark.tc("TC-526")
@pytest.mark.parametrize(
    ("fields", "found", "fix"),
    [
        ({}, [("ok", "service")], []),
        ({"files": {}}, [("ok", "no_service")], []),
        ({"linger": False}, [("note", "no_linger"), ("ok", "service")], ["loginctl enable-linger"]),
        ({"linger": True}, [("ok", "service")], []),
        ({"enabled": False}, [("warning", "not_enabled")], ["agtmux daemon install"]),
        ({"stale": True}, [("warning", "stale")], ["systemctl --user daemon-reload"]),
        ({"active": False, "listening": False}, [("warning", "stopped")], ["agtmux daemon start"]),
        ({"active": False}, [("ok", "service")], []),
        (
            {"active": False, "failed": "exit-code"},
            [("problem", "failed")],
            ["journalctl --user -u agtmuxd.service -n 50"],
        ),
        ({"pid": 12}, [("warning", "other_daemon")], ["agtmux daemon restart"]),
        ({"manager": "no systemd user manager answers here"}, [("warning", "no_manager")], [None]),
        ({"files": {"/u/agtmuxd.service": "changed"}}, [("note", "changed"), ("ok", "service")], [None]),
        ({"program": "/nowhere/agtmuxd"}, [("problem", "program_gone"), ("ok", "service")], ["agtmux daemon install"]),
    ],
)
def test_each_state_of_the_service_is_said_with_what_to_type(
    fields: dict[str, Any], found: list[tuple[str, str]], fix: list[str | None]
) -> None:
    """``loginctl enable-linger`` is proposed, never run."""
    seen = list(service.service(facts(service=ServiceState("systemd", **{**GOOD, **fields}))))
    assert codes(seen) == found
    assert fixes(seen) == fix


@pytest.mark.tc("TC-526")
def test_a_system_without_services_is_fine() -> None:
    assert codes(service.service(facts())) == [("ok", "none")]
