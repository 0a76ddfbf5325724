"""Match one sample of a pane with screen rules, and return what its agent is doing. Rules are data.

Owns matching, extraction of a dialog's request, and its fingerprint. Pure; knows no agent and reads no file
(``rule_file`` makes a ``RuleSet`` of a file's text). If no rule matches, the result is None, which never means idle.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Final

from agtmux.protocol.text import one_line
from agtmuxd.core.model import Claim, Sample, Strength, WaitingFor, Write
from agtmuxd.core.numbers import COUNT_MOST
from agtmuxd.core.screen.controls import Controls, DialogKeys, Sign
from agtmuxd.core.screen.field_mode import FieldMode, TextMethod, shown
from agtmuxd.core.screen.regions import ComposerSpec, Place, Region, View, flatten, unframe
from agtmuxd.core.screen.style import StyleTest, words_of

FIRST: Final = "first"
"""In a rule's ``after``: there was no earlier sample of this runtime."""

_HEAD: Final = 16
"""How many first rows are searched for an agent's banner with its version."""

MAX_TEXT: Final = 2000
"""How many characters of a request's text are kept."""

_WAITING_CLAIMS: Final = frozenset({Claim.WAITING_APPROVAL, Claim.WAITING_INPUT})

_NOT_PROMPT: Final = re.compile(r"[❯›→▸▶>●○◉◯•◦·✢*✶✻✽✳✔✓☐☒■□◐◑◒◓─━═╌╍┄▔▁╭╮╰╯┌┐└┘├┤│┃║╎▎█▀▄⠀-⣿\s]+")
"""Characters that move, blink or frame a dialog without making it another one.

These are pointers, marks, spinners, boxes and bars.
"""


@dataclass(frozen=True, slots=True)
class Test:
    """One matcher. ``kind``: contains (text without blanks), regex (unwrapped text) or row (one row).

    ``style``: how every letter of a ``row`` (its group 1, if it has one) must be drawn. Then ``place`` is never None.
    """

    kind: str
    needle: str
    pattern: re.Pattern[str] | None
    place: Place | None  # None: the rule's own region
    style: StyleTest | None = None
    words: str = ""  # the text of ``contains`` as it was written

    def holds(self, view: View, own: Region) -> bool:
        """Return whether this matcher matches."""
        region = own if self.place is None else view.region(self.place)
        if region is None:
            return False
        if self.pattern is None:
            return self.needle in region.squashed
        if self.style is not None:
            return self._drawn(view, self.style)
        return self.pattern.search(region.flat if self.kind == "regex" else region.text) is not None

    def _drawn(self, view: View, style: StyleTest) -> bool:
        styles = view.sample.styles
        if styles is None or self.pattern is None or self.place is None:
            return False
        for i in view.where(self.place):
            row = view.rows[i]
            for found in self.pattern.finditer(row):
                start, end = found.span(1 if found.re.groups else 0)
                letters = [words for at, words in words_of(styles[view.ys[i]], start, end) if not row[at].isspace()]
                if letters and all(style.holds(words) for words in letters):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Extract:
    """Which parts of a dialog go into ``waiting_for``. Patterns read the region's rows; group 1 is taken.

    ``option_pattern`` may match several times in one row: options side by side.
    """

    kind: str
    subject: str | None = None
    subject_pattern: re.Pattern[str] | None = None
    text_pattern: re.Pattern[str] | None = None
    option_pattern: re.Pattern[str] | None = None
    join_options: bool = True  # rows indented under an option belong to it
    ignore: re.Pattern[str] | None = None  # rows that are not part of the prompt's identity


@dataclass(frozen=True, slots=True)
class Count:
    """How to count background tasks on the screen: the sum of group 1 over all matches in ``place``."""

    place: Place
    pattern: re.Pattern[str]
    running: bool = True  # False: includes foreground work, so it counts only while no turn runs


