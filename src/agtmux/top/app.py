"""The dashboard: what each key does to its panels. What keys do to agents is in ``agent_commands``."""

from __future__ import annotations

from functools import partial

from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.screen import Screen

from agtmux.top import arrange, filter, layout, lines  # noqa: A004 - the module of the filter
from agtmux.top.agent_commands import AgentCommands, explain_lines
from agtmux.top.arrange import Entry, Fold
from agtmux.top.keys import BY_ID, KEYS
from agtmux.top.panels import Panels
from agtmux.top.screens import MenuScreen, PageScreen
from agtmux.top.style import screen_strips
from agtmux.top.widgets import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from agtmux.client import Client
    from agtmux.top.coordination import Coordination
    from agtmux.top.feed import Feed
    from agtmux.top.fields import Field
    from agtmux.top.lines import Spans
    from agtmux.top.model import Row
    from agtmux.top.panels import Options

FOLLOW = 0.5
"""Seconds between two looks of the page of output."""


class Main(Screen[None], inherit_bindings=False):
    """The panels on the screen, and the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(",".join(key.keys), f"app.do('{key.id}')", key.help, show=False, id=key.id) for key in KEYS),
        Binding("escape", "app.do('back')", show=False),
    ]

    def __init__(self, panels: Panels) -> None:
        super().__init__(id="_default")
        self._panels = panels

    def compose(self) -> ComposeResult:
        panels = self._panels
        yield Bar(panels.draw_summary, id="summary")
        with Container(id="main"):
            yield panels.list
            with Vertical(id="side"):
                yield Bar(panels.draw_title, id="title")
                yield panels.detail
                yield Bar(lambda room: lines.rule("why", room), id="whyrule")
                yield panels.why
        with Horizontal(id="bottom"):
            yield Bar(panels.draw_notice, id="notice")
        yield Bar(panels.draw_hints, id="hints")

    def on_mount(self) -> None:
        self._panels.begin()


class Dashboard(Panels, inherit_bindings=False):
    """``agtmux top``. Ends with a Leave, or with None if the person quits.

    ``do_<id>`` is what the key of that id does.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "quit", show=False, priority=True)]

    def __init__(self, feed: Feed, client: Callable[[], Client], options: Options) -> None:
        super().__init__(feed, client, options)
        self.commands = AgentCommands(self, leaves=options.popup or options.pick)
        self.field: Field | None = None
        self._coordination: Coordination | None = None

    def get_default_screen(self) -> Screen[Any]:
        return Main(self)

    def begin(self) -> None:
        super().begin()
        if self.options.pick:
            self.do_filter()

    def action_do(self, name: str) -> None:
        """Do what the key of this id does."""
        getattr(self, f"do_{name}")()

    def show_screen(self, screen: Screen[Any], then: Callable[[Any], None] | None = None) -> None:
        self.push_screen(screen, then)

    def do_quit(self) -> None:
        self.exit(None)

    # ------------------------------------------------------------ keys: move

    def _step(self, by: int) -> None:
        if self.detail.has_focus:
            self.detail.scroll_by(by)
        else:
            self.list.move(by)

    def do_down(self) -> None:
        self._step(1)

    def do_up(self) -> None:
        self._step(-1)

    def _half_page(self) -> int:
        return max(1, (self.detail if self.detail.has_focus else self.list).size.height // 2)

    def do_page_down(self) -> None:
        self._step(self._half_page())

    def do_page_up(self) -> None:
        self._step(-self._half_page())

    def do_first(self) -> None:
        self.detail.scroll_to_end(top=True) if self.detail.has_focus else self.list.move(-len(self.list.lines))

    def do_last(self) -> None:
        self.detail.scroll_to_end(top=False) if self.detail.has_focus else self.list.move(len(self.list.lines))

    def do_next(self) -> None:
        self._wanted(1)

    def do_previous(self) -> None:
        self._wanted(-1)

    def _wanted(self, by: int) -> None:
        """Select the next row that needs you, after the last one the first again."""
        keys = [row.key for row in arrange.rows_that_need_you(self.list.lines)]
        if not keys:
            self.say("nothing needs you")
            return
        here = self.list.selected
        at = keys.index(here) + by if here in keys else 0 if by > 0 else len(keys) - 1
        self.list.select(keys[at % len(keys)])

    def do_panel(self) -> None:
        if self.detail.has_focus:
            self.list.display = True
            self._set_size(layout.SIZES[0])
            self.list.focus()
        else:
            if not self.detail.display or self.detail.size.height == 0:
                self._full("side-full")
            self.detail.focus()
        self.call_after_refresh(self._bar, "#title")
        self.call_after_refresh(self._bar, "#hints")

    # ------------------------------------------------------------ keys: the list

    def do_filter(self) -> None:
        if self.field is None:
            from agtmux.top.fields import Field

            self.field = Field(placeholder="state:waiting agent:claude @target !not text", id="filter")
            bottom = self.screen_stack[0].query_one("#bottom")
            bottom.mount(Bar(lambda _: ((" /", "key"),), id="slash"), self.field, before=0)
        self._show_field(True)
        self.field.focus()
        self.call_after_refresh(self._bar, "#hints")

    def _show_field(self, shown: bool) -> None:
        self.screen_stack[0].set_class(shown, "filtering")

    def on_input_changed(self) -> None:
        if self.field is not None:
            self._filter(self.field.value)

    def on_input_submitted(self) -> None:
        if self.options.pick:
            self.do_go()
            return
        self._close_field()

    def _filter(self, text: str) -> None:
        self.filter_text, self.terms = text.strip(), filter.parse(text)
        self.rebuild()

    def _close_field(self) -> None:
        self._show_field(False)
        self.list.focus()
        self._bar("#notice")
        self.call_after_refresh(self._bar, "#hints")

    def do_back(self) -> None:
        """Go one level back: the filter, the marks, the size, the panel; then out of a popup."""
        if self.terms or (self.field is not None and self.field.has_focus and not self.options.pick):
            if self.field is not None:
                self.field.value = ""
            self._filter("")
            if not self.options.pick:
                self._close_field()
        elif self.list.marks:
            self.clear_marks()
        elif self.size_name != layout.SIZES[0] or self.detail.has_focus:
            self._set_size(layout.SIZES[0])
            self.list.focus()
            self._bar("#title")
        elif self.options.popup or self.options.pick:
            self.exit(None)

    def do_mark(self) -> None:
        row = self.list.row
        if row is not None:
            self.list.marks = self.list.marks ^ {row.key}
            self.list.refresh()
            self.list.move(1)
            self._bar("#hints")

    def do_fold(self) -> None:
        line = self.list.line
        groups = arrange.groups_of(self.view.rows.values(), self.grouping)
        group = line.group if line is not None else ""
        self.unfolded = self.unfolded - {group} if group in self.unfolded else (self.unfolded | {group}) & groups
        self.rebuild()

    def do_group(self) -> None:
        place = arrange.GROUPINGS.index(self.grouping) + 1
        self.grouping = arrange.GROUPINGS[place % len(arrange.GROUPINGS)]
        self.unfolded = frozenset()
        self.rebuild()
        self.list.keep_in_sight()
        self.say(f"grouped by {self.grouping}")

    def do_bigger(self) -> None:
        self._full("side-full" if self.detail.has_focus else "list-full")

    def do_smaller(self) -> None:
        self._set_size(layout.SIZES[0])

    def _full(self, name: str) -> None:
        self._set_size(layout.SIZES[1])
        self.screen_stack[0].add_class(name)

    def _set_size(self, name: str) -> None:
        self.size_name = name
        self.screen_stack[0].remove_class("list-full", "side-full")
        self.call_after_refresh(self.show_detail)

    # ------------------------------------------------------------ keys: agents

    def on_agent_list_double_click(self) -> None:
        self.do_go()

    def do_go(self) -> None:
        line = self.list.line
        if isinstance(line, Fold):
            self.do_fold()
        elif isinstance(line, Entry) and self.options.prints:
            self.commands.choose(line.row)
        elif isinstance(line, Entry):
            self.commands.go(line.row)

    def do_approve(self) -> None:
        self.commands.decide("approve")

    def do_deny(self) -> None:
        self.commands.decide("deny")

    def do_answer(self) -> None:
        self.commands.decide("answer")

    def do_interrupt(self) -> None:
        self.commands.decide("interrupt")

    def do_kill(self) -> None:
        self.commands.decide("kill")

    def do_prompt(self) -> None:
        self.commands.prompt()

    def do_seen(self) -> None:
        self.commands.seen()

    def do_mute(self) -> None:
        self.commands.mute()

    # ------------------------------------------------------------ keys: messages, leases, worktrees

    @property
    def coordination(self) -> Coordination:
        """Made when it is used, so that a dashboard that never shows it imports none of it."""
        if self._coordination is None:
            from agtmux.top.coordination import Coordination

            self._coordination = Coordination(self)
        return self._coordination

    def do_coord(self) -> None:
        self.coordination.open()

    def do_compose(self) -> None:
        self.coordination.compose()

    def do_queue(self) -> None:
        self.coordination.queue()

    # ------------------------------------------------------------ keys: pages and menus

    @staticmethod
    def _page(row: Row, hints: Spans, every: float | None) -> PageScreen:
        """Return an empty page about one agent."""
        title = partial(lines.title, row, focused=True, target=True)
        return PageScreen(title, hints, lambda: None, every, row.ref)

    def do_output(self) -> None:
        row = self.list.row
        if row is None:
            return
        hints: Spans = ((" Tab", "key"), (" last message  ", "dim"), ("Esc", "key"), (" close", "dim"))
        page = self._page(row, hints, FOLLOW)
        shows_message, before = False, ""

        def fill() -> None:
            nonlocal before
            output = self.reader.screens.get(row.key, "")
            if not shows_message and output != before:
                before = output
                page.fill(screen_strips(output, self.console, backgrounds=self.current_theme.dark))

        def refill() -> None:
            if not shows_message:
                self.reader.screen(row, fill, rows=2000)

        def turn() -> None:
            nonlocal shows_message, before
            shows_message, before = not shows_message, ""
            if shows_message:
                self.reader.message(row, lambda found: page.fill([((line, ""),) for line in found]))
            else:
                refill()

        page.refill, page.on_panel = refill, turn
        self.push_screen(page)

    def do_explain(self) -> None:
        row = self.list.row
        if row is None:
            return
        hints: Spans = ((" Esc", "key"), (" close", "dim"))
        page = self._page(row, hints, None)
        page.refill = lambda: self.reader.why(
            row, lambda: page.fill(explain_lines(self.reader.reasons.get(row.key, [])))
        )
        self.push_screen(page)

    def do_help(self) -> None:
        entries: list[tuple[str, tuple[str, ...], str]] = []
        for section in dict.fromkeys(key.section for key in KEYS):
            entries.append(("", (), section))
            entries += [(key.id, self.key_table[key.id], key.help) for key in KEYS if key.section == section]
        self.push_screen(MenuScreen("Keys: Enter runs the chosen one", entries), self.run_id)

    def do_palette(self) -> None:
        left_out = ("down", "up", "palette")
        entries = [(key.id, self.key_table[key.id], key.help) for key in KEYS if key.id not in left_out]
        self.push_screen(MenuScreen("Commands", entries, filtering=True), self.run_id)

    def on_agent_list_right_click(self) -> None:
        if self.list.row is None:
            return
        names = ("go", "approve", "deny", "answer", "prompt", "compose", "queue", "interrupt", "output", "explain",
                 "seen", "mute", "kill")  # fmt: skip
        entries = [(name, self.key_table[name], BY_ID[name].help) for name in names]
        self.push_screen(MenuScreen(f"{self.list.row.agent} {self.list.row.pane_id}", entries), self.run_id)

    def run_id(self, name: str | None) -> None:
        if name is not None:
            self.action_do(name)
