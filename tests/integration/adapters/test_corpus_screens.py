"""What the shipped screen rules make of every recorded pane: nothing missed, next to nothing wrong."""

from __future__ import annotations

from functools import cache

import pytest

from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.model import Claim, Strength
from agtmuxd.core.screen.rules import FIRST, RuleSet
from tests.corpus import offline, recording

AGENTS = ("claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cline")
DRAWN = 250
"""Milliseconds after which a box stands as it will stay."""
SCREEN_CANNOT_TELL = {
    "codex/v3-limits-40x10": "refused faster than a spinner shows, and ten rows cut the mark of the failure off",
    "gemini/v3-limits-40x10": "ten rows show nothing of a turn that failed",
    "gemini/v4-40x10-queued": "ten rows show nothing of a turn that was cancelled or failed",
    "gemini/v8-history": "the same",
    "gemini/w6-40x10-cleared": "the same, and of one that was cleared nothing but the command, before it is sent",
    "claude/w5-no-colour-vim": "vim's keys take the hint of a turn away, no motion the spinner: what is left are hints",
}
"""Recordings that only a hook or the session's file reads right; ``test_corpus_together`` has them."""


@cache
def rules(agent: str) -> RuleSet:
    return shipped_rules(agent)


@cache
def scored(agent: str) -> offline.Score:
    total = offline.Score()
    for name in recording.names(agent):
        one = recording.load(name)
        if not one.headless and name not in SCREEN_CANNOT_TELL:
            total.add(offline.score(one, rules(agent).look))
    return total


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("agent", AGENTS)
def test_no_waiting_state_is_missed_on_any_recording(agent: str) -> None:
    score = offline.Score()
    score.add(scored(agent))
    for name in SCREEN_CANNOT_TELL:
        if name.startswith(f"{agent}/"):
            score.add(offline.score(recording.load(name), rules(agent).look))
    assert score.waits > 0
    assert score.missed == []
    assert score.kinds == []


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("agent", AGENTS)
def test_screens_alone_are_wrong_for_at_most_one_percent_of_the_time(agent: str) -> None:
    score = scored(agent)
    print("\n" + offline.table({agent: score}))
    assert score.wrong <= score.total * 0.01, "\n".join(score.wrongs)
    assert score.right >= score.total * 0.98, offline.table({agent: score})


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("size", [(40, 10), (40, 12), (47, 40), (60, 15), (80, 24)])
def test_narrow_and_short_panes_are_read_as_well(size: tuple[int, int]) -> None:
    seen = 0
    for agent in AGENTS:
        for name in recording.names(agent):
            one = recording.load(name)
            if (one.header["cols"], one.header["rows"]) == size:
                seen += 1
                score = offline.score(one, rules(agent).look)
                assert score.missed == []
                if name not in SCREEN_CANNOT_TELL:
                    assert score.wrong <= score.total * 0.01, score.wrongs
    assert seen > 0


EVERY_RULE = [(agent, rule.name) for agent in AGENTS for rule in shipped_rules(agent).rules if rule.sample]


@pytest.mark.parametrize(("agent", "name"), EVERY_RULE)
def test_each_rule_matches_the_recorded_sample_that_proves_it(agent: str, name: str) -> None:
    rule = next(r for r in rules(agent).rules if r.name == name)
    assert rule.sample is not None
    sample = recording.load(rule.sample.recording).sample_at(rule.sample.t_ms)
    befores = [None if w == FIRST else Claim(w) for w in rule.after] if rule.after else [None]
    for before in befores:
        assert rule.matches(rules(agent).view(sample), before) is not None
        write = rules(agent).look(sample, before)
        assert write is not None
        assert write.claim is rule.claim


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("agent", AGENTS)
def test_no_waiting_rule_matches_where_nobody_waits(agent: str) -> None:
    waiting = [r for r in rules(agent).rules if r.claim in (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)]
    for name in recording.names(agent):
        one = recording.load(name)
        spans = offline.alive(one)
        for t, sample in one.samples():
            label = one.label_at(t)
            if label is None or not any(a <= t < b for a, b in spans):
                continue
            if any(s.startswith("waiting") for s in label.accepted):
                continue
            view = rules(agent).view(sample)
            matched = [r.name for r in waiting if r.matches(view, None) is not None]
            assert matched == [], f"{name} at {t}: {label.state}"


