"""The widgets of the dashboard: a line, the list of agents, the detail. All draw lines by themselves.

The list renders only the rows that are visible, and each of them again only if it changed.
"""

from __future__ import annotations

from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from agtmux.top import layout, lines
from agtmux.top.arrange import Entry
from agtmux.top.style import strip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events

    from agtmux.top.arrange import Line
    from agtmux.top.lines import Spans
    from agtmux.top.model import Row

Key = tuple[str, ...]


class Bar(Widget):
    """One line. ``draw`` writes it for a width."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    def __init__(self, draw: Callable[[int], Spans], *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._draw = draw

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        return strip(self._draw(width), width).apply_style(self.rich_style)


class AgentList(ScrollView, can_focus=True):
    """The list. ``selected`` is the key of a line: the selection follows its row, wherever it goes."""

    DEFAULT_CSS = """
    AgentList { width: 1fr; height: 1fr; scrollbar-size: 0 0; overflow-x: hidden; }
    """

    class SelectionChange(Message):
        """Another line is selected."""

    class DoubleClick(Message):
        """A line was double-clicked."""

    class RightClick(Message):
        """A line was clicked with the right button."""

    def __init__(self) -> None:
        super().__init__(id="list")
        self.lines: Sequence[Line] = ()
        self.empty: Sequence[Spans] = ()
        self.selected: Key | None = None
        self.marks: frozenset[tuple[str, str]] = frozenset()
        self.now = 0.0
        self.target = self.dimmed = False
        self.fold_key = ""
        self._how: object = None  # all that changes every line
        self._cache: dict[Key, tuple[object, Strip]] = {}
        self._ages: dict[Key, str] = {}

    # ------------------------------------------------------------ what is shown

    def show(self, shown: Sequence[Line], empty: Sequence[Spans]) -> None:
        """Show these lines. The selection stays on its row; if that is gone, on what is in its place."""
        place, before = self.index, self.lines
        how = (self.target, self.dimmed, self.marks, empty, self.scroll_y, len(shown))
        self.lines, self.empty = shown, empty
        keys = {line.key for line in shown}
        if self.selected not in keys:
            self.selected = shown[min(place or 0, len(shown) - 1)].key if shown else None
        self._cache = {key: kept for key, kept in self._cache.items() if key in keys}
        self.virtual_size = Size(self.size.width, max(1, len(shown)))
        self.keep_in_sight()
        if how != self._how or self.scroll_y != how[4]:
            self._how = how
            self.refresh()
            return
        changed = {place, self.index} if place != self.index else set()
        changed |= {n for n, (old, new) in enumerate(zip(before, shown, strict=True)) if old != new}
        for number in changed:
            if number is not None:
                self.refresh_line(number)

    @property
    def index(self) -> int | None:
        """The number of the selected line. None if there is none."""
        return next((n for n, line in enumerate(self.lines) if line.key == self.selected), None)

    @property
    def line(self) -> Line | None:
        index = self.index
        return None if index is None else self.lines[index]

    @property
    def row(self) -> Row | None:
        """The selected row. None on a header or a fold."""
        line = self.line
        return line.row if isinstance(line, Entry) else None

    def select(self, key: Key) -> None:
        """Select the line with this key."""
        if key == self.selected or key not in {line.key for line in self.lines}:
            return
        before, self.selected = self.index, key
        for number in (before, self.index):
            if number is not None:
                self.refresh_line(number)
        self.keep_in_sight()
        self.post_message(self.SelectionChange())

    def move(self, by: int) -> None:
        """Move the selection by so many lines, at most to the ends."""
        if self.lines:
            place = (self.index or 0) + by
            self.select(self.lines[max(0, min(len(self.lines) - 1, place))].key)

    def keep_in_sight(self) -> None:
        """Scroll as little as needed for the selection to be visible."""
        index, top, height = self.index, round(self.scroll_y), max(1, self.size.height)
        if index is None:
            return
        first = min(max(top, index - height + 1), index)
        first = max(0, min(first, len(self.lines) - height))
        if first != top:
            self.scroll_to(y=first, animate=False, immediate=True)

    def tick(self, now: float) -> None:
        """Take in the time. Only the ages that read differently are drawn again."""
        self.now = now
        at = layout.columns(self.size.width)
        top = self.scroll_offset.y
        for y, line in enumerate(self.lines[top : top + self.size.height]):
            if isinstance(line, Entry) and self._ages.get(line.key) != lines.age_text(line.row, now, at.age):
                self.refresh(Region(at.age_at, y, at.age, 1))

    # ------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        number, width = y + self.scroll_offset.y, self.size.width
        if number >= len(self.lines):
            spans = self.empty[y] if not self.lines and y < len(self.empty) else ()
            return strip(spans, width).apply_style(self.rich_style)
        line = self.lines[number]
        at = layout.columns(width)
        selected, marked = line.key == self.selected, line.key in self.marks
        age = lines.age_text(line.row, self.now, at.age) if isinstance(line, Entry) else ""
        muted = isinstance(line, Entry) and line.row.muted_until is not None and line.row.muted_until > self.now
        why = (line, width, selected, marked, age, muted, self.target, self.dimmed, self.has_focus, self.rich_style)
        kept = self._cache.get(line.key)
        if kept is not None and kept[0] == why:
            return kept[1]
        spans = lines.list_line(
            line, at, self.now, marked=marked, pointer=selected, target=self.target, key=self.fold_key
        )
        drawn = strip(spans, width, selected=selected, dimmed=self.dimmed).apply_style(self.rich_style).simplify()
        self._cache[line.key] = (why, drawn)
        self._ages[line.key] = age
        return drawn

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, max(1, len(self.lines)))
        self.keep_in_sight()

    # ------------------------------------------------------------ mouse

    def on_click(self, event: events.Click) -> None:
        number = event.y + self.scroll_offset.y
        if number >= len(self.lines):
            return
        self.select(self.lines[number].key)
        if event.button == 3:
            self.post_message(self.RightClick())
        elif event.chain == 2:
            self.post_message(self.DoubleClick())


class Detail(Widget, can_focus=True):
    """Lines at the top, and below them the end of a captured screen in what room is left."""

    def __init__(self, *, id: str, can_focus: bool = True) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self.can_focus = can_focus
        self._head: Sequence[Spans] = ()
        self._screen: Sequence[Strip] = ()
        self._up = 0

    DEFAULT_CSS = "Detail { width: 1fr; height: 1fr; }"

    class SizeChange(Message):
        """It has another size, and so other lines."""

    def on_resize(self) -> None:
        self.post_message(self.SizeChange())

    def show(self, head: Sequence[Spans], screen: Sequence[Strip] = ()) -> None:
        """Show this. What is the same is not drawn again."""
        if (head, screen) != (self._head, self._screen):
            self._head, self._screen = head, screen
            self._up = min(self._up, self._most_up)
            self.refresh()

    @property
    def _most_up(self) -> int:
        return max(0, len(self._head) + len(self._screen) - self.size.height)

    def scroll_by(self, lines_down: int) -> None:
        """Scroll the captured screen."""
        up = max(0, min(self._most_up, self._up - lines_down))
        if up != self._up:
            self._up = up
            self.refresh()

    def scroll_to_end(self, *, top: bool) -> None:
        self.scroll_by(-len(self._screen) if top else len(self._screen))

    def render_line(self, y: int) -> Strip:
        width, head = self.size.width, len(self._head)
        if y < head:
            return strip(self._head[y], width).apply_style(self.rich_style)
        room = self.size.height - head
        first = max(0, len(self._screen) - room - self._up)
        number = first + y - head
        if number < len(self._screen):
            return self._screen[number].adjust_cell_length(width).apply_style(self.rich_style)
        return Strip.blank(width, self.rich_style)
