"""What a report says as a whole."""

from __future__ import annotations

import json

import pytest

from agtmux.doctor.report import Finding, Report, Result, note, ok, problem, skipped, warning


def report(*findings: Finding) -> Report:
    return Report("1.2", "2026-01-01T00:00:00Z", (Result("one", (ok("a", "b"),)), Result("two", findings, 0.25)))


@pytest.mark.tc("TC-520")
@pytest.mark.parametrize(
    ("findings", "healthy", "worst"),
    [
        ([], True, "ok"),
        ([note("n", "t"), skipped("s", "t")], True, "skipped"),
        ([note("n", "t"), warning("w", "t", "fix it")], False, "warning"),
        ([warning("w", "t"), problem("p", "t"), ok("o", "t")], False, "problem"),
    ],
)
def test_only_a_warning_or_a_problem_is_something_to_fix(findings: list[Finding], healthy: bool, worst: str) -> None:
    """A note and a check that was skipped leave the exit status at 0."""
    made = report(*findings)
    assert made.healthy is healthy
    assert made.results[1].severity == worst


@pytest.mark.tc("TC-520")
def test_a_report_as_json_has_every_finding_with_its_fix() -> None:
    told = json.loads(json.dumps(report(warning("w", "text", "agtmux daemon start")).as_json()))
    assert told["summary"] == {"ok": 1, "note": 0, "skipped": 0, "warning": 1, "problem": 0}
    assert told["healthy"] is False
    assert told["checks"][1] == {
        "check": "two", "severity": "warning", "seconds": 0.25,
        "findings": [{"severity": "warning", "code": "w", "text": "text", "fix": "agtmux daemon start"}],
    }  # fmt: skip
