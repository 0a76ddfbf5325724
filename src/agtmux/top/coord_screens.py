"""The screens of coordination: a card that confirms, and the panel with its four tabs.

They decide nothing: what is listed is in ``coord_lists``, when a stroke counts in ``confirm``, what is sent in
``coordination``.
"""

from __future__ import annotations

import time

from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from agtmux.top import confirm, coord_lists
from agtmux.top.card import HELD, READ
from agtmux.top.coord_feed import CoordFeed
from agtmux.top.keys import signs
from agtmux.top.lines import length, rule
from agtmux.top.screens import BOX, Lines, bindings
from agtmux.top.text import cut
from agtmux.top.widgets import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Protocol

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from agtmux.top.action_requests import Outcome
    from agtmux.top.confirm import Confirm
    from agtmux.top.coord_lists import CoordItem
    from agtmux.top.keys import Keymap
    from agtmux.top.lines import Spans

    Item = dict[str, Any]
    Say = Callable[[str, str], None]

    class Source(Protocol):
        """Reads the lists, and does what the keys of the panel say."""

        def feed(self, old: Callable[[frozenset[str]], object], lost: Callable[[str], object]) -> CoordFeed: ...
        def read(self, tab: str, then: Callable[[str, tuple[CoordItem, ...] | str], None]) -> None: ...
        def open_message(self, item: Item, say: Say) -> None: ...
        def reply(self, item: Item, say: Say) -> None: ...
        def ack(self, item: Item, say: Say) -> None: ...
        def retry(self, item: Item, say: Say) -> None: ...
        def drop(self, item: Item, say: Say) -> None: ...


