"""The screens above the dashboard: a card, a field for text, a menu, a page to read. Each closes on Escape.

They decide nothing: a card's rules are in ``card``, and what a menu runs is the caller's.
"""

from __future__ import annotations

import time

from textual.binding import Binding
from textual.containers import Vertical
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip

from agtmux.top import card as cards
from agtmux.top.keys import KEYS, sign
from agtmux.top.lines import length
from agtmux.top.style import strip
from agtmux.top.text import fit, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, ClassVar

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from agtmux.top.action_requests import ActionRequest, Outcome
    from agtmux.top.card import Card
    from agtmux.top.fields import Field
    from agtmux.top.keys import Keymap
    from agtmux.top.lines import Spans
    from agtmux.top.model import Row

BOX = """
{name} {{ align: center middle; }}
{name} > .box {{
    width: {width}; max-width: 96%; height: {height}; max-height: 96%; border: round $primary; padding: 0 1;
}}
"""


def bindings(*names: str, enter: str = "", also: Sequence[BindingType] = ()) -> list[BindingType]:
    """Return bindings for ids of the table of keys, under the same ids, so that the keymap counts here too."""
    made: list[BindingType] = [
        Binding(",".join(key.keys), f"stroke('{key.id}')", key.help, show=False, id=key.id)
        for key in KEYS
        if key.id in names
    ]
    if enter:
        made.append(Binding("enter", enter, show=False))
    return [*made, Binding("escape", "close", show=False), *also]


class Lines(ScrollView, can_focus=False):
    """Lines that scroll: spans, or strips that are drawn already."""

    DEFAULT_CSS = "Lines { width: 1fr; height: 1fr; scrollbar-size: 0 0; overflow-x: hidden; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[Spans | Strip] = ()
        self.at: int | None = None  # the chosen line, in a menu

    def show(self, shown: Sequence[Spans | Strip], *, at: int | None = None) -> None:
        self._lines, self.at = shown, at
        self.virtual_size = Size(self.size.width, max(1, len(shown)))
        if at is not None:
            top, height = self.scroll_offset.y, max(1, self.size.height)
            first = min(max(top, at - height + 1), at)
            self.scroll_to(y=first, animate=False, immediate=True)
        self.refresh()

    @property
    def at_end(self) -> bool:
        """Whether the last line is in sight."""
        return self.scroll_offset.y + self.size.height >= len(self._lines)

    def jump(self, *, top: bool) -> None:
        self.scroll_to(y=0 if top else len(self._lines), animate=False, immediate=True)

    def page(self, by: float) -> None:
        self.scroll_to(y=self.scroll_y + by * max(1, self.size.height), animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        number, room = y + self.scroll_offset.y, self.size.width
        if number >= len(self._lines):
            return Strip.blank(room, self.rich_style)
        line = self._lines[number]
        drawn = (
            line.adjust_cell_length(room) if isinstance(line, Strip) else strip(line, room, selected=number == self.at)
        )
        return drawn.apply_style(self.rich_style)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, max(1, len(self._lines)))


