"""What a rule of the configuration is for, and the times that it has by default."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.config import ChannelSettings, NotifySettings
from agtmuxd.features.notify.model import Kind
from agtmuxd.features.notify.rules import rules_of
from tests.unit.features.notify.makers import T0, episode, rule, s, subject

pytestmark = pytest.mark.tc("TC-403")


def settings(*rules: dict[str, Any]) -> NotifySettings:
    channels = [{"name": "desk", "kind": "desktop"}, {"name": "log", "kind": "command", "argv": ["x"]}]
    return NotifySettings.model_validate({"channels": channels, "rules": list(rules), "quiet_hours": "22:00-07:00"})


def test_without_a_rule_everything_goes_everywhere() -> None:
    (only,) = rules_of(settings())
    assert only.channels == ("desk", "log")
    assert only.kinds == {kind for kind in Kind if kind is not Kind.CHANNEL}


def test_a_rule_without_channels_goes_to_all() -> None:
    assert [one.channels for one in rules_of(settings({}, {"channels": ["log"]}))] == [("desk", "log"), ("log",)]


def test_the_usual_times_are_two_seconds_and_five_for_a_completion() -> None:
    (only,) = rules_of(settings({}))
    assert only.ready_at(episode()) == T0 + s(2)
    assert only.ready_at(episode(kind=Kind.ERROR)) == T0 + s(2)
    assert only.ready_at(episode(kind=Kind.COMPLETED)) == T0 + s(5)
    assert (only.cooldown, only.min_turn, only.after, only.remind) == (s(60), s(30), 0, 0)


def test_a_ladder_waits_for_the_longer_of_dwell_and_after() -> None:
    assert rule(dwell=s(1), after=s(120)).ready_at(episode()) == T0 + s(120)
    assert rule(dwell=s(10), after=s(5)).ready_at(episode()) == T0 + s(10)


def test_a_rule_has_its_own_quiet_hours_or_the_common_ones() -> None:
    common, own, never = rules_of(settings({}, {"quiet_hours": "12:00-13:00"}, {"quiet_hours": ""}))
    assert common.quiet is not None and own.quiet is not None
    assert (common.quiet.start.hour, own.quiet.start.hour, never.quiet) == (22, 12, None)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"kinds": frozenset({Kind.ERROR})}, "it is not for waiting_approval"),
        ({"agents": frozenset({"codex"})}, "it is not for claude"),
        ({"targets": frozenset({"build"})}, "it is not for the target host"),
        ({"projects": ("shop",)}, "it is not for the project site"),
        ({"projects": ("/src/si",)}, "it is not for the project site"),
    ],
)
def test_a_rule_says_why_it_is_not_for_an_episode(more: dict[str, Any], why: str) -> None:
    assert rule(**more).why_not(episode()) == why


def test_a_project_is_that_of_the_repository_too() -> None:
    deep = episode(subject=subject(cwd="/src/site/docs", project="site"))
    assert rule(projects=("site",)).why_not(deep) is None
    assert rule(projects=("docs",)).why_not(deep) is None


@pytest.mark.parametrize("project", ["site", "/src", "/src/", "/src/site", "~/site"])
def test_a_project_is_a_name_or_a_folder(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/src")
    assert rule(projects=(project,)).why_not(episode()) is None
    assert rule(projects=(project,)).why_not(episode(subject=subject(cwd=None, project=None))) is not None


def test_channels_are_checked_when_they_are_read() -> None:
    kinds = {"ntfy": {"url": "https://ntfy.sh/t"}, "webhook": {"url": "https://x.example/h"}}
    assert not any(
        ChannelSettings.model_validate({"name": "a", "kind": kind, **more}).full for kind, more in kinds.items()
    )
    assert ChannelSettings.model_validate({"name": "a", "kind": "desktop"}).full
