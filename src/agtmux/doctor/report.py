"""Hold what the checks found: findings, each with its severity and the command that fixes it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

OK, NOTE, SKIPPED, WARNING, PROBLEM = "ok", "note", "skipped", "warning", "problem"
SEVERITIES = (OK, NOTE, SKIPPED, WARNING, PROBLEM)
"""From the best to the worst. A warning or a problem is something to fix."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. ``code``: its name for scripts. ``fix``: the command to type, if one fixes it."""

    severity: str
    code: str
    text: str
    fix: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"severity": self.severity, "code": self.code, "text": self.text, "fix": self.fix}


def ok(code: str, text: str) -> Finding:
    """All is well."""
    return Finding(OK, code, text)


def note(code: str, text: str, fix: str | None = None) -> Finding:
    """Good to know; nothing has to be done."""
    return Finding(NOTE, code, text, fix)


def skipped(code: str, text: str, fix: str | None = None) -> Finding:
    """Could not be checked."""
    return Finding(SKIPPED, code, text, fix)


def warning(code: str, text: str, fix: str | None = None) -> Finding:
    """Works in part, or will stop working."""
    return Finding(WARNING, code, text, fix)


def problem(code: str, text: str, fix: str | None = None) -> Finding:
    """Does not work."""
    return Finding(PROBLEM, code, text, fix)


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found, and how long it took (s)."""

    check: str
    findings: tuple[Finding, ...]
    seconds: float = 0.0

    @property
    def severity(self) -> str:
        """The worst of its findings."""
        return max((finding.severity for finding in self.findings), key=SEVERITIES.index, default=OK)

    def as_json(self) -> dict[str, Any]:
        findings = [finding.as_json() for finding in self.findings]
        return {
            "check": self.check, "severity": self.severity, "seconds": round(self.seconds, 3), "findings": findings,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """All results, in the order of the checks."""

    version: str
    generated_at: str
    results: tuple[Result, ...] = field(default=())

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """Yield every finding with the name of its check."""
        for result in self.results:
            for finding in result.findings:
                yield result.check, finding

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for _, finding in self.findings())

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to fix."""
        return not (self.count(WARNING) or self.count(PROBLEM))

    def as_json(self) -> dict[str, Any]:
        return {
            "schema_version": "1.0",
            "generated_at": self.generated_at,
            "version": self.version,
            "healthy": self.healthy,
            "summary": {severity: self.count(severity) for severity in SEVERITIES},
            "checks": [result.as_json() for result in self.results],
        }