class CardScreen(ModalScreen[bool]):
    """A card. ``send`` gives the request to the daemon, ``finish`` gets the outcome. Ends with True for "next".

    Digits and the keys of the card's verbs count here and nowhere else.
    """

    CSS = BOX.format(name="CardScreen", width=84, height="auto")
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "approve", "deny", "interrupt", "kill", "quit", enter="stroke('enter')",
        also=[Binding(digit, f"stroke('{digit}')", show=False) for digit in "123456789"],
    )  # fmt: skip

    def __init__(
        self,
        shown: Card,
        keymap: Keymap,
        send: Callable[[ActionRequest, Callable[[Outcome], None]], None],
        clock: Callable[[], float],
    ) -> None:
        """``clock``: seconds that only grow, the card's own time."""
        super().__init__()
        self.card, self._key_table, self._send, self._clock = shown, keymap, send, clock
        self._lines = Lines()
        self._field: Field | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield self._lines
            if self.card.verb == "answer" and self.card.state == "open":
                from agtmux.top.fields import Field

                self._field = Field(placeholder="a number, or your own words", id="words")
                yield self._field

    def on_mount(self) -> None:
        if self._field is not None:
            self._field.focus()
        self.draw()
        self.set_timer(cards.READ + 0.01, self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw the card as it is now."""
        room, most = max(20, min(84, self.size.width - 4) - 4), max(6, self.size.height - 4)
        is_new = self.card.is_new(self._clock()) and self._field is None
        most -= self._field is not None
        shown = cards.card_lines(self.card, self._key_table, time.time(), room, most, is_new=is_new)
        self._lines.show(shown)
        self.query_one(".box").styles.height = len(shown) + 2 + (self._field is not None)

    def look(self, row: Row | None) -> None:
        """Take in the row as it is now."""
        if self.card.look(row, self._clock()):
            self.draw()
            self.set_timer(cards.READ + 0.01, self.draw)

    def action_stroke(self, name: str) -> None:
        if name == "quit":
            self.action_close()
            return
        self.card.stroke(name, self._clock())
        if self._timer is not None:
            self._timer.stop()
        if self.card.waits:
            self._timer = self.set_timer(cards.HELD + 0.01, self._due)
        self.draw()

    def _due(self) -> None:
        request = self.card.due(self._clock())
        if request is not None:
            self._deliver(request)
        elif self.card.waits:
            self._timer = self.set_timer(cards.HELD, self._due)

    def on_input_submitted(self) -> None:
        if self._field is None:
            return
        request = self.card.submit(self._field.text)
        if request is not None:
            self._deliver(request)
        self.draw()

    def _deliver(self, request: ActionRequest) -> None:
        self.draw()
        self._send(request, self.finish)

    def finish(self, outcome: Outcome) -> None:
        self.card.finish(outcome)
        if not self.is_attached:
            return
        if self.card.state == "done":
            self.dismiss(True)
        else:
            self.draw()

    def action_close(self) -> None:
        self.dismiss(self.card.state != "sent" and self.card.number < self.card.of)


class AskScreen(ModalScreen[str | None]):
    """A question with a field for the answer. Ends with the text, or None."""

    CSS = BOX.format(name="AskScreen", width=84, height=6)
    BINDINGS: ClassVar[list[BindingType]] = bindings()

    def __init__(self, head: Sequence[Spans], placeholder: str, *, enter: str = "send") -> None:
        """``enter``: what Enter does, as a word of the hints."""
        super().__init__()
        self._head, self._placeholder, self._enter = head, placeholder, enter

    def compose(self) -> ComposeResult:
        from agtmux.top.fields import Field

        with Vertical(classes="box"):
            self._lines = Lines()
            yield self._lines
            self._field = Field(placeholder=self._placeholder)
            yield self._field

    def on_mount(self) -> None:
        self._lines.show(
            [*self._head, (), (("⏎ ", "key"), (f"{self._enter}  ", "dim"), ("Esc ", "key"), ("close", "dim"))]
        )
        self._field.focus()

    def on_input_submitted(self) -> None:
        text = self._field.text
        if text.strip():
            self.dismiss(text)

    def action_close(self) -> None:
        self.dismiss(None)


class MenuScreen(ModalScreen[str | None]):
    """A menu: entries with an id, their keys and a text. Ends with the id of the chosen one, or None.

    With ``filtering``, what is typed narrows it. Otherwise the key of an entry chooses it.
    """

    CSS = BOX.format(name="MenuScreen", width=78, height="80%")
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        enter="choose",
        also=[
            Binding("down,ctrl+n", "move(1)", show=False, priority=True),
            Binding("up,ctrl+p", "move(-1)", show=False, priority=True),
        ],
    )

    def __init__(
        self, title: str, entries: Sequence[tuple[str, tuple[str, ...], str]], *, filtering: bool = False
    ) -> None:
        """``entries``: id, keys, text. An entry without an id is a heading."""
        super().__init__()
        self._title, self._entries, self._filtering = title, entries, filtering
        self._shown = list(entries)
        self._at = 0
        self._lines = Lines()
        self._field: Field | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = self._title
            if self._filtering:
                from agtmux.top.fields import Field

                self._field = Field(placeholder="type to find")
                yield self._field
            yield self._lines

    def on_mount(self) -> None:
        if self._field is not None:
            self._field.focus()
        self._at = self._next(-1, 1)
        self.call_after_refresh(self.draw)

    def on_input_changed(self) -> None:
        words = self._field.value.lower().split() if self._field is not None else []
        self._shown = [
            entry
            for entry in self._entries
            if entry[0] and all(word in f"{entry[2]} {entry[0]}".lower() for word in words)
        ]
        self._at = 0
        self.draw()

    def draw(self) -> None:
        keys = {entry[0]: " ".join(sign(key) for key in entry[1]) for entry in self._shown}
        room = max([6, *(width(text) for text in keys.values())]) + 2
        made: list[Spans] = [
            ((f" {fit(keys[name], room)}", "key"), (text, "")) if name else ((text, "head"),)
            for name, _, text in self._shown
        ]
        self._lines.show(made or [(("  nothing found", "dim"),)], at=self._at if made else None)

    def on_key(self, event: events.Key) -> None:
        if self._filtering or event.key in ("enter", "escape", "down", "up"):
            return
        pressed = {event.key, event.character if event.is_printable else event.key}
        name = next((entry[0] for entry in self._shown if entry[0] and pressed & set(entry[1])), "")
        if name in ("down", "up") or (not name and event.key in ("j", "k")):
            self.action_move(1 if name == "down" or event.key == "j" else -1)
        elif name and name not in ("quit", "help"):
            self.dismiss(name)
        elif name or event.key == "q":
            self.dismiss(None)
        else:
            return
        event.stop()

    def action_move(self, by: int) -> None:
        self._at = self._next(self._at, by)
        self.draw()

    def _next(self, at: int, by: int) -> int:
        place = at + by
        while 0 <= place < len(self._shown) and not self._shown[place][0]:
            place += by
        return place if 0 <= place < len(self._shown) else max(0, at)

    def action_choose(self) -> None:
        self._choose()

    def on_input_submitted(self) -> None:
        self._choose()

    def _choose(self) -> None:
        if 0 <= self._at < len(self._shown):
            self.dismiss(self._shown[self._at][0] or None)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self._lines:
            number = event.y + self._lines.scroll_offset.y
            if 0 <= number < len(self._shown) and self._shown[number][0]:
                self._at = number
                self._choose()
        elif event.widget is self:
            self.dismiss(None)

    def action_close(self) -> None:
        self.dismiss(None)


class PageScreen(ModalScreen[None]):
    """A page to read on the whole screen. ``refill`` is called by a timer while the page follows something."""

    CSS = """
    PageScreen { background: $background; }
    PageScreen > Vertical { width: 100%; height: 100%; background: $background; }
    PageScreen #pagetitle, PageScreen #pagehints { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "down", "up", "first", "last", "page_down", "page_up", "panel", "output", "explain", "quit",
        also=[Binding("space", "stroke('page_down')", show=False)],
    )  # fmt: skip

    def __init__(
        self, title: Callable[[int], Spans], hints: Spans, refill: Callable[[], None], every: float | None, ref: str
    ) -> None:
        """``ref``: the pane that it is about."""
        super().__init__()
        self.ref = ref
        self._title, self._hints, self.refill, self._every = title, hints, refill, every
        self.lines = Lines()
        self.on_panel: Callable[[], None] = lambda: None

    def compose(self) -> ComposeResult:
        from agtmux.top.widgets import Bar

        with Vertical():
            yield Bar(self._title, id="pagetitle")
            yield self.lines
            yield Bar(lambda room: self._hints if length(self._hints) <= room else (), id="pagehints")

    def on_mount(self) -> None:
        self.refill()
        if self._every is not None:
            self.set_interval(self._every, self.refill)

    def fill(self, shown: Sequence[Any]) -> None:
        """Show these lines. Who has scrolled up stays there; who sees the end sees the new end."""
        if not self.is_attached:
            return
        ended = self.lines.at_end
        self.lines.show(shown)
        if ended and self._every is not None:
            self.call_after_refresh(self.lines.jump, top=False)

    def action_stroke(self, name: str) -> None:
        moves: dict[str, Callable[[], None]] = {
            "down": lambda: self.lines.scroll_to(y=self.lines.scroll_y + 1, animate=False, immediate=True),
            "up": lambda: self.lines.scroll_to(y=self.lines.scroll_y - 1, animate=False, immediate=True),
            "first": lambda: self.lines.jump(top=True),
            "last": lambda: self.lines.jump(top=False),
            "page_down": lambda: self.lines.page(0.5),
            "page_up": lambda: self.lines.page(-0.5),
            "panel": self.on_panel,
        }
        moves.get(name, self.action_close)()

    def action_close(self) -> None:
        self.dismiss(None)
