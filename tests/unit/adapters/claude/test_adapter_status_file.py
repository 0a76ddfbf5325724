"""Claude's status file: believed only of the very process that it names, and only as far as its words are known."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.contract import Ending
from agtmuxd.core.model import Claim, Proc, Sample, Strength

PROC = Proc(77, 1, 77, 77, 1, "S", "5550", "claude", ("claude",))
FILE = {
    "pid": 77,
    "procStart": "5550",
    "version": "2.1.329",
    "entrypoint": "cli",
    "tmux": "lab:@0.%0",
    "status": "busy",
}
ADAPTER = ClaudeAdapter()


def claims(**change: Any) -> list[tuple[Claim | None, Strength]]:
    data = {k: v for k, v in {**FILE, **change}.items() if v is not None}
    return [(w.claim, w.strength) for w in ADAPTER.read_status(data, PROC)]


@pytest.mark.tc("TC-015")
@pytest.mark.parametrize(
    ("status", "waiting_for", "claim"),
    [
        ("busy", None, Claim.RUNNING),
        ("idle", None, Claim.NOT_RUNNING),
        ("shell", None, Claim.NOT_RUNNING),
        ("waiting", "permission prompt", Claim.WAITING_APPROVAL),
        ("waiting", "input needed", Claim.WAITING_INPUT),
        ("waiting", "dialog open", Claim.WAITING_INPUT),
    ],
)
def test_each_word_means_one_claim(status: str, waiting_for: str | None, claim: Claim) -> None:
    assert claims(status=status, waitingFor=waiting_for) == [(claim, Strength.DEFINITIVE)]


@pytest.mark.parametrize("change", [{"pid": 78}, {"procStart": "5551"}, {"procStart": None}, {"pid": "77"}])
def test_a_file_of_another_process_or_another_life_of_the_pid_says_nothing(change: dict[str, Any]) -> None:
    assert claims(**change) == []


@pytest.mark.parametrize("status", [None, "dreaming", 7, ["busy"]])
def test_an_unknown_word_says_nothing(status: Any) -> None:
    assert claims(status=status) == []


def test_an_unknown_reason_to_wait_is_only_a_hint() -> None:
    assert claims(status="waiting", waitingFor="the moon") == [(Claim.WAITING_INPUT, Strength.HINT)]
    assert claims(status="waiting") == [(Claim.WAITING_INPUT, Strength.HINT)]


def test_an_older_version_says_permission_of_questions_too() -> None:
    result = claims(status="waiting", waitingFor="permission prompt", tmux=None)
    assert result == [(Claim.WAITING_APPROVAL, Strength.HINT)]


def test_a_headless_run_never_waits() -> None:
    assert claims(status="waiting", waitingFor="permission prompt", entrypoint="sdk-cli") == []


def test_a_background_shell_is_counted_and_an_idle_prompt_has_none() -> None:
    counts = [ADAPTER.read_status({**FILE, "status": s}, PROC)[0].background_tasks for s in ("shell", "idle", "busy")]
    assert counts == [1, 0, None]


@pytest.mark.tc("TC-015")
@pytest.mark.parametrize(("own_pane", "verdict"), [(False, True), (True, None)])
def test_only_a_shell_that_names_no_signal_tells_of_an_orderly_end(own_pane: bool, verdict: bool | None) -> None:
    blank = Sample((), "host", False, True, 0, 0, 120, 40)
    ending = Ending(blank, "host", False, None, None, own_pane)
    assert ClaudeAdapter().ended_in_order(ending) is verdict
