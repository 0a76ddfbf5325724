"""Describe how to operate one agent: its input field, how a paste looks in it, and which keys answer its dialogs.

Owns the decision what the input field holds (nothing, a draft, the text that was typed). Pure; knows no agent:
everything comes from a rules file. Each dialog's keys are in the rule that recognises the dialog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agtmuxd.core.action.keys import named
from agtmuxd.core.model import Sample
from agtmuxd.core.screen.cells import drawn, fold, from_column
from agtmuxd.core.screen.dialog_options import DialogOptions
from agtmuxd.core.screen.field_mode import FieldMode, shown
from agtmuxd.core.screen.regions import ComposerSpec, Place, View, is_frame, squash

LAST: Final = 3
"""How many last rows of a dialog are searched for the keys that it shows."""
TAIL: Final = 24
"""How many characters at the end of a long text must be seen in the field before it is submitted."""


class InputField(StrEnum):
    """What an agent's input field holds.

    ``UNSURE``: text that may be a draft or a placeholder. ``OFFERED``: nothing is typed, but there is a text that is no
    known placeholder. Typing replaces it; Enter alone may take it as a prompt.
    """

    ABSENT = "absent"
    FREE = "free"
    OFFERED = "offered"
    DRAFT = "draft"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class DialogKeys:
    """The keys of one dialog, as tmux names them. Empty: agtmux does not know them, so a person must press them.

    - ``option``: the keys that take an option, with ``{n}`` for its number. Without ``{n}`` they act on the option that
      the pointer is on.
    - ``write``: matches the option behind which text is typed.
    - ``pointer``: matches the row of the option that the keys act on, with its number or its text as group 1. Needed if
      an option's key would take the option at once.
    - ``open``: opens the field for the text. Default: the option's keys with ``{n}``.
    - ``field``: matches the row of that field up to where its text begins, with the option's number as group 1 if it
      shows one.
    - ``behind``: matches what the agent draws after such a text.
    - ``submit``: the keys that submit it.
    - ``finish``: for a dialog that opens when another one is denied: the keys that complete that denial. They are
      pressed only there.
    """

    approve: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    option: tuple[str, ...] = ()
    write: re.Pattern[str] | None = None
    pointer: re.Pattern[str] | None = None
    open: tuple[str, ...] = ()
    field: re.Pattern[str] | None = None
    behind: re.Pattern[str] | None = None
    submit: tuple[str, ...] = ("Enter",)
    finish: tuple[str, ...] = ()
    deny_shown: re.Pattern[str] | None = None  # matches the row that shows the key for ``deny``, as group 1
    choices: DialogOptions | None = None  # instead of ``pointer``, if only the way an option is drawn shows it
    towards: tuple[str, str] = ("Up", "Down")  # the keys that move the pointer back and forth by one
    approve_at: int = 0  # the number of the option that approves, taken as an answer is; 0: use the keys
    deny_at: int = 0

    @property
    def points(self) -> bool:
        """Whether an option is taken by moving the pointer to it."""
        shown = self.pointer is not None or self.choices is not None
        return shown and bool(self.option) and not any("{n}" in key for key in self.option)

    def denying(self, sample: Sample) -> tuple[str, ...] | None:
        """Return the keys that deny: those that the dialog shows in its last rows, if any, else ``deny``.

        None: the dialog shows a key that cannot be pressed.
        """
        shown = self.deny_shown
        last = [row for row in sample.lines if row.strip()][-LAST:]
        found = next((m for row in last if (m := shown.search(row))), None) if shown is not None else None
        if found is None:
            return self.deny
        key = named(found.group(1))
        return None if key is None else (key,)

    def taking(self, number: int) -> tuple[str, ...]:
        """Return the keys that take option ``number``. If ``points``, the pointer must be on it first."""
        return tuple(key.replace("{n}", str(number)) for key in self.option)

    def opening(self, number: int) -> tuple[str, ...]:
        """Return the keys that open the field for a text behind option ``number``.

        Empty: moving the pointer opens it.
        """
        if self.points and not self.open:
            return ()
        return tuple(key.replace("{n}", str(number)) for key in self.open or self.option)

    def types(self, option: str) -> bool:
        """Return whether the keys of this option only open a field for a text."""
        return self.write is not None and not self.open and self.write.search(option) is not None

    def moves(self, sample: Sample, number: int, options: Sequence[str] = ()) -> tuple[str, ...] | None:
        """Return the keys that move the pointer to option ``number``. None if the pointer's place is unknown."""
        if self.choices is not None:
            chosen = self.choices.chosen(sample, options)
            return None if chosen is None else self._pointer_keys(number - chosen)
        if self.pointer is None:
            return ()
        row = self._pointed(sample)
        match = None if row is None else self.pointer.match(sample.lines[row])
        if match is None:
            return None
        text = match.group(1).strip()
        there = int(text) if text.isdecimal() and len(text) <= 4 else _option_number(text, options)
        if there is None:
            return None
        return self._pointer_keys(number - there)

    def _pointer_keys(self, steps: int) -> tuple[str, ...]:
        back, forth = self.towards
        return (forth,) * steps if steps > 0 else (back,) * -steps

    def free(self, sample: Sample, number: int | None) -> bool | None:
        """Return whether the field for a text is open and empty. False: it holds text. None: it is not open."""
        start = self._start(sample, number)
        if start is None:
            return None
        return (sample.cursor_y, sample.cursor_x) == start

    def written(self, sample: Sample, number: int | None, text: str) -> bool:
        """Return whether the field holds ``text`` and nothing else. For a long text its end is enough."""
        if self.field is None:
            return without_blanks(text) in without_blanks("".join(sample.lines))
        start = self._start(sample, number)
        if start is None or sample.cursor_y < start[0]:
            return False
        row, column = start
        held = [sample.lines[row][column:], *sample.lines[row + 1 : sample.cursor_y + 1]]
        if self.behind is not None:
            held[-1] = self.behind.sub("", held[-1])
        seen, wanted = without_blanks("".join(held)), without_blanks(text)
        return seen == wanted or (len(seen) >= TAIL and wanted.endswith(seen))

    def _pointed(self, sample: Sample) -> int | None:
        """Return the row that the pointer is on."""
        if self.pointer is None:
            return None
        return next((y for y in range(len(sample.lines) - 1, -1, -1) if self.pointer.match(sample.lines[y])), None)

    def _start(self, sample: Sample, number: int | None) -> tuple[int, int] | None:
        """Return the row and column at which the field's text begins. The cursor is in the field, below the pointer."""
        if self.field is None:
            return None
        above = self._pointed(sample)
        for y in range(min(sample.cursor_y, len(sample.lines) - 1), -1 if above is None else above, -1):
            row = sample.lines[y]
            match = self.field.match(row.ljust(sample.cursor_x) if y == sample.cursor_y else row)
            if match is not None and (not match.re.groups or match.group(1) == str(number)):
                return y, match.end()
        return None


