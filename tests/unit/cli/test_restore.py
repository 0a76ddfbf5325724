"""``agtmux restore``: how the plan is written, and which command lines start an agent."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from agtmux.cli.restore import Starter, _is_idle, place, plan_lines
from agtmux.cli.target_shell import TargetShell
from agtmux.protocol.errors import AgtmuxError

pytestmark = pytest.mark.tc("TC-258")


def lost(**more: Any) -> dict[str, Any]:
    return {
        "runtime_id": "rt-1", "agent_type": "claude", "target": "host", "session_name": "work", "window_index": 1,
        "window_name": "code", "pane_index": 0, "cwd": "/src", "action": "new", "pane_id": None, "reason": None,
        "argv": ["sh", "--resume", "s-1"], "way": [], "tmux": ["tmux", "-u"], **more,
    }  # fmt: skip


def test_the_plan_says_what_starts_where_and_what_stays_away_why() -> None:
    away = lost(action="skip", reason="its session\x1b is gone")
    lines = plan_lines([lost(), lost(action="pane", pane_id="%4"), away])
    assert lines[0] == "work:1.0  claude  starts in a new pane: sh --resume s-1"
    assert lines[1] == "work:1.0  claude  starts in %4: sh --resume s-1"
    assert lines[2].startswith("work:1.0  claude  stays away: its session")
    assert "\x1b" not in lines[2]
    assert lines[3] == "Run agtmux restore --apply to start them."
    assert plan_lines([]) == ["No agents were lost: there is nothing to restore."]
    assert len(plan_lines([lost(action="skip", reason="no")])) == 1, "nothing to start, so no advice to do so"


def test_a_target_that_is_not_this_machine_is_named() -> None:
    assert place(lost(target="gpu")) == "gpu work:1.0"


def test_the_program_is_found_by_the_path_of_the_caller_and_leaves_a_shell_behind() -> None:
    argv = Starter().command(lost())
    assert argv[:2] == ["sh", "-c"]
    assert argv[-3].endswith("/sh")
    assert argv[-2:] == ["--resume", "s-1"]
    with pytest.raises(AgtmuxError, match="no-such-agent is not on your PATH"):
        Starter().command(lost(argv=["no-such-agent"]))
    assert "no-such-agent" in Starter().command(lost(argv=["no-such-agent"], way=["ssh", "gpu"])), "found there"


def test_a_pane_is_never_taken_over_if_its_shell_cannot_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    program = TargetShell.run
    for failing, parents, idle in (
        ("display-message", "1", False),
        ("ps", "1", False),
        ("", "77", False),
        ("", "1", True),
    ):

        def answer(
            shell: TargetShell, argv: Sequence[str], failing: str = failing, parents: str = parents
        ) -> subprocess.CompletedProcess[str]:
            said = parents if argv[0] == "ps" else "00 77"
            return program(shell, ["false"] if failing in argv else ["printf", "%s", said])

        monkeypatch.setattr(TargetShell, "run", answer)
        assert _is_idle(TargetShell("host", [], ["tmux"]), "%4") is idle
