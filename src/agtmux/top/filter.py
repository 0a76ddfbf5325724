"""The filter of the dashboard: ``state:waiting agent:claude @gpu !branch:main text``.

Owns the grammar. A word with a known name before its colon asks for that field, ``@`` for the target. Every other word
is searched in all that a row says. ``!`` before a word means "not". All words must fit; nothing is case-sensitive.
"""

from __future__ import annotations

from dataclasses import dataclass

from agtmux.render import STATES
from agtmux.top.model import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from agtmux.top.model import Row

GROUPS: Mapping[str, tuple[str, ...]] = {
    "waiting": ("waiting_approval", "waiting_input"),
    "done": ("completed", "idle"),
    "attention": ("waiting_approval", "waiting_input", "error"),
}
"""Names for several states at once, as in ``agtmux ls --state``."""
FIELDS: Mapping[str, Callable[[Row], str]] = {
    "state": lambda row: row.state,
    "agent": lambda row: f"{row.agent} {row.name}",
    "target": lambda row: row.target,
    "session": lambda row: row.session,
    "place": lambda row: f"{row.place} {row.pane_id}",
    "cwd": lambda row: row.cwd,
    "project": lambda row: row.project,
    "branch": lambda row: f"{row.branch} {row.worktree}",
}
"""The names that may stand before a colon."""


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter. ``field``: None for a word that is searched everywhere."""

    field: str | None
    text: str
    negated: bool = False

    def fits(self, row: Row) -> bool:
        return self._found(row) is not self.negated

    def _found(self, row: Row) -> bool:
        if not self.text:  # still being typed
            return not self.negated
        if self.field == "state":
            return row.state in states(self.text)
        if self.field is not None:
            return self.text in FIELDS[self.field](row).lower()
        return self.text in everything(row)


def states(text: str) -> frozenset[str]:
    """Return the states whose name, short word or group begins with ``text``."""
    found = {state for state in STATES if state.startswith(text) or word(state).startswith(text)}
    for name, members in GROUPS.items():
        if name.startswith(text):
            found.update(members)
    return frozenset(found)


def everything(row: Row) -> str:
    """Return all words of a row, in lower case."""
    return " ".join(
        (row.agent, row.name, row.state, row.target, row.place, row.pane_id, row.what, row.task, row.title, row.message,
         row.cwd, row.project, row.branch, row.worktree)
    ).lower()  # fmt: skip


def parse(text: str) -> tuple[Term, ...]:
    """Return the words of a filter. Never fails: what is not understood is text to search for."""
    return tuple(_term(part) for part in _split(text.lower()))


def filter_rows(rows: Iterable[Row], terms: tuple[Term, ...]) -> list[Row]:
    """Return the rows that all words fit."""
    return [row for row in rows if all(term.fits(row) for term in terms)]


def problem(terms: tuple[Term, ...]) -> str:
    """Return why a filter can never find anything. "" if it can."""
    for term in terms:
        if term.field == "state" and term.text and not states(term.text):
            return f"no state begins with {term.text}"
    return ""


def _term(part: str) -> Term:
    negated = part.startswith("!") and len(part) > 1
    part = part[1:] if negated else part
    if part.startswith("@"):
        return Term("target", part[1:], negated)
    name, colon, value = part.partition(":")
    if colon and name in FIELDS:
        return Term(name, value, negated)
    return Term(None, part, negated)


def _split(text: str) -> Iterator[str]:
    """Yield the words. Blanks inside double quotes belong to a word; a quote that is still open ends with the text."""
    word_, quoted, started = "", False, False
    for char in text:
        if char == '"':
            quoted, started = not quoted, True
        elif char.isspace() and not quoted:
            if word_ or started:
                yield word_
            word_, started = "", False
        else:
            word_ += char
    if word_ or started:
        yield word_
