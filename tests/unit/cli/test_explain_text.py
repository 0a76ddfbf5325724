"""How ``agtmux explain`` tells what the daemon answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.cli.explain_text import _ENDED
from tests.unit.daemon_stub import STAMP, Stub, out, pane
from tests.unit.test_render import ASKED


def test_an_explanation_tells_who_decided_and_who_was_not_believed(short_dir: Path, stub: Stub) -> None:
    listed = {
        "source": "hook",
        "subject": "turn",
        "claim": "waiting_approval",
        "rule": "PermissionRequest",
        "since": STAMP,
    }
    screen = {"source": "poller", "subject": "turn", "claim": "running", "rule": "spinner", "used": False}
    body = {
        "ref": "pane:host/work/@1/%1",
        "item": pane(state="waiting_approval", waiting_for=ASKED, accepts_input=False),
        "decided_by": [listed],
        "candidates": [{**listed, "used": True}, {**screen, "discarded_because": "older than the hook"}],
        "recent_events": [{"source": "hook", "event_type": "PermissionRequest", "event_time": STAMP}],
    }
    stub.answer("GET /v1/panes/pane:host/work/@1/%1/explain", body)
    text = out(short_dir, "explain", "pane:host/work/@1/%1")
    for part in ("claude 2.1: waiting_approval", "Bash rm -rf build", "options: Yes | No", "text typed now does not go",
                 "hook says waiting_approval", "by PermissionRequest", "screen says running",
                 "older than the hook"):  # fmt: skip
        assert part in text


def test_an_end_that_was_none_in_order_is_told_as_what_decided(short_dir: Path, stub: Stub) -> None:
    ended = {"source": "wrapper", "event_type": "exit", "event_time": STAMP, "raw_payload": {"exit_code": 3}}
    body = {
        "ref": "pane:host/work/@1/%1", "item": pane(state="error", reason_code="agent_crashed"), "decided_by": [],
        "candidates": [], "recent_events": [ended],
    }  # fmt: skip
    stub.answer("GET /v1/panes/pane:host/work/@1/%1/explain", body)
    text = out(short_dir, "explain", "pane:host/work/@1/%1")
    assert "Decided by:\n  the end of its process: it failed, was killed, or ended" in text
    assert text.endswith("  agtmux run exit, exit status 3\n")


def test_where_no_agent_is_nobody_decides(short_dir: Path, stub: Stub) -> None:
    item = pane(agent_type=None, agent_version=None, state=None, accepts_input=None)
    body = {"ref": "pane:host/work/@1/%1", "item": item, "decided_by": [], "candidates": [], "recent_events": []}
    stub.answer("GET /v1/panes/pane:host/work/@1/%1/explain", body)
    text = out(short_dir, "explain", "pane:host/work/@1/%1")
    assert text.split("\n", 1)[1] == "  no agent in this pane, so it has no state\n\n"


@pytest.mark.parametrize("mark", ["busy_waits", "quiet_levels", "turn_start"])
def test_every_mark_of_the_retirement_table_has_words(short_dir: Path, stub: Stub, mark: str) -> None:
    lost = {
        "source": "hook", "subject": "approval:main", "claim": "waiting_approval", "rule": "PermissionRequest",
        "since": STAMP, "used": False, "retired_by": mark, "discarded_because": f"retired: {mark}",
    }  # fmt: skip
    ended = {**lost, "claim": None, "discarded_because": "claims nothing"}
    body = {"ref": "r", "item": pane(), "decided_by": [], "candidates": [lost, ended], "recent_events": []}
    stub.answer("GET /v1/panes/pane:host/work/@1/%1/explain", body)
    (line,) = out(short_dir, "explain", "pane:host/work/@1/%1").partition("Ignored:\n")[2].splitlines()
    assert line.startswith("  hook about approval:main said waiting_approval, by PermissionRequest, ")
    assert " ago: since then " in line
    assert line.endswith(f" ({mark})")


def test_no_mark_is_without_words() -> None:
    rows = (Path(__file__).parents[3] / "docs/retirement.md").read_text().splitlines()
    marks = {row.split("`")[1] for row in rows if row.startswith("| `") and row.count(" | ") == 5}
    assert marks - set(_ENDED) == set()
