"""Facts for the tests of single checks: a healthy daemon, changed by keyword."""

from __future__ import annotations

from typing import Any

from agtmux import __version__
from agtmux.doctor.facts import Facts
from agtmux.doctor.report import Finding


def target(name: str = "host", **fields: Any) -> dict[str, Any]:
    return {
        "target": name, "target_id": name, "kind": "local", "connection_ref": None, "is_default": name == "host",
        "health": "ok", "reason": None, "read": True, "tmux_version": "3.3a", "unread_panes": 0, **fields,
    }  # fmt: skip


def health(**fields: Any) -> dict[str, Any]:
    return {
        "status": "ok", "version": __version__, "pid": 4711, "uptime_s": 60.0, "targets": [target()], "adapters": [],
        "counters": {}, "last_errors": [], "store": {}, **fields,
    }  # fmt: skip


def facts(environ: dict[str, str] | None = None, healthy: dict[str, Any] | None = None, **fields: Any) -> Facts:
    """Facts with a healthy daemon; ``healthy`` changes its health."""
    return Facts(environ or {}, health=fields.pop("health", health(**(healthy or {}))), **fields)


def codes(found: Any) -> list[tuple[str, str]]:
    """Severity and code of each finding."""
    findings: list[Finding] = list(found)
    return [(finding.severity, finding.code) for finding in findings]


def fixes(found: Any) -> list[str | None]:
    return [finding.fix for finding in found if finding.severity != "ok"]