@pytest.mark.parametrize("agent", AGENTS)
def test_one_prompt_keeps_one_fingerprint_while_it_stands(agent: str) -> None:
    changes: list[str] = []
    prompts = 0
    # others only tell that there is one
    answered = {rule.name for rule in rules(agent).rules if rule.keys and not rule.keys.finish}
    for name in recording.names(agent):
        one = recording.load(name)
        seen = offline.shown(one, rules(agent).look)
        sizes = one.sizes()
        for label in one.labels:
            if label.waiting_kind != "approval":
                continue
            marks: dict[tuple[int, int], set[str | None]] = {}  # by size: a smaller pane shows less of it
            drawn: int | None = None
            for a, b, state, write in seen:
                if b <= label.start or a >= label.end or state != label.state or not write or not write.waiting_for:
                    continue
                resized, size = next((t, size) for t, size in reversed(sizes) if t <= a)
                drawn = a if drawn is None else drawn
                # a tall box is drawn in two steps
                if a > max(label.start, drawn, resized) + DRAWN and write.rule in answered:
                    marks.setdefault(size, set()).add(write.waiting_for.fingerprint)
            prompts += bool(marks)
            if any(len(found) > 1 for found in marks.values()):
                changes.append(f"{name} {label.start}: {marks}")
    assert prompts > 0
    assert changes == []


@pytest.mark.parametrize("agent", AGENTS)
def test_the_first_sample_of_an_old_completion_is_not_a_completion(agent: str) -> None:
    checked = 0
    for name in recording.names(agent):
        one = recording.load(name)
        for label in one.labels:
            middle = (label.start + label.end) // 2
            if label.state != "completed" or one.headless or one.label_at(middle) is not label:
                continue
            if not any(s.startswith("waiting") for s in label.accepted):  # a picker that somebody opened
                write = rules(agent).look(one.sample_at(middle), None)
                checked += 1
                assert write is None or write.claim in (Claim.NOT_RUNNING, Claim.IDLE), f"{name} at {label.start}"
    assert checked > 0


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("agent", AGENTS)
def test_no_input_is_accepted_while_a_dialog_is_up(agent: str) -> None:
    for name in recording.names(agent):
        one = recording.load(name)
        for start, end, _, write in offline.shown(one, rules(agent).look):
            label = one.label_at((start + end) / 2)
            if label is not None and label.waiting_kind is not None and write is not None:
                if label.hidden or any(not s.startswith("waiting") for s in label.accepted):
                    continue
                assert write.accepts_input is False, f"{name} at {start}"


@pytest.mark.parametrize("agent", AGENTS)
def test_a_rule_without_a_sample_is_only_a_hint(agent: str) -> None:
    for rule in rules(agent).rules:
        assert rule.sample or rule.refines or rule.strength is Strength.HINT, rule.name


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize("name", ["claude/v6-moved", "gemini/v6-background"])
def test_a_command_moved_to_the_background_is_counted_until_it_ended(name: str) -> None:
    one = recording.load(name)
    seen = offline.shown(one, rules(one.agent).look)
    counted: dict[bool, set[int | None]] = {True: set(), False: set()}
    for label in one.labels:
        middle = (label.start + label.end) // 2
        if label.state == "completed" and one.label_at(middle) is label:
            write = next(w for a, b, _, w in seen if a <= middle < b)
            assert write is not None
            counted[label.background].add(write.background_tasks)
    assert counted[True] == {1}
    assert counted[False] <= {0, None}
    assert counted[False]