@dataclass(frozen=True, slots=True)
class KeyOverrides:
    """The keys that a user's own settings assign, as the agent spells them.

    None: the settings do not mention the function. Empty: no key has it.
    """

    interrupt: tuple[str, ...] | None = None
    submit: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that an agent shows on the screen: ``pattern``, tried on the rows of ``place``."""

    place: Place
    pattern: re.Pattern[str]

    def found(self, view: View) -> re.Match[str] | None:
        """Return the match, or None."""
        region = view.region(self.place)
        return None if region is None else self.pattern.search(region.text)


@dataclass(frozen=True, slots=True)
class Controls:
    """What can be done to an agent, and how. ``chip`` matches what the field shows for a large paste."""

    composer: ComposerSpec | None = None
    chip: re.Pattern[str] | None = None
    submit: bytes = b"\r"
    interrupt: tuple[str, ...] = ()
    dialogs: Mapping[str, DialogKeys] = field(default_factory=dict)
    styled_rules: tuple[tuple[str, ...], ...] = ()
    """For each rule that needs styles: texts, without blanks, that must be on the screen."""
    modes: tuple[FieldMode, ...] = ()
    key_shown: Sign | None = None
    """Where the agent shows the key that stops a turn, as group 1."""
    no_key: Sign | None = None
    """Where the agent shows that no key stops a turn."""
    always: tuple[str, ...] = ()
    """Keys that stop a turn whatever the user's settings are, in an empty field.

    If the field holds text, they would clear it.
    """
    pastes: bool = False
    """Always paste text: letters may be commands, and the field does not show when."""

    @property
    def styled(self) -> bool:
        """Whether anything here depends on how text is drawn. Then panes must be captured with attributes."""
        return bool(
            self.styled_rules
            or (self.composer is not None and self.composer.styled)
            or any(keys.choices is not None for keys in self.dialogs.values())
        )

    def asks_style(self, sample: Sample) -> bool:
        """Return whether a rule that needs styles may hold."""
        if not self.styled_rules:
            return False
        screen = squash("\n".join(sample.lines))
        return any(all(needle in screen for needle in needles) for needles in self.styled_rules)

    def undrawn(self, sample: Sample) -> str | None:
        """Return the text in the field that only its style identifies as placeholder or draft, with the rows below.

        Else None.

        While this text stays the same with the cursor before it, its style is assumed to stay the same for a time.
        """
        if self.composer is None or not self.composer.styled:
            return None
        return self.composer.before(sample)

    def shown_key(self, sample: Sample) -> str | None:
        """Return the key that stops a turn, as the agent shows and spells it.

        Empty: the agent shows that no key does. None: it shows neither.
        """
        view = View(sample, self.composer)
        found = None if self.key_shown is None else self.key_shown.found(view)
        if found is not None:
            return found.group(1)
        return "" if self.no_key is not None and self.no_key.found(view) else None

    def hint(self, sample: Sample) -> bool | None:
        """Return whether the text in the field is drawn as a placeholder. None if unknown."""
        found = View(sample, self.composer).composer
        return None if found is None else found.hint

    def look(self, sample: Sample) -> InputField:
        """Return what the input field holds."""
        found = View(sample, self.composer).composer
        if found is None:
            return InputField.ABSENT
        if found.offered:
            return InputField.OFFERED
        return InputField.UNSURE if found.free is None else InputField.FREE if found.free else InputField.DRAFT

    def in_modes(self, sample: Sample) -> tuple[FieldMode, ...]:
        """Return the modes that the input field is in, of those in which keys are not simply text."""
        return shown(self.modes, View(sample, self.composer))

    def at_end(self, sample: Sample) -> bool:
        """Return whether no typed text follows the cursor. A hidden cursor outside the field counts as at the end."""
        view = View(sample, self.composer)
        found, y = view.composer, sample.cursor_y
        if found is None:
            return False
        ends = view.ys[found.bottom] if found.bottom < len(view.ys) else len(sample.lines)
        if not view.ys[found.prompt] <= y < ends:
            return not sample.cursor_visible
        rest = from_column(sample.lines[y], sample.cursor_x)
        below = [row for row, at in zip(view.rows, view.ys, strict=True) if at > y][: _below(view, found.bottom, y)]
        return all(is_frame(row) for row in [rest, *below])

    def chips(self, sample: Sample) -> int:
        """Return how many pastes the field shows as chips."""
        shown = self._shown(sample)
        return 0 if shown is None or self.chip is None else len(self.chip.findall(shown))

    def holds(self, sample: Sample, text: str, chips: int = 0) -> bool:
        """Return whether the input field holds ``text``: all of it, its end if the field shows no more, or its chip.

        ``chips``: how many chips were there before it was typed.
        """
        shown = self._shown(sample)
        if shown is None:
            return False
        if self.chip is not None and len(self.chip.findall(shown)) > chips:
            return True
        seen, wanted = _letters(shown), _letters(text)
        if not wanted:
            return bool(seen) or not text.strip()
        if seen.endswith(wanted):
            return True
        return len(seen) >= TAIL and wanted.endswith(seen)

    def drawn_text(self, sample: Sample) -> str:
        """Return the text in the field as ``cells.drawn`` does. Empty if there is none, or if it is a placeholder."""
        return drawn(self._shown(sample) or "")

    def _shown(self, sample: Sample) -> str | None:
        """Return the text in the field without the prompt sign. None if there is no field, or it is free."""
        view = View(sample, self.composer)
        found = view.composer
        if found is None or found.free is True:
            return None
        below = [row for row in view.rows[found.prompt + 1 : found.bottom] if not is_frame(row)]
        return "\n".join([self._typed(view.rows[found.prompt]), *below])

    def _typed(self, row: str) -> str:
        spec = self.composer
        while spec is not None:
            if found := spec.prompt.match(row):
                return (found.group(1) or "") if found.re.groups else row[found.end() :]
            spec = spec.other
        return row


def _below(view: View, bottom: int, y: int) -> int:
    """Return how many rows of the field, which ends above ``bottom``, are below the row ``y`` of the screen."""
    return sum(1 for at in view.ys[:bottom] if at > y)


def _option_number(text: str, options: Sequence[str]) -> int | None:
    """Return the number of the one option whose text is equal, or else begins so."""
    shown_options = [without_blanks(option) for option in options]
    same = [n for n, option in enumerate(shown_options, 1) if option == without_blanks(text)]
    same = same or [n for n, option in enumerate(shown_options, 1) if option.startswith(without_blanks(text))]
    return same[0] if len(same) == 1 else None


def without_blanks(text: str) -> str:
    """Return text without blanks and dialog frames, folded (see ``cells.fold``)."""
    return "".join(c for c in fold(text) if not c.isspace() and c not in "│┃|")


def _letters(text: str) -> str:
    """Return only letters and digits, or, if there are none, all printable characters except blanks.

    Fields wrap, frame and redraw the rest.
    """
    plain = fold(text)
    kept = "".join(c for c in plain if c.isalnum())
    return kept or "".join(c for c in plain if c.isprintable() and not c.isspace())
