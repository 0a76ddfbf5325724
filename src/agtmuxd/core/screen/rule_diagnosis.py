"""Explain to the author of a rule why it does not hold on a screen: the first of its conditions that fails.

Pure. Follows the steps of ``Rule.matches``, which decides, but takes none of its shortcuts.
"""

from __future__ import annotations

from dataclasses import replace

from agtmuxd.core.model import Claim
from agtmuxd.core.screen.regions import Place, Region, View
from agtmuxd.core.screen.rules import FIRST, Rule, Test, composer_is


def why_not(rule: Rule, view: View, before: Claim | None) -> str | None:
    """Return what keeps ``rule`` from holding, in the terms of its file. None if it holds."""
    if rule.refines is not None:
        base = why_not(rule.refines, view, before)
        if base is not None:
            return f"the rule {rule.refines.name}, which it refines, does not match: {base}"
    problem = _outside(rule, view, before)
    if problem is not None:
        return problem
    region = view.region(rule.place)
    if region is None:
        return f"the screen has no region {_place(rule.place)}"
    if rule.styled and view.sample.styles is None:
        return "it tests styles, but the capture has none: capture the screen with tmux capture-pane -e -p"
    for test in rule.all:
        if not test.holds(view, region):
            return f"all: {_test(test, rule.place)} finds nothing{_elsewhere(test, view, region)}"
    if rule.any and not any(test.holds(view, region) for test in rule.any):
        return f"any: {', '.join(_test(test, rule.place) for test in rule.any)} find nothing"
    found = next((test for test in rule.none if test.holds(view, region)), None)
    return None if found is None else f"none: {_test(found, rule.place)} matches"


def _outside(rule: Rule, view: View, before: Claim | None) -> str | None:
    """Return the first failing condition that is not about text on the screen."""
    sample, last = view.sample, FIRST if before is None else before.value
    if rule.after is not None and last not in rule.after:
        return f"after: the last claim was {last}, but must be {' or '.join(sorted(rule.after))}"
    if rule.alternate_on is not None and sample.alternate_on != rule.alternate_on:
        return f"alternate_on: it is {str(sample.alternate_on).lower()}"
    if rule.cursor_visible is not None and sample.cursor_visible != rule.cursor_visible:
        return f"cursor_visible: it is {str(sample.cursor_visible).lower()}"
    if rule.composer is not None and not composer_is(rule.composer, view):
        found = view.composer
        is_so = "absent" if found is None else "free" if found.free else "maybe not free"
        return f"composer: must be {rule.composer}, but is {is_so}"
    return None


def _place(place: Place) -> str:
    if place.kind == "block":
        start = place.start.pattern if place.start is not None else ""
        return f"{{ from = '{start}' }}"
    return f"{place.kind}:{place.count}" if place.kind in {"tail", "above"} else place.kind


def _test(test: Test, own: Place) -> str:
    words = test.pattern.pattern if test.pattern is not None else test.words
    drawn = " in that style" if test.style is not None else ""
    return f"{test.kind} '{words}'{drawn} in {_place(test.place or own)}"


def _elsewhere(test: Test, view: View, own: Region) -> str:
    """Return an addition to the message, if only the region, the style or a capital letter is wrong."""
    screen = view.region(Place("screen"))
    if test.style is not None and replace(test, style=None).holds(view, own):
        return "; the text is there, in another style"
    if test.style is None and screen is not None and test.holds(view, screen) and test.place is None:
        return "; it is in another region of the screen"
    if test.style is None and test.pattern is None and test.needle.lower() in view.squashed.lower():
        return "; it is there with other capital letters, or in another region"
    return ""
