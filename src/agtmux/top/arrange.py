"""Put rows in order: what needs you first, quiet ones folded into one line, groups under headers.

Pure. Knows neither widths nor colours.
"""

from __future__ import annotations

from dataclasses import dataclass

from agtmux.render import STATES
from agtmux.top.model import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from agtmux.top.model import Row

GROUPINGS = ("attention", "target", "session", "cwd")
"""The ways to group, in the order in which the key goes through them."""
FOLD_FROM = 2
"""So many quiet rows become one line. A single one takes no more room than that line."""


@dataclass(frozen=True, slots=True)
class Head:
    """The header of a group, with the most urgent state of its rows. ``needs``: how many need you."""

    group: str
    title: str
    state: str
    size: int
    needs: int

    @property
    def key(self) -> tuple[str, ...]:
        return ("head", self.group)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row."""

    group: str
    row: Row

    @property
    def key(self) -> tuple[str, ...]:
        return self.row.key


@dataclass(frozen=True, slots=True)
class Fold:
    """One line for the quiet rows of a group. ``words``: how many in which state."""

    group: str
    size: int
    words: str

    @property
    def key(self) -> tuple[str, ...]:
        return ("fold", self.group)


Line = Head | Entry | Fold


def rank(row: Row) -> int:
    """Return the place of a row's kind in the default order: 0 for what needs you, 5 for what is quiet."""
    if row.needs_you:
        return 1 if row.state == "error" else 0
    if row.attention == "review":
        return 2
    return {"idle": 5, "completed": 5, "unknown": 4}.get(row.state, 3)


def order(row: Row) -> tuple[int, float, tuple[str, str]]:
    """Return the sort key of a row: its kind, then the oldest first."""
    since = row.waits_since if rank(row) < 3 else row.since
    return rank(row), since if since is not None else float("inf"), row.key


def group_of(row: Row, grouping: str) -> tuple[str, str]:
    """Return the name of a row's group, and its title."""
    if grouping == "target":
        return row.target, row.target
    if grouping == "session":
        return f"{row.target}/{row.session}", f"{row.target}  {row.session}"
    if grouping == "cwd":
        if not row.cwd:
            return "", "folder not known"
        return row.cwd, row.cwd if row.cwd.endswith(row.project) else f"{row.project}  {row.cwd}"
    return "", ""


def arrange(rows: Iterable[Row], grouping: str = "attention", unfolded: frozenset[str] | None = frozenset()) -> tuple[
    Line, ...
]:  # fmt: skip
    """Return the lines of the list. ``unfolded``: the groups whose quiet rows are shown; None for all groups.

    Groups in which something needs you come first, then they go by name.
    """
    groups: dict[str, list[Row]] = {}
    titles: dict[str, str] = {}
    for row in sorted(rows, key=order):
        name, title = group_of(row, grouping)
        groups.setdefault(name, []).append(row)
        titles[name] = title
    lines: list[Line] = []
    for name in sorted(groups, key=lambda name: (not any(row.needs_you for row in groups[name]), name)):
        members = groups[name]
        if grouping != "attention":
            lines.append(_head(name, titles[name], members))
        quiet = [row for row in members if row.quiet]
        folds = unfolded is not None and name not in unfolded and len(quiet) >= FOLD_FROM
        lines += [Entry(name, row) for row in members if not (folds and row.quiet)]
        if folds:
            lines.append(Fold(name, len(quiet), _quiet_words(quiet)))
    return tuple(lines)


def groups_of(rows: Iterable[Row], grouping: str) -> frozenset[str]:
    """Return the names of all groups."""
    return frozenset(group_of(row, grouping)[0] for row in rows)


def rows_that_need_you(lines: Iterable[Line]) -> list[Row]:
    """Return the rows that need you, in their order. They are never folded."""
    return [line.row for line in lines if isinstance(line, Entry) and line.row.needs_you]


def _head(name: str, title: str, rows: list[Row]) -> Head:
    top = min((STATES.index(row.state) for row in rows if row.state in STATES), default=len(STATES) - 1)
    return Head(name, title, STATES[top], len(rows), sum(row.needs_you for row in rows))


def _quiet_words(rows: list[Row]) -> str:
    found = {state: sum(row.state == state for row in rows) for state in ("idle", "completed")}
    return ", ".join(f"{count} {word(state)}" for state, count in found.items() if count)
