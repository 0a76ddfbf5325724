"""When the daemon writes to a tmux server, and what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agtmuxd.features.tmux_status.model import BEAT, NS, PATIENCE, SEGMENT, Counts, Line, Step, build_commands, count
from tests.unit.daemon_stub import pane

pytestmark = pytest.mark.tc("TC-364")
T0 = 1_000_000 * NS
ON = {"@agtmux": "on"}
MINE = {**ON, "@agtmux_by": "me", "@agtmux_at": "1"}


@pytest.mark.tc("TC-363")
def test_each_agent_counts_once() -> None:
    rows = [
        pane(state="waiting_approval", attention="needs_action"),
        pane(state="error", attention="needs_action"),
        pane(state="error", attention="none"),  # somebody has seen it
        pane(state="running"),
        pane(state="running", attention="needs_action"),
        pane(state="completed", attention="review"),
        pane(state="idle"),
        pane(state=None, agent_type=None),
    ]
    assert count(rows) == Counts(agents=7, needs_action=2, error=1, review=1, running=1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"@agtmux": ""},
        {"@agtmux": "off"},
        {"@agtmux": "maybe"},
        {"@agtmux": "on", "@agtmux-status": "off"},
        {"@agtmux-status": "on", "@agtmux-agent": "claude"},
    ],
)
def test_nothing_is_written_where_nobody_asked_for_it(options: Mapping[str, str]) -> None:
    assert Line().step(options, "2!", "me", T0) is None


def test_all_is_written_at_first_then_what_changes_and_again_before_it_looks_old() -> None:
    line = Line()
    assert line.step({"@agtmux": "Yes"}, "2!", "me", T0) is Step.ALL
    line.note_try(Step.ALL, "2!", T0)
    assert line.step(ON, "2!", "me", T0 + 2 * NS) is None, "no round has shown it yet"
    assert line.step(MINE, "2!", "me", T0 + 2 * NS) is None
    assert line.step(MINE, "3!", "me", T0 + 2 * NS) is Step.COUNTS
    line.note_try(Step.COUNTS, "3!", T0 + 2 * NS)
    assert line.step(MINE, "3!", "me", T0 + BEAT - 1) is None
    assert line.step(MINE, "3!", "me", T0 + BEAT) is Step.ALL


def test_a_server_is_written_to_once_a_second_at_most() -> None:
    line = Line()
    line.note_try(Step.ALL, "1!", T0)
    assert line.step(MINE, "2!", "me", T0 + NS - 1) is None
    assert line.step(MINE, "2!", "me", T0 + NS) is Step.COUNTS


def test_a_failure_is_tried_again_later_and_then_with_everything() -> None:
    line = Line()
    line.note_try(Step.ALL, "1!", T0, failed=True)
    assert line.step(ON, "1!", "me", T0 + PATIENCE - 1) is None
    assert line.step(ON, "1!", "me", T0 + PATIENCE) is Step.ALL


def test_a_new_server_in_the_place_of_the_old_gets_everything() -> None:
    line = Line()
    line.note_try(Step.ALL, "1!", T0)
    assert line.step(ON, "1!", "me", T0 + PATIENCE) is Step.ALL


@pytest.mark.parametrize("off", [{}, {"@agtmux": "off"}, {"@agtmux": "on", "@agtmux-status": "off"}])
def test_what_was_written_is_removed_once_nobody_wants_it(off: Mapping[str, str]) -> None:
    """Also after a restart of the daemon, which then does not know that it wrote anything."""
    left = {"@agtmux_by": "me", "@agtmux_at": "1", **off}
    line = Line()
    assert line.step(left, "", "me", T0) is Step.REMOVE
    line.note_try(Step.REMOVE, "", T0)
    assert line.step(left, "", "me", T0 + 2 * NS) is None, "no round has shown it yet"
    assert line.step(off, "", "me", T0 + PATIENCE) is None
    assert line.step(ON, "1!", "me", T0 + 2 * NS) is Step.ALL


def test_while_another_daemon_writes_there_this_one_does_not() -> None:
    line = Line()
    for turn in range(5):
        other = {**ON, "@agtmux_by": "you", "@agtmux_at": str(turn)}
        assert line.step(other, "1!", "me", T0 + turn * BEAT) is None
        assert line.yields
    assert line.step(other, "1!", "me", T0 + 4 * BEAT + 60 * NS) is Step.ALL, "it has gone"
    assert not line.yields
    assert line.step({**other, "@agtmux": "off"}, "1!", "me", T0 + 7 * BEAT) is Step.REMOVE


def test_each_step_is_a_few_options_and_the_time_is_the_servers_own() -> None:
    names = [command[2] for command in build_commands(Step.ALL, "1!", "me")]
    assert names == ["@agtmux_by", "@agtmux_status", "@agtmux_at", "@agtmux_segment"]
    assert [command[2:] for command in build_commands(Step.COUNTS, "1!", "me")] == [
        ("@agtmux_status", "1!"), ("@agtmux_at", "#{T:#{l:%s}}"),
    ]  # fmt: skip
    assert {command[2] for command in build_commands(Step.REMOVE, "", "me")} == set(names)
    assert "#{@agtmux_status}" in SEGMENT and "#(" not in SEGMENT