class ConfirmScreen(ModalScreen[bool]):
    """A card for ``Confirm``. ``send`` does it and gives the outcome. Ends with whether it was done."""

    CSS = BOX.format(name="ConfirmScreen", width=84, height="auto")
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "answer", "kill", "compose", "queue", "quit", enter="stroke('enter')"
    )

    def __init__(
        self,
        card: Confirm,
        keymap: Keymap,
        send: Callable[[Callable[[Outcome], None]], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self.card, self._key_table, self._send, self._clock = card, keymap, send, clock
        self._lines = Lines()
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield self._lines

    def on_mount(self) -> None:
        self.draw()
        self.set_timer(READ + 0.01, self.draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draw the card as it is now."""
        room, most = max(20, min(84, self.size.width - 4) - 4), max(6, self.size.height - 4)
        shown = confirm.confirm_lines(self.card, self._key_table, self._clock(), room, most)
        self._lines.show(shown)
        self.query_one(".box").styles.height = len(shown) + 2

    def action_stroke(self, name: str) -> None:
        if name == "quit":
            self.action_close()
            return
        self.card.stroke(name, self._clock())
        if self._timer is not None:
            self._timer.stop()
        if self.card.waits:
            self._timer = self.set_timer(HELD + 0.01, self._due)
        self.draw()

    def _due(self) -> None:
        if self.card.due(self._clock()):
            self.draw()
            self._send(self.finish)
        elif self.card.waits:
            self._timer = self.set_timer(HELD, self._due)

    def finish(self, outcome: Outcome) -> None:
        self.card.finish(outcome)
        if not self.is_attached:
            return
        if self.card.state == "done":
            self.dismiss(True)
        else:
            self.draw()

    def action_close(self) -> None:
        self.dismiss(False)


class CoordScreen(ModalScreen[None]):
    """The panel: tabs, a list, and the selected item. It reads and follows only while it is open."""

    CSS = f"""
    CoordScreen {{ background: $background; }}
    CoordScreen > Vertical {{ width: 100%; height: 100%; background: $background; }}
    CoordScreen #coorddetail {{ height: {coord_lists.DETAIL}; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "down", "up", "first", "last", "page_down", "page_up", "panel", "go", "answer", "seen", "kill", "coord", "quit",
        also=[Binding(str(n), f"tab('{tab}')", show=False) for n, tab in enumerate(coord_lists.TABS, 1)],
    )  # fmt: skip

    class Old(Message):
        """Tabs have to be read again."""

        def __init__(self, tabs: frozenset[str]) -> None:
            super().__init__()
            self.tabs = tabs

    class Lost(Message):
        """The stream of changes is not there."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    def __init__(self, source: Source, keymap: Keymap) -> None:
        super().__init__()
        self._source, self._key_table = source, keymap
        self.lists: dict[str, tuple[CoordItem, ...]] = {}
        self.problems: dict[str, str] = {}
        self.tab = next(iter(coord_lists.TABS))
        self._selected: dict[str, str] = {}
        self._note: tuple[str, str] = ("", "")
        self._lines, self._detail = Lines(), Lines()
        self._detail.id = "coorddetail"
        self._feed: CoordFeed | None = None

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Bar(lambda room: coord_lists.tab_line(self.lists, self.tab, room), id="coordtabs")
            yield self._lines
            yield Bar(lambda room: rule("selected", room), id="coordrule")
            yield self._detail
            yield Bar(lambda room: ((cut(f" {self._note[0]}", room), self._note[1]),), id="coordnote")
            yield Bar(self._hints, id="coordhints")

    def on_mount(self) -> None:
        self._feed = self._source.feed(
            lambda tabs: self.post_message(self.Old(tabs)), lambda why: self.post_message(self.Lost(why))
        )
        self._feed.start()
        self.set_interval(1.0, self.draw)
        self.call_after_refresh(self.draw)

    def on_unmount(self) -> None:
        if self._feed is not None:
            self._feed.stop()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    # ------------------------------------------------------------ what comes in

    def on_coord_screen_old(self, message: Old) -> None:
        if self._note[1] == "banner":
            self.say("", "")
        for tab in message.tabs:
            self._source.read(tab, self.take)

    def on_coord_screen_lost(self, message: Lost) -> None:
        self.say(f"lost the daemon: {message.why}", "banner")

    def take(self, tab: str, found: tuple[CoordItem, ...] | str) -> None:
        """Take in what a tab lists, or why it could not be read."""
        if isinstance(found, str):
            self.problems[tab] = found
        else:
            self.problems.pop(tab, None)
            place = self._place(tab)
            self.lists[tab] = found
            if found and self._selected.get(tab) not in {one.key for one in found}:
                self._selected[tab] = found[min(place, len(found) - 1)].key
        if self.is_attached:
            self.draw()

    # ------------------------------------------------------------ what is shown

    def _place(self, tab: str) -> int:
        """The number of the selected item. 0 if there is none."""
        key = self._selected.get(tab)
        return next((n for n, one in enumerate(self.lists.get(tab, ())) if one.key == key), 0)

    @property
    def item(self) -> CoordItem | None:
        """The selected item."""
        found = self.lists.get(self.tab, ())
        return found[self._place(self.tab)] if found else None

    def draw(self) -> None:
        """Draw all that is known."""
        now, room = time.time(), self.size.width
        found = self.lists.get(self.tab)
        if found:
            shown = [coord_lists.line(one, now, room) for one in found]
            self._lines.show(shown, at=self._place(self.tab))
        else:
            text = self.problems.get(self.tab) or ("…" if found is None else coord_lists.EMPTY[self.tab])
            self._lines.show([((cut(f"  {text}", room), "warn" if self.tab in self.problems else "dim"),)])
        one = self.item
        self._detail.show([] if one is None else coord_lists.about(one, now, room))
        for bar in self.query(Bar):
            bar.refresh()

    def _hints(self, room: int) -> Spans:
        does = {
            "mail": (("go", "open"), ("answer", "reply"), ("seen", "ack")),
            "failed": (("go", "open"), ("answer", "retry"), ("kill", "drop")),
        }.get(self.tab, ())
        pairs = [(signs(self._key_table, name).split(" ")[0], word) for name, word in does if self.item is not None]
        pairs.append((signs(self._key_table, "panel").split(" ")[0], "next tab"))
        spans: list[tuple[str, str]] = []
        for key, word in pairs:
            more = [(f" {key}", "key"), (f" {word} ", "dim")]
            if key and length([*spans, *more]) + 10 <= room:
                spans += more
        return (*spans, (" Esc", "key"), (" close", "dim"))

    def say(self, text: str, style: str = "note") -> None:
        """Show a notice until the next one."""
        self._note = (text, style)
        if self.is_attached:
            self.query_one("#coordnote").refresh()

    # ------------------------------------------------------------ keys

    def action_tab(self, tab: str) -> None:
        self.tab = tab
        self.draw()

    def action_stroke(self, name: str) -> None:
        found = self.lists.get(self.tab, ())
        half = max(1, self._lines.size.height // 2)
        steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half, "first": -len(found), "last": len(found)}
        if name in ("coord", "quit"):
            self.action_close()
        elif name == "panel":
            tabs = list(coord_lists.TABS)
            self.action_tab(tabs[(tabs.index(self.tab) + 1) % len(tabs)])
        elif name in steps:
            if found:
                place = max(0, min(len(found) - 1, self._place(self.tab) + steps[name]))
                self._selected[self.tab] = found[place].key
                self.draw()
        elif self.item is not None:
            self._act(name, self.item)

    def _act(self, name: str, one: CoordItem) -> None:
        does: dict[tuple[str, str], Callable[..., Any]] = {
            ("mail", "go"): self._source.open_message,
            ("mail", "answer"): self._source.reply,
            ("mail", "seen"): self._source.ack,
            ("failed", "go"): self._source.open_message,
            ("failed", "answer"): self._source.retry,
            ("failed", "kill"): self._source.drop,
        }
        action = does.get((one.tab, name))
        if action is not None:
            action(one.item, self.say)

    def action_close(self) -> None:
        self.dismiss(None)
