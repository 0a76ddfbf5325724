"""Which runtime an event belongs to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agtmuxd.core.model import NS, Ancestor, RawEvent, Signal, Source
from agtmuxd.core.state.binding import Binding, Candidate, bind
from agtmuxd.core.state.event_sender import find_sender

T0 = 1_000_000 * NS


HERE = Candidate("r1", "t1", "%1", "claude", "sess-1", 4001, "100", T0)
CHAIN = (Ancestor(9000, "900"), Ancestor(4001, "100"), Ancestor(1, "0"))
HOOK = RawEvent("e", "Stop", Source.HOOK, "claude", T0, T0, "k", pane_id="%1", chain=CHAIN)
PLAIN = Signal("turn_end", session_id="sess-1")
NONE = Binding(None, "bind_no_candidate")


def bound(event: RawEvent, *candidates: Candidate, signal: Signal = PLAIN, target: str | None = "t1") -> Binding:
    return bind(event, signal, target, candidates, find_sender(event, lambda _link: None))


@pytest.mark.tc("TC-008")
def test_an_event_binds_to_the_runtime_that_fits_all_it_carries() -> None:
    assert bound(HOOK, HERE, replace(HERE, runtime_id="r2", pane_id="%2", pid=4002)) == Binding("r1", None)


@pytest.mark.tc("TC-009")
@pytest.mark.parametrize(
    "other",
    [
        {"pane_id": "%2"},
        {"target_id": "t2"},
        {"agent_type": "codex"},
        {"pid": 4002},
        {"process_start": "101"},  # the pid was given to another process
        {"started_at": T0 - 6 * NS},
    ],
)
def test_one_thing_that_does_not_fit_is_enough(other: dict[str, Any]) -> None:
    event = replace(HOOK, start_hint=T0)
    assert bound(event, HERE).runtime_id == "r1"
    assert bound(event, replace(HERE, **other)) == NONE


@pytest.mark.tc("TC-009")
def test_a_pid_in_the_environment_does_not_make_another_life_of_it_fit() -> None:
    event = replace(HOOK, pid=4001, chain=(Ancestor(4001, "99"),))
    assert bound(event, HERE) == NONE


@pytest.mark.tc("TC-008")
def test_the_start_hint_may_be_five_seconds_off() -> None:
    assert bound(replace(HOOK, start_hint=T0 + 5 * NS), HERE).runtime_id == "r1"
    assert bound(replace(HOOK, start_hint=T0 + 5 * NS + 1), HERE) == NONE


@pytest.mark.tc("TC-009")
def test_a_pane_id_alone_names_no_pane_since_every_server_has_it() -> None:
    assert bound(replace(HOOK, chain=()), HERE, target=None) == NONE
    assert bound(replace(HOOK, chain=()), HERE).runtime_id == "r1"
    assert bound(HOOK, HERE, target=None).runtime_id == "r1"  # the process names it


@pytest.mark.tc("TC-008")
def test_without_a_pane_the_process_or_the_session_says_which() -> None:
    nowhere = replace(HOOK, pane_id=None)
    assert bound(nowhere, HERE, replace(HERE, runtime_id="r2", pid=5)).runtime_id == "r1"
    assert bound(replace(nowhere, chain=()), HERE, target=None).runtime_id == "r1"
    assert bound(replace(nowhere, chain=()), replace(HERE, agent_session_id="sess-2"), target=None) == NONE


@pytest.mark.tc("TC-009")
def test_several_that_fit_are_as_good_as_none() -> None:
    event = replace(HOOK, pane_id=None, chain=())
    twins = (HERE, replace(HERE, runtime_id="r2", pane_id="%2", pid=5))
    assert bound(event, *twins, target=None) == Binding(None, "bind_ambiguous")


@pytest.mark.tc("TC-114")
def test_of_a_shared_daemon_neither_pane_nor_process_counts_but_the_session_alone() -> None:
    ambient = Signal("turn_end", session_id="sess-1", ambient=True)
    there = replace(HERE, runtime_id="r2", pane_id="%2", pid=5, agent_session_id="sess-9")
    assert bound(HOOK, there, HERE, signal=ambient).runtime_id == "r1"
    assert bound(HOOK, replace(HERE, agent_session_id=None), signal=ambient) == NONE
    assert bound(HOOK, HERE, signal=Signal("turn_end", ambient=True)) == NONE
    elsewhere = replace(HOOK, target_id="ssh:vm1")
    assert bound(elsewhere, HERE, signal=ambient) == NONE, "the machine that it came from is certain"
    assert bound(elsewhere, replace(HERE, target_id="ssh:vm1"), signal=ambient).runtime_id == "r1"
