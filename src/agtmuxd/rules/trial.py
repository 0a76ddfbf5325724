"""Try screen rules on captured screens: on one given screen, or each rule on its own sample.

Owns the trial and the text of its result. ``core.screen.rules`` owns what a rule means. This module does not know
whether the rules are shipped or the user's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters import samples
from agtmuxd.adapters.settings.text_file import read_text
from agtmuxd.adapters.time_limit import LOOK_FOR, TimeLimitError, run_within, slow_rule
from agtmuxd.api.routes.rules import ReplayRequest
from agtmuxd.core.model import Claim, Sample, WaitingFor
from agtmuxd.core.screen.rule_diagnosis import why_not
from agtmuxd.core.screen.rules import FIRST, Rule, RuleSet
from agtmuxd.core.versions import older
from agtmuxd.rules.folder import MAX_FILE
from agtmuxd.tmux import sgr

TOO_LONG: Final = "a repeat inside a repeat, like (a+)+, is too slow"


def replay(rules: RuleSet, file: Path | None, asked: ReplayRequest) -> dict[str, Any]:
    """Try ``rules`` on one captured screen. Return the claim, the rules that match, and why the others do not.

    Raises E_INVALID_REQUEST if a pattern takes too long on the screen.
    """
    sample = _captured(
        asked.screen, title=asked.title, cols=asked.cols or 0, rows=asked.rows or 0,
        cursor=(asked.cursor_x, asked.cursor_y), shown=asked.cursor_visible, alternate=asked.alternate_on,
    )  # fmt: skip
    view = rules.view(sample)
    try:
        write = run_within(LOOK_FOR, lambda: rules.look(sample, asked.before))
        missed = run_within(LOOK_FOR, lambda: [(r, why_not(r, view, asked.before)) for r in rules.rules])
    except TimeLimitError as error:
        slow = slow_rule(rules, sample, asked.before)
        who = f"a pattern of {rules.agent}" if slow is None else f"rule {slow} of {rules.agent}"
        raise AgtmuxError("E_INVALID_REQUEST", f"{who} takes too long on this screen: {TOO_LONG}") from error
    field = view.composer
    version = rules.version_on(view)
    return {
        "agent": rules.agent,
        "version": version,
        "oldest_version": rules.oldest,
        "older": older(version, rules.oldest),
        "rules_file": None if file is None else str(file),
        "recorded_on": list(rules.recorded_on),
        "claim": None if write is None or write.claim is None else str(write.claim),
        "rule": None if write is None else write.rule,
        "strength": None if write is None else str(write.strength),
        "accepts_input": None if write is None else write.accepts_input,
        "background_tasks": None if write is None else write.background_tasks,
        "waiting_for": None if write is None else _waiting(write.waiting_for),
        "composer": None if field is None else str(rules.controls().look(sample)),
        "matched": [_named(rule) for rule, why in missed if why is None],
        "missed": [{**_named(rule), "why": why} for rule, why in missed if why is not None],
    }


def _named(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.name, "priority": rule.priority, "claim": str(rule.claim), "strength": str(rule.strength),
    }  # fmt: skip


async def try_rules(
    rules: RuleSet, screens: Mapping[str, Path | None], corpus: Path | None
) -> AsyncIterator[dict[str, Any]]:
    """Try each rule on its sample, one after the other.

    ``screens`` gives, by rule name, the folder with the screen file that the rule may name. The files are read in
    another thread, so that they do not block the event loop.
    """
    for rule in rules.rules:
        found = None if rule.sample is None else await asyncio.to_thread(_sample, rule, screens[rule.name], corpus)
        ok, message = _try(rules, rule, found)
        yield {
            "rule": rule.name, "claim": str(rule.claim), "strength": str(rule.strength), "ok": ok, "message": message,
        }  # fmt: skip


def _try(rules: RuleSet, rule: Rule, sample: Sample | str | None) -> tuple[bool | None, str]:
    """Return whether the rule matches its sample (None if there is no sample to try), and a message."""
    if rule.sample is None or sample is None:
        return None, f"no sample: it refines {rule.refines.name}" if rule.refines else "no sample: it is a hint"
    if isinstance(sample, str):
        return (False if rule.sample.screen else None), sample
    try:
        return run_within(LOOK_FOR, partial(_holds, rules, rule, sample))
    except TimeLimitError:
        return False, f"takes too long on its sample: {TOO_LONG}"


def _sample(rule: Rule, folder: Path | None, corpus: Path | None) -> Sample | str:
    """Return the rule's sample, or a text that says why it cannot be read."""
    ref = rule.sample
    assert ref is not None  # noqa: S101 the caller looked
    try:
        if ref.screen:
            if folder is None:
                return f"its sample {ref.screen} is not installed: the adapter names no folder of screens"
            text = read_text(folder / ref.screen, MAX_FILE)
            return _captured(text, title=ref.title) if text.strip() else f"its sample {folder / ref.screen} is empty"
        if corpus is None:
            return "its recording is not installed: use --corpus FOLDER with a folder that has it"
        return samples.from_recording(corpus / f"{ref.recording}.jsonl", ref.t_ms)
    except FileNotFoundError as error:
        how = f"; make it with: tmux capture-pane -p -t PANE > {error.filename}" if ref.screen else ""
        return f"its sample {error.filename} does not exist{how}"
    except (OSError, ValueError, KeyError) as error:
        return f"its sample cannot be read: {error}"


def _holds(rules: RuleSet, rule: Rule, sample: Sample) -> tuple[bool, str]:
    """Return whether a rule matches its sample and no other rule comes first, with a message."""
    for before in [None if w == FIRST else Claim(w) for w in sorted(rule.after)] if rule.after else [None]:
        why = why_not(rule, rules.view(sample), before)
        if why is not None:
            after = "" if rule.after is None else f" after {FIRST if before is None else before.value}"
            return False, f"does not match its sample{after}: {why}"
        result = rules.look(sample, before)
        if result is None or result.claim is not rule.claim:
            other = next((r for r in rules.rules if result is not None and r.name == result.rule), None)
            if other is None:
                return False, "another rule matches its sample first"
            return False, (
                f"{other.name} matches its sample first, with {other.claim.value}: give this rule a priority above "
                f"{other.priority}, or add a none condition to {other.name}"
            )
    return True, "matches its sample"


def _captured(text: str, **more: Any) -> Sample:
    """Make a sample from the output of ``tmux capture-pane -p``, with or without ``-e``."""
    text = text.replace("\r\n", "\n")
    if "\x1b" not in text:
        return samples.from_capture(text, **more)
    plain, styles = sgr.parse(text)
    return samples.from_capture(plain, **more, styles=styles)


def _waiting(waiting: WaitingFor | None) -> dict[str, Any] | None:
    if waiting is None:
        return None
    return {
        "kind": waiting.kind, "subject": waiting.subject, "text": waiting.text, "options": list(waiting.options),
        "fingerprint": waiting.fingerprint,
    }  # fmt: skip
