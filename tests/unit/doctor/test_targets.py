"""What the doctor says of targets, clocks and the ssh agent."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from agtmux.doctor import targets
from tests.unit.doctor.world import codes, facts, fixes, target

BEHIND = target("build", kind="ssh", connection_ref="build-box")


@pytest.mark.tc("TC-524")
@pytest.mark.parametrize(
    ("items", "found", "fix"),
    [
        ([target()], [("ok", "reachable")], []),
        (
            [target("build", health="down", reason="auth")],
            [("problem", "unreachable")],
            ["agtmux target connect build"],
        ),
        (
            [target("two", health="down", reason="same_server")],
            [("problem", "unreachable")],
            ["agtmux target remove two"],
        ),
        (
            [target("build", health="degraded", reason="timeout")],
            [("warning", "unreachable")],
            ["agtmux target connect build"],
        ),
        (
            [target("new", health="degraded", read=False)],
            [("note", "not_read")],
            ["agtmux target connect new"],
        ),
        ([target(unread_panes=2)], [("warning", "unread_panes"), ("ok", "reachable")], ["agtmux daemon status"]),
    ],
)
def test_each_target_that_cannot_be_read_is_named_with_its_reason(
    items: list[dict[str, Any]], found: list[tuple[str, str]], fix: list[str]
) -> None:
    seen = list(targets.reachable(facts(healthy={"targets": items})))
    assert codes(seen) == found
    assert fixes(seen) == fix
    assert all("None" not in finding.text for finding in seen)


@pytest.mark.tc("TC-524")
def test_clocks_that_jumped_or_differ_are_named() -> None:
    assert codes(targets.clocks(facts(healthy={"targets": [{**BEHIND, "clock_offset_ms": 900.0}]}))) == [
        ("ok", "clocks")
    ]
    seen = list(
        targets.clocks(
            facts(
                healthy={
                    "targets": [{**BEHIND, "clock_offset_ms": -93_000.0}],
                    "last_errors": ["retention: the clock jumped 40 days ahead: no history is removed"],
                }
            )
        )
    )
    assert codes(seen) == [("warning", "jumped"), ("note", "skew")]
    assert "93 s behind" in seen[1].text
    assert fixes(seen) == ["date", "ssh build-box timedatectl"]


@pytest.mark.tc("TC-524")
@pytest.mark.parametrize(
    ("theirs", "mine", "service", "found", "fix"),
    [
        ("live", None, None, ("ok", "agent"), []),
        (None, "live", None, ("warning", "agent_lost"), ["agtmux daemon restart"]),
        (
            "dead", "live", "systemd", ("warning", "agent_lost"),
            ["systemctl --user import-environment SSH_AUTH_SOCK && agtmux daemon restart"],
        ),
        ("dead", None, None, ("note", "agent_dead"), [None]),
        (None, None, None, ("note", "no_agent"), ['eval "$(ssh-agent)"']),
    ],
)  # fmt: skip
def test_an_ssh_agent_that_the_daemon_does_not_reach_is_named(
    short_dir: Path, theirs: str | None, mine: str | None, service: str | None, found: tuple[str, str],
    fix: list[str | None],
) -> None:  # fmt: skip
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as live:
        live.bind(str(short_dir / "live"))
        live.listen()
        path = {"live": str(short_dir / "live"), "dead": str(short_dir / "dead"), None: None}
        environ = {"SSH_AUTH_SOCK": str(path[mine])} if mine else {}
        told = {"ssh_auth_sock": path[theirs], "service": service}
        seen = list(targets.ssh_agent(facts(environ=environ, healthy={"targets": [BEHIND], "environment": told})))
    assert codes(seen) == [found]
    assert fixes(seen) == fix


@pytest.mark.tc("TC-524")
def test_without_targets_behind_ssh_the_ssh_agent_does_not_matter() -> None:
    assert codes(targets.ssh_agent(facts())) == [("ok", "no_ssh_targets")]
    assert codes(targets.ssh_agent(facts(healthy={"targets": [BEHIND]}))) == [("skipped", "not_known")]
