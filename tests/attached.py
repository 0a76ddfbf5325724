"""A terminal in which a tmux client is attached, as its user sees it: another tmux shows it and is read."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Tmux, until


class Attached:
    """A client of ``inner``, in the only pane of ``outer``."""

    def __init__(self, inner: Tmux, outer: Tmux, session: str = "main", cols: int = 100, rows: int = 24) -> None:
        self.inner, self.outer = inner, outer
        argv = [*inner.argv, "attach-session", "-t", f"={session}"]
        self.pane = outer.start(*argv, session=f"terminal-{session}", cols=cols, rows=rows)
        outer.run("set-option", "-g", "status", "off")
        outer.run("set-option", "-g", "prefix", "None")
        outer.run("set-option", "-s", "escape-time", "0")
        until(lambda: self.client, what="the client attaches")

    @property
    def client(self) -> str:
        """The client's name: the terminal that it is in."""
        tty = self.outer.show(self.pane, "#{pane_tty}")
        return next(
            (name for name in self.inner.run("list-clients", "-F", "#{client_name}").split() if name == tty), ""
        )

    def screen(self, *, styled: bool = False) -> str:
        return self.outer.run("capture-pane", "-p", *(["-e"] if styled else []), "-t", self.pane)

    @property
    def line(self) -> str:
        """The status line."""
        return self.screen().split("\n")[-1]

    def shows(self, fits: Callable[[str], object], within: float = 20) -> str:
        """Wait until the screen fits, and return it."""
        until(lambda: fits(self.screen()), within=within, what=f"the client shows it: {self.screen()}")
        return self.screen()

    def press(self, *keys: str) -> None:
        self.outer.run("send-keys", "-t", self.pane, *keys)