@dataclass(frozen=True, slots=True)
class SampleRef:
    """The sample that proves a rule: a moment of a recording, or a screen in a file (``screen``, beside the rules)."""

    recording: str = ""
    t_ms: int = 0
    screen: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Programs:
    """How to recognise the processes of an agent that only a rules file knows.

    ``names``: of the program or of an interpreted script. ``headless``: options that make it run without a screen.
    ``other``: first words or options that make it something other than the agent.
    """

    names: frozenset[str]
    headless: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its conditions come first, then ``all``, ``any``, ``none``.

    The first rule by priority that holds makes the claim.
    """

    name: str
    priority: int
    place: Place
    claim: Claim
    strength: Strength
    all: tuple[Test, ...]
    any: tuple[Test, ...]
    none: tuple[Test, ...]
    after: frozenset[str] | None = None
    alternate_on: bool | None = None
    cursor_visible: bool | None = None
    composer: str | None = None  # absent | visible | free | draft
    accepts_input: bool | None = None  # None: taken from the composer
    extract: Extract | None = None
    background: Count | None = None
    sample: SampleRef | None = None
    refines: Rule | None = None  # a proven rule that must hold too: this one only adds detail to it
    keys: DialogKeys | None = None  # which keys answer this dialog
    settle: int = 0  # how long it must last, in ns; 0: as long as any other
    lasting: bool = False  # a sign that stands for the whole turn
    hides: bool = False  # here the agent hides its signs of a turn: their absence proves nothing
    still: bool = False  # only lacks the signs of a turn: while words come above the field, the turn goes on
    quick: tuple[str, ...] = ()  # texts that must be somewhere on the screen: tried first, because they are cheapest
    styled: bool = False  # a matcher needs styles: without them, the rule does not hold

    def matches(self, view: View, before: Claim | None) -> Region | None:
        """Return the region in which this rule holds, or None."""
        sample = view.sample
        if self.refines is not None and self.refines.matches(view, before) is None:
            return None
        if self.after is not None and (FIRST if before is None else before.value) not in self.after:
            return None
        if self.alternate_on is not None and sample.alternate_on != self.alternate_on:
            return None
        if self.cursor_visible is not None and sample.cursor_visible != self.cursor_visible:
            return None
        if self.quick:
            screen = view.squashed
            for needle in self.quick:
                if needle not in screen:
                    return None
        if self.composer is not None and not composer_is(self.composer, view):
            return None
        region = view.region(self.place)
        if region is None or (self.styled and sample.styles is None):
            return None
        for test in self.all:
            if not test.holds(view, region):
                return None
        if self.any and not any(test.holds(view, region) for test in self.any):
            return None
        if any(test.holds(view, region) for test in self.none):
            return None
        return region


def composer_is(wanted: str, view: View) -> bool:
    """Return whether the input field is as a rule's ``composer`` requires."""
    found = view.composer
    if found is None:
        return wanted == "absent"
    if wanted == "free":
        return found.free is True
    if wanted == "draft":
        return found.free is not True
    return wanted == "visible"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One agent's rules, highest priority first."""

    agent: str
    recorded_on: tuple[str, ...]
    rules: tuple[Rule, ...]
    composer: ComposerSpec | None = None
    background: tuple[Count, ...] = ()
    programs: Programs | None = None
    extends: bool = False  # added to the rules that the agent's adapter ships; see ``over``
    chip: re.Pattern[str] | None = None
    modes: tuple[FieldMode, ...] = ()
    submit: bytes = b"\r"
    interrupt: tuple[str, ...] = ()
    key_shown: Sign | None = None
    no_key: Sign | None = None
    always: tuple[str, ...] = ()
    pastes: bool = False
    late: int = 0  # ns: see ``Write.late``
    after_wait: int = 0  # ns: see ``Write.after_wait``
    oldest: str | None = None  # the oldest version whose screens these rules read
    version: re.Pattern[str] | None = None  # finds the agent's version in the first rows of a screen

    def controls(self) -> Controls:
        """Return how to operate the agent."""
        dialogs = {rule.name: rule.keys for rule in self.rules if rule.keys is not None}
        styled = tuple([rule.quick for rule in self.rules if rule.styled])
        return Controls(
            self.composer, self.chip, self.submit, self.interrupt, dialogs, styled, self.modes, self.key_shown,
            self.no_key, self.always, self.pastes,
        )  # fmt: skip

    def over(self, shipped: RuleSet) -> RuleSet:
        """Return ``shipped`` with these rules added. A rule of the same name replaces the shipped one."""
        mine = {rule.name for rule in self.rules}
        rules = [*self.rules, *(rule for rule in shipped.rules if rule.name not in mine)]
        return replace(
            shipped,
            recorded_on=self.recorded_on or shipped.recorded_on,
            rules=tuple(sorted(rules, key=lambda rule: -rule.priority)),
            composer=self.composer or shipped.composer,
            chip=self.chip if self.composer is not None else shipped.chip,
            modes=self.modes or shipped.modes,
            background=self.background or shipped.background,
            interrupt=self.interrupt or shipped.interrupt,
            key_shown=self.key_shown or shipped.key_shown,
            no_key=self.no_key or shipped.no_key,
            always=self.always or shipped.always,
            pastes=self.pastes or shipped.pastes,
            late=self.late or shipped.late,
            after_wait=self.after_wait or shipped.after_wait,
            oldest=self.oldest or shipped.oldest,
            version=self.version or shipped.version,
        )

    def view(self, sample: Sample) -> View:
        """Return ``sample`` ready to be matched with these rules."""
        return View(sample, self.composer)

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Return the claim of one sample. None: no rule matched.

        ``before``: the claim of the previous sample of this runtime, None at first.
        """
        view = View(sample, self.composer)
        for rule in self.rules:
            region = rule.matches(view, before)
            if region is not None:
                return self.claim_of_rule(rule, view, region)
        return None

    def claim_of_rule(self, rule: Rule, view: View, region: Region) -> Write:
        """Return the claim of ``rule`` for a sample that it matched in ``region``."""
        waiting = rule.claim in _WAITING_CLAIMS
        accepts, found = rule.accepts_input, view.composer
        if accepts is None:
            accepts = False if found is None or waiting else found.free
        elif accepts and found is not None and found.hint is False:  # drawn as a draft
            accepts = False
        if accepts is not False and any(mode.text is TextMethod.NONE for mode in shown(self.modes, view)):
            accepts = False
        return Write(
            claim=rule.claim,
            rule=rule.name,
            strength=rule.strength,
            waiting_for=describe(rule.extract, region) if waiting and rule.extract is not None else None,
            accepts_input=accepts,
            background_tasks=self._background(rule, view),
            settle=rule.settle,
            after_wait=self.after_wait,
            late=self.late,
            version=self.version_on(view),
            lasting=rule.lasting,
            hides=rule.hides,
            scene=view.scene() if rule.still else None,
        )

    def version_on(self, view: View) -> str | None:
        """Return the agent's version, if the first rows of the screen show it."""
        found = self.version.search("\n".join(view.rows[:_HEAD])) if self.version is not None else None
        return one_line(found.group(1))[:40] if found else None

    def _background(self, rule: Rule, view: View) -> int | None:
        if rule.background is not None:
            counts: tuple[Count, ...] = (rule.background,)
        else:
            busy = rule.claim is Claim.RUNNING
            counts = tuple(c for c in self.background if c.running or not busy)
        if not counts:
            return None
        total: int | None = None
        for count in counts:
            region = view.region(count.place)
            if region is not None:
                total = (total or 0) + sum(_count(n) for n in count.pattern.findall(region.flat))
        return total or None  # a narrow pane may cut off the footer, so 0 does not prove that nothing runs


