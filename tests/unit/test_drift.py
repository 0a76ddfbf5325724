"""What ``make drift`` chooses to try and what it says of the outcome."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.agents import drift
from tests.agents.world import REPO

TIMES = {
    "created": "2020-01-01T00:00:00.000Z",
    "modified": "2026-11-29T00:00:00.000Z",
    "0.9.0": "2026-07-01T00:00:00.000Z",
    "0.10.0": "2026-08-01T00:00:00.000000+00:00",
    "0.10.1-alpha.2": "2026-08-02T00:00:00Z",
    "0.10.0-linux-x64": "2026-08-02T00:00:00Z",
    "0.11.0": "2026-11-01T00:00:00Z",
}

SUITE = """
import pytest

@pytest.fixture
def agent(record_property):
    return lambda *names: [record_property("agent", name) for name in names]

def test_reads(agent):
    agent("claude")

def test_misreads(agent):
    agent("codex")
    assert 1 == 2, "the field is gone"

def test_both(agent):
    agent("claude", "codex")

def test_left_out(agent):
    agent("gemini")
    pytest.skip("not asked for")
"""


@pytest.mark.tc("TC-192")
def test_the_newest_release_of_a_day_is_chosen_and_no_build_or_preview() -> None:
    assert drift.published_before(TIMES, datetime(2026, 11, 30, tzinfo=UTC)) == "0.11.0"
    assert drift.published_before(TIMES, datetime(2026, 10, 1, tzinfo=UTC)) == "0.10.0"
    with pytest.raises(drift.DriftError, match="nothing had been published by 2026-01-01"):
        drift.published_before(TIMES, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.tc("TC-192")
def test_agents_and_versions_are_asked_for_by_name() -> None:
    assert drift.asked(["codex@0.145.0", "claude"]) == {"codex": "0.145.0", "claude": ""}
    assert set(drift.asked([])) >= {"claude", "codex", "gemini", "copilot", "opencode"}
    with pytest.raises(drift.DriftError, match="there is no agent 'cluade'"):
        drift.asked(["cluade@1"])


@pytest.mark.tc("TC-192")
def test_every_pinned_agent_can_be_tried_and_stands_in_the_documents() -> None:
    body = json.loads((drift.PINS / "package.json").read_text())
    assert set(body["dependencies"] | body["optionalDependencies"]) == set(drift.PACKAGES.values())
    page = (REPO / "docs/agent-versions.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\d.]+) \|", page, re.M)
    assert dict(rows) == drift.pinned()


@pytest.mark.tc("TC-192")
def test_the_outcome_is_told_by_agent_with_what_failed(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    report = tmp_path / "report.xml"
    argv = [sys.executable, "-m", "pytest", "-q", "-o", "junit_family=xunit1", f"--junitxml={report}", str(tmp_path)]
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    counts = drift.count(report.read_text())
    pins = dict.fromkeys(drift.PACKAGES, "1.0.0")
    assert drift.table({"claude": "1.0.1", "codex": "2.0.0"}, pins, counts).splitlines() == [
        "agent     pinned      tried       passed  failed",
        "claude    1.0.0       1.0.1            2       0",
        "codex     1.0.0       2.0.0            1       1",
        "  test_suite::test_misreads: AssertionError: the field is gone",
    ]


@pytest.mark.tc("TC-192")
def test_what_is_not_to_be_had_is_told_and_is_no_failure_of_a_test() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.agents.drift", "--agent", "cluade"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "there is no agent 'cluade'" in done.stderr) == (drift.SKIPPED, True)
