"""What the keys of the dashboard do to agents: cards, prompts, going there, pages to read.

Owns the steps from a key to a request and from its outcome to a line for the person. Draws nothing itself.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from agtmux import terminal
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import shell_word
from agtmux.top import lines
from agtmux.top.acts import Outcome, deed, perform, where
from agtmux.top.card import Card
from agtmux.top.screens import AskScreen, CardScreen
from agtmux.top.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from textual.screen import Screen

    from agtmux.client import Client
    from agtmux.top.acts import Deed
    from agtmux.top.errands import Errands
    from agtmux.top.keys import Keymap
    from agtmux.top.model import Row, View

    class Stage(Protocol):
        """What the dashboard gives."""

        errands: Errands
        kept: Keymap
        clock: Callable[[], float]

        @property
        def view(self) -> View: ...
        def client(self) -> Client: ...
        def rows_to_act_on(self) -> list[Row]: ...
        def say(self, text: str, style: str = "note") -> None: ...
        def show_screen(self, screen: Screen[Any], then: Callable[[Any], None] | None = None) -> None: ...
        def leave(self, value: Leave) -> None: ...
        def borrow_terminal(self, argv: list[str]) -> None: ...
        def clear_marks(self) -> None: ...


PROMPT_WAIT = 10.0
"""Seconds to wait for a sign that a prompt was taken."""


@dataclass(frozen=True, slots=True)
class Leave:
    """How the dashboard ends: with a command to run in its place, or with the ref of the chosen pane."""

    argv: tuple[str, ...] = ()
    ref: str = ""


class Doing:
    """``leaves``: going to a pane ends the dashboard, as in a popup."""

    def __init__(self, stage: Stage, *, leaves: bool) -> None:
        self._stage, self._leaves = stage, leaves

    # ------------------------------------------------------------ cards

    def decide(self, verb: str) -> None:
        """Open a card for the selected row, or one after another for the marked ones."""
        rows = self._stage.rows_to_act_on()
        if not rows:
            self._stage.say("select an agent first")
            return
        fit = [row for row in rows if Card(verb, row, 0.0).state == "open"]
        if not fit:
            self._stage.say(Card(verb, rows[0], 0.0).note)
            return
        self._card(verb, [row.key for row in fit], 0)

    def _card(self, verb: str, keys: list[tuple[str, str]], place: int) -> None:
        while place < len(keys) and keys[place] not in self._stage.view.rows:
            place += 1
        if place >= len(keys):
            self._stage.clear_marks()
            return
        row = self._stage.view.rows[keys[place]]
        card = Card(verb, row, self._stage.clock(), number=place + 1, of=len(keys))

        def then(goes_on: bool | None) -> None:
            if goes_on:
                self._card(verb, keys, place + 1)

        self._stage.show_screen(CardScreen(card, self._stage.kept, self._send, self._stage.clock), then)

    def _send(self, wanted: Deed, then: Callable[[Outcome], None]) -> None:
        def finish(outcome: Outcome) -> None:
            self._stage.say(outcome.text, "ok" if outcome.done else "warn")
            then(outcome)

        self._stage.errands.run(lambda: perform(self._stage.client(), wanted), finish)

    # ------------------------------------------------------------ without a card

    def seen(self) -> None:
        """Mark rows as seen."""
        for row in self._stage.rows_to_act_on():
            self._send(deed("ack", row), lambda _: None)
        self._stage.clear_marks()

    def prompt(self) -> None:
        """Ask for a prompt, and send it to the selected row or to each marked one."""
        rows = [row for row in self._stage.rows_to_act_on() if row.runtime_id is not None]
        if not rows:
            self._stage.say("select an agent first")
            return
        head = [((f"Prompt for {where(row)} ({row.state})", "head"),) for row in rows[:2]]
        if len(rows) > 2:
            head = [
                ((f"Prompt for {len(rows)} agents: {', '.join(f'{row.agent} {row.pane_id}' for row in rows)}", "head"),)
            ]

        def then(text: str | None) -> None:
            if text is None:
                return
            for row in rows:
                self._send(deed("send", row, text=text, enter=True, timeout=PROMPT_WAIT), lambda _: None)
            self._stage.clear_marks()
            self._stage.say(f"sending to {len(rows)} agent{'s' if len(rows) > 1 else ''}")

        self._stage.show_screen(AskScreen(head, "what the agent should do"), then)

    # ------------------------------------------------------------ going there

    def go(self, row: Row) -> None:
        """Bring this terminal to a row's pane."""
        here = terminal.inside()
        request = {"request_ref": uuid7(), "ref": row.ref, **terminal.where_from(here)}
        if row.runtime_id is not None:
            request["if_runtime"] = row.runtime_id

        def ask() -> tuple[str, list[str]]:
            try:
                result = self._stage.client().act("attach", request).json().get("result") or {}
            except AgtmuxError as error:
                return "error", [shown(error.message)]
            return terminal.way(here, result)

        self._stage.errands.run(ask, self._on_the_way)

    def _on_the_way(self, found: tuple[str, list[str]]) -> None:
        kind, argv = found
        if kind == "error":
            self._stage.say(f"cannot go there: {argv[0]}", "warn")
        elif kind == "elsewhere":
            command = " ".join(map(shell_word, argv))
            self._stage.say(f"this terminal is inside another tmux; run this outside of it: {shown(command)}", "warn")
        elif self._leaves:
            self._stage.leave(Leave(tuple(argv)))
        elif kind == "switch":
            self._stage.errands.run(lambda: _run(argv), self._switched)
        else:
            self._stage.borrow_terminal(argv)

    def _switched(self, problem: str) -> None:
        if problem:
            self._stage.say(f"tmux did not switch: {problem}", "warn")

    def choose(self, row: Row) -> None:
        """End with a row's ref."""
        self._stage.leave(Leave(ref=row.ref))


def _run(argv: list[str]) -> str:
    """Run a short command. Return what went wrong, "" if nothing."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return shown(error)
    return "" if done.returncode == 0 else shown(done.stderr.decode("utf-8", "replace")) or f"status {done.returncode}"


def explain_lines(told: list[str]) -> list[lines.Spans]:
    """Return an explanation as lines: headings stand out."""
    return [((line, "head" if line and not line.startswith(" ") else ""),) for line in told]