def _count(digits: str) -> int:
    """Return a number on a screen as a count. A number that is too large counts as 0."""
    return int(digits) if len(digits) <= len(str(COUNT_MOST)) else 0


def describe(extract: Extract, region: Region) -> WaitingFor:
    """Return what the dialog in ``region`` waits for, with the fingerprint of this one prompt."""
    subject = extract.subject
    if extract.subject_pattern is not None:
        found = extract.subject_pattern.search(region.text)
        if found is not None:
            subject = flatten(found.group(1)) or subject
    text = None
    if extract.text_pattern is not None:
        found = extract.text_pattern.search(region.text)
        if found is not None:
            text = one_line(flatten(_words(found.group(1), extract.ignore)))[:MAX_TEXT] or None
    return WaitingFor(
        kind=extract.kind,
        subject=one_line(subject)[:200] if subject else None,
        text=text,
        options=_options(extract, region),
        fingerprint=fingerprint(region, extract.ignore),
    )


_NUMBER_ONE: Final = re.compile(r"(?<!\d)1\.\s*$")
_RULE_ROW: Final = re.compile(r"^[\s─━═╌╍┄▔▁╭╮╰╯┌┐└┘├┤│┃]*$")


def _words(text: str, ignore: re.Pattern[str] | None) -> str:
    """Return ``text`` without rows that only draw a frame, and without rows that are not part of the request."""
    rows = [r for r in text.split("\n") if not _RULE_ROW.match(r) and not (ignore is not None and ignore.search(r))]
    return "\n".join(rows)


def _options(extract: Extract, region: Region) -> tuple[str, ...]:
    if extract.option_pattern is None:
        return ()
    options: list[str] = []
    column = -1  # the column where the text of the option above began; -1 after its end
    for framed in region.rows:
        row = unframe(framed).rstrip()
        found = list(extract.option_pattern.finditer(row))
        if found:
            if _NUMBER_ONE.search(
                row[: found[0].start(1)]
            ):  # what was found so far is a numbered text above the real list
                options.clear()
            options += [one.group(1) for one in found]
            column = found[0].start(1) if len(found) == 1 else -1
        elif column > 0 and extract.join_options and row and not row[:column].strip():
            options[-1] += " " + row.strip()
        else:
            column = -1
    return tuple(one_line(flatten(o))[:200] for o in options)


def fingerprint(region: Region, ignore: re.Pattern[str] | None = None) -> str:
    """Return the sha256 of the dialog's words.

    Pointer, check marks, spinners, frames, wraps and padding do not count.
    """
    rows = region.rows if ignore is None else [r for r in region.rows if not ignore.search(r)]
    words = _NOT_PROMPT.sub("", "".join(rows))
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()
