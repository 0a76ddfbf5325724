"""The panels of the dashboard: what they show of the stream, and when a pane is read. What keys do is in ``app``.

Nothing here waits: the stream and every request have threads of their own. Nothing moves by itself but the ages.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from dataclasses import dataclass

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.message import Message

from agtmux.protocol.errors import AgtmuxError
from agtmux.top import arrange, filter, layout, lines  # noqa: A004 - the module of the filter
from agtmux.top.agent_commands import Leave, explain_lines
from agtmux.top.arrange import Entry, Fold
from agtmux.top.background import Background
from agtmux.top.keys import sign
from agtmux.top.pane_reader import PaneReader
from agtmux.top.presence import Presence
from agtmux.top.screens import CardScreen, PageScreen
from agtmux.top.style import screen_strips
from agtmux.top.text import cut, safe_line
from agtmux.top.themes import OWN
from agtmux.top.widgets import AgentList, Detail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from textual.binding import BindingType
    from textual.strip import Strip
    from textual.theme import Theme
    from textual.timer import Timer

    from agtmux.client import Client
    from agtmux.top.feed import Feed
    from agtmux.top.keys import Keymap
    from agtmux.top.lines import Spans
    from agtmux.top.model import Row

LOOK_AFTER = 0.12
"""Seconds that the selection must stay before its pane is read."""
LOOK_EVERY = 2
"""Seconds between two looks at the selected pane while its agent runs."""
SCREEN_FROM = 3
"""The captured screen needs more lines than this below what the detail says."""
NOTICE = 10.0
"""Seconds that a notice stays."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the dashboard runs. ``popup``: it ends after going to a pane. ``pick``: it only chooses. ``prints``: the ref
    of the chosen one is the result, instead of going there. ``own_theme``: the theme, if it is not one of textual's.
    ``clock``: seconds that only grow.
    """

    keymap: Keymap
    theme: str = "ansi-dark"
    own_theme: Theme | None = None
    popup: bool = False
    pick: bool = False
    prints: bool = False
    clock: Callable[[], float] = time.monotonic


class Panels(App[Leave], inherit_bindings=False):
    """The panels, filled from ``feed``. ``client`` gives a client for requests."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "quit", show=False, priority=True)]
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (layout.STACKED, "-stacked"), (layout.WIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (layout.TALL, "-tall")]  # noqa: RUF012
    CSS = f"""
    #main {{ height: 1fr; layout: vertical; }}
    #side {{ height: {layout.DETAIL + 1}; }}
    #why {{ height: {layout.WHY}; display: none; }}
    #whyrule {{ display: none; }}
    #bottom {{ height: 1; }}
    #slash {{ width: 3; }}
    #slash, #filter {{ display: none; }}
    .filtering #slash, .filtering #filter {{ display: block; }}
    .filtering #notice {{ display: none; }}
    .filtering.lost #notice {{ display: block; width: 30; }}
    .-wide #main {{ layout: horizontal; }}
    .-wide #list {{ width: {layout.LIST_PERCENT}%; }}
    .-wide #side {{ width: 1fr; height: 1fr; border-left: solid $primary; }}
    .-wide.-tall #why, .-wide.-tall #whyrule {{ display: block; }}
    .-narrow #side, .-stacked.-low #side {{ display: none; }}
    .list-full #side {{ display: none; }}
    .side-full #list {{ display: none; }}
    .side-full #side {{ display: block; height: 1fr; width: 1fr; border-left: none; }}
    """

    class FeedUpdate(Message):
        """The stream brought something."""

    class Delivery(Message):
        """A call that a thread brings to this one."""

        def __init__(self, call: Callable[[], None]) -> None:
            super().__init__()
            self.call = call

    def __init__(self, feed: Feed, client: Callable[[], Client], options: Options) -> None:
        # textual chooses its filter for NO_COLOR here, by whether the theme uses the terminal's colours
        super().__init__(ansi_color=True if options.theme in OWN else None)
        if options.own_theme is not None:
            self.register_theme(options.own_theme)
        self.theme = options.theme
        self.feed, self.client, self.options, self.key_table = feed, client, options, options.keymap
        self.clock = options.clock
        self.list, self.detail = AgentList(), Detail(id="detail")
        self.why = Detail(id="why", can_focus=False)
        self.background = Background(lambda call: self.post_message(self.Delivery(call)), self._report)
        self.reader = PaneReader(self.background, client)
        self.presence = Presence()
        self.view = feed.view
        self.grouping = arrange.GROUPINGS[0]
        self.unfolded: frozenset[str] = frozenset()
        self.terms: tuple[filter.Term, ...] = ()
        self.filter_text = ""
        self.size_name = layout.SIZES[0]
        self._notice: tuple[str, str, float] = ("", "", 0.0)
        self._looked: object = None
        self._output = ""
        self._strips: list[Strip] = []
        self._look_timer: Timer | None = None
        self._ticks = 0

    # ------------------------------------------------------------ start and end

    def begin(self) -> None:
        """Called once the panels are on the screen."""
        self.set_keymap({name: ",".join(keys) for name, keys in self.key_table.items()})
        self.list.fold_key = sign(self.key_table["fold"][0]) if self.key_table["fold"] else ""
        rows = self.view.rows.values()
        if rows and all(row.quiet for row in rows):  # nothing else would be seen
            self.unfolded = arrange.groups_of(rows, self.grouping)
        self.feed.moved = lambda: self.post_message(self.FeedUpdate())
        self.list.focus()
        self.rebuild()
        self.set_interval(1.0, self.tick)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if not self.is_headless:
                self._loop_signal(number)

    def _loop_signal(self, number: signal.Signals) -> None:
        import asyncio

        asyncio.get_running_loop().add_signal_handler(number, self.exit)

    def leave(self, value: Leave) -> None:
        self.exit(value)

    async def action_quit(self) -> None:
        self.exit(None)

    def borrow_terminal(self, argv: list[str]) -> None:
        """Give the terminal to a command until it ends."""
        import subprocess

        with self.suspend():
            status = subprocess.run(argv, check=False).returncode
        if status:
            self.say(f"{argv[0]} ended with status {status}", "warn")
        self.refresh()

    # ------------------------------------------------------------ what comes in

    def on_panels_feed_update(self) -> None:
        if self.feed.view is not self.view:
            self.view = self.feed.view
            with self.batch_update():
                self.rebuild()
            for screen in self.screen_stack:
                if isinstance(screen, CardScreen):
                    screen.look(self.view.rows.get(screen.card.row.key))

    def on_panels_delivery(self, message: Delivery) -> None:
        message.call()

    def rebuild(self) -> None:
        """Show what is known now."""
        self.list.now = time.time()
        self.list.target, self.list.dimmed = self.view.many_targets, self.view.lost_at is not None
        rows = filter.filter_rows(self.view.rows.values(), self.terms)
        unfolded = None if self.terms or self.options.pick else self.unfolded
        self.list.marks = frozenset(key for key in self.list.marks if key in self.view.rows)
        self.list.show(arrange.arrange(rows, self.grouping, unfolded), lines.empty(self.view, bool(self.terms)))
        self.screen_stack[0].set_class(self.view.lost_at is not None, "lost")
        for name in ("#summary", "#notice"):
            self._bar(name)
        self.selection_changed()

    def _bar(self, name: str) -> None:
        for bar in self.screen_stack[0].query(name):
            bar.refresh()

    def tick(self) -> None:
        """Once a second: ages, and the end of a notice."""
        self._ticks += 1
        self.list.tick(time.time())
        if self.view.lost_at is not None or self._notice[0]:
            self._bar("#notice")
        if any(target.health != "ok" for target in self.view.targets):
            self._bar("#summary")
        self.show_detail()
        self._tell_look()
        row = self.list.row
        if row is not None and row.state == "running" and self._ticks % LOOK_EVERY == 0:
            self._look()

    # ------------------------------------------------------------ who looks

    def on_app_focus(self) -> None:
        self.presence.focused = True

    def on_app_blur(self) -> None:
        self.presence.focused = False

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            self.presence.used(self.clock())
        await super().on_event(event)

    def _seen(self) -> str | None:
        """Return the ref of the agent that the screen shows now."""
        screen, row = self.screen, self.list.row
        if isinstance(screen, CardScreen):
            return screen.card.row.ref
        if isinstance(screen, PageScreen):
            return screen.ref or None
        return row.ref if row is not None and len(self.screen_stack) == 1 and self.detail.size.height > 0 else None

    def _tell_look(self) -> None:
        """Tell the daemon what the person looks at. Only notifications need it: if it fails, nothing is said."""
        ref = self.presence.due(self._seen() if self.view.lost_at is None else None, self.clock())
        if ref is None:
            return

        def tell() -> None:
            with suppress(AgtmuxError):  # an older daemon has no such route
                self.client().look([ref], "top")

        self.background.latest("look", tell, lambda _: None)

    # ------------------------------------------------------------ the detail

    def on_detail_size_change(self) -> None:
        self.show_detail()

    def on_agent_list_selection_change(self) -> None:
        self.selection_changed()

    def selection_changed(self) -> None:
        """Show the selected row, and read its pane if it stays selected."""
        self.show_detail()
        self._bar("#title")
        self._bar("#hints")
        row = self.list.row
        if row is self._looked or row == self._looked:
            return
        self._looked = row
        if self._look_timer is not None:
            self._look_timer.stop()
        if row is not None:
            self._look_timer = self.set_timer(LOOK_AFTER, self._look_at_all)

    def _look_at_all(self) -> None:
        self._look()
        row = self.list.row
        if row is not None and self.why.display and self.view.lost_at is None:
            self.reader.why(row, self.show_detail)

    def _look(self) -> None:
        row = self.list.row
        if len(self.screen_stack) > 1:  # a card or a page is open
            return
        if row is not None and self.view.lost_at is None and self.detail.size.height > 0:
            self.reader.screen(row, self.show_detail)

    def show_detail(self) -> None:
        row, room, height = self.list.row, self.detail.size.width, self.detail.size.height
        if row is None:
            self.detail.show(self._without_row(), ())
            self.why.show((), ())
            return
        head = lines.about(row, time.time(), room)
        head += lines.summary_of_row(
            row, room, max(3, height - max(2, len(head)) if height <= layout.DETAIL else height // 2)
        )
        output = self.reader.screens.get(row.key, "")
        strips: list[Strip] = []
        if output and height - len(head) > SCREEN_FROM:
            strips = self._strips_of(output)
            head.append((("─" * room, "rule"),))
        self.detail.show(head, strips)
        reasons = self.reader.reasons.get(row.key, [])[1:]
        shown_above = ("  waits for ", "  options: ") if row.request is not None else ()
        self.why.show(explain_lines([line for line in reasons if line and not line.startswith(shown_above)]), ())

    def _strips_of(self, output: str) -> list[Strip]:
        """Return a captured screen as strips. The last one is kept: ages are drawn again each second, it is not."""
        if output is not self._output:
            self._output = output
            self._strips = screen_strips(output, self.console, backgrounds=self.current_theme.dark)
        return self._strips

    def _without_row(self) -> list[Spans]:
        line = self.list.line
        if isinstance(line, Fold):
            return [((f"{line.size} agents are quiet: {line.words}.", ""),), (("Enter shows them.", "dim"),)]
        return []

    # ------------------------------------------------------------ lines

    def draw_summary(self, room: int) -> Spans:
        shown = sum(line.size if isinstance(line, Fold) else isinstance(line, Entry) for line in self.list.lines)
        return lines.summary(self.view, shown, time.time(), room)

    def draw_title(self, room: int) -> Spans:
        return lines.title(self.list.row, room, focused=self.detail.has_focus, target=self.view.many_targets)

    def draw_notice(self, room: int) -> Spans:
        banner = lines.banner(self.view, time.time())
        if banner:
            return banner
        text, style, until = self._notice
        if text and time.time() < until:
            return ((cut(f" {text}", room), style),)
        if self.terms:
            problem = filter.problem(self.terms)
            return ((f" filter: {self.filter_text}", "key"), (f"  {problem}" if problem else "  Esc clears it", "dim"))
        if self.grouping != arrange.GROUPINGS[0]:
            return ((f" by {self.grouping}", "dim"),)
        return ()

    def draw_hints(self, room: int) -> Spans:
        if self.focused is not None and self.focused.id == "filter":
            return lines.field_hints(room, picks=self.options.pick)
        fold = isinstance(self.list.line, Fold)
        return lines.hints(self.list.row, self.key_table, room, marked=len(self.list.marks), fold=fold)

    def _report(self, error: Exception) -> None:
        self.say(f"a request failed: {safe_line(repr(error))}", "warn")

    def say(self, text: str, style: str = "note") -> None:
        """Show a notice for a while."""
        self._notice = (text, style, time.time() + NOTICE)
        self._bar("#notice")

    # ------------------------------------------------------------ what the stage of ``agent_commands`` needs

    def rows_to_act_on(self) -> list[Row]:
        """The marked rows in the order of the list, or else the selected one."""
        order = [line.row for line in self.list.lines if isinstance(line, Entry)]
        marked = [row for row in order if row.key in self.list.marks]
        hidden = [self.view.rows[key] for key in self.list.marks - {row.key for row in order} if key in self.view.rows]
        row = self.list.row
        return marked + hidden or ([row] if row is not None else [])

    def clear_marks(self) -> None:
        self.list.marks = frozenset()
        self.list.refresh()
        self._bar("#hints")
