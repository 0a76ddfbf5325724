"""What the keys of the dashboard do to agents: cards, prompts, going there, pages to read.

Owns the steps from a key to a request and from its outcome to a line for the person. Draws nothing itself.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from agtmux import terminal
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import shell_word
from agtmux.top import lines
from agtmux.top.action_requests import Outcome, perform, request_for, where
from agtmux.top.card import Card
from agtmux.top.model import age, seconds
from agtmux.top.screens import AskScreen, CardScreen, MenuScreen
from agtmux.top.text import safe_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from textual.screen import Screen

    from agtmux.client import Client
    from agtmux.top.action_requests import ActionRequest
    from agtmux.top.background import Background
    from agtmux.top.keys import Keymap
    from agtmux.top.model import Row, View

    class Stage(Protocol):
        """What the dashboard gives."""

        background: Background
        key_table: Keymap
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


MUTES = {
    "1800": "30 minutes",
    "7200": "2 hours",
    "28800": "8 hours",
    "morning": "until 8 in the morning",
    "0": "not any more",
}
"""Spans for which notifications may be held back, in seconds or by a name."""
PROMPT_WAIT = 10.0
"""Seconds to wait for a sign that a prompt was taken."""


@dataclass(frozen=True, slots=True)
class Leave:
    """How the dashboard ends: with a command to run in its place, or with the ref of the chosen pane."""

    argv: tuple[str, ...] = ()
    ref: str = ""


class AgentCommands:
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

        self._stage.show_screen(CardScreen(card, self._stage.key_table, self._send, self._stage.clock), then)

    def _send(self, wanted: ActionRequest, then: Callable[[Outcome], None]) -> None:
        def finish(outcome: Outcome) -> None:
            self._stage.say(outcome.text, "ok" if outcome.done else "warn")
            then(outcome)

        self._stage.background.run(lambda: perform(self._stage.client(), wanted), finish)

    # ------------------------------------------------------------ without a card

    def seen(self) -> None:
        """Mark rows as seen."""
        for row in self._stage.rows_to_act_on():
            self._send(request_for("ack", row), lambda _: None)
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
                self._send(request_for("send", row, text=text, enter=True, timeout=PROMPT_WAIT), lambda _: None)
            self._stage.clear_marks()
            self._stage.say(f"sending to {len(rows)} agent{'s' if len(rows) > 1 else ''}")

        self._stage.show_screen(AskScreen(head, "what the agent should do"), then)

    def mute(self) -> None:
        """Ask for how long, and hold the notifications of the selected row or of the marked ones back."""
        rows = self._stage.rows_to_act_on()
        if not rows:
            self._stage.say("select an agent first")
            return

        def mute_for(span: str | None) -> None:
            if span is None:
                return
            for row in rows:
                self._stage.background.run(partial(_mute, self._stage.client(), row, span), self._say)
            self._stage.clear_marks()

        who = where(rows[0]) if len(rows) == 1 else f"{len(rows)} agents"
        entries = [(span, (), text) for span, text in MUTES.items()]
        self._stage.show_screen(MenuScreen(f"Mute {who}", entries), mute_for)

    def _say(self, result: tuple[str, bool]) -> None:
        self._stage.say(result[0], "ok" if result[1] else "warn")

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
                return "error", [safe_line(error.message)]
            return terminal.way(here, result)

        self._stage.background.run(ask, self._on_the_way)

    def _on_the_way(self, found: tuple[str, list[str]]) -> None:
        kind, argv = found
        if kind == "error":
            self._stage.say(f"cannot go there: {argv[0]}", "warn")
        elif kind == "elsewhere":
            command = safe_line(" ".join(map(shell_word, argv)))
            self._stage.say(f"this terminal is inside another tmux; run this outside of it: {command}", "warn")
        elif self._leaves:
            self._stage.leave(Leave(tuple(argv)))
        elif kind == "switch":
            self._stage.background.run(lambda: _run(argv), self._switched)
        else:
            self._stage.borrow_terminal(argv)

    def _switched(self, problem: str) -> None:
        if problem:
            self._stage.say(f"tmux did not switch: {problem}", "warn")

    def choose(self, row: Row) -> None:
        """End with a row's ref."""
        self._stage.leave(Leave(ref=row.ref))


def _mute(client: Client, row: Row, span: str) -> tuple[str, bool]:
    """Mute a row for a span of ``MUTES``. Return what to say, and whether it was done."""
    try:
        if span == "0":
            client.unmute({"pane": row.ref})
            return f"no longer muted: {where(row)}", True
        item = client.mute({"pane": row.ref, "seconds": _seconds(span)}).json().get("item") or {}
    except AgtmuxError as error:
        if error.code == "E_INVALID_REQUEST":  # the request is right, so the route is not there
            return "mute needs a newer daemon: run agtmux daemon restart", False
        return f"not muted: {safe_line(error.message)}", False
    until = seconds(item.get("until"))
    return f"muted{f' for {age(time.time(), until)}' if until else ''}: {where(row)}", True


def _seconds(span: str) -> float:
    if span != "morning":
        return float(span)
    now = datetime.now().astimezone()
    morning = now.replace(hour=8, minute=0, second=0, microsecond=0)
    return (morning if morning > now else morning + timedelta(days=1)).timestamp() - now.timestamp()


def _run(argv: list[str]) -> str:
    """Run a short command. Return what went wrong, "" if nothing."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return safe_line(error)
    problem = safe_line(done.stderr.decode("utf-8", "replace")) or f"status {done.returncode}"
    return problem if done.returncode else ""


def explain_lines(texts: list[str]) -> list[lines.Spans]:
    """Return an explanation as lines: headings stand out."""
    return [((line, "head" if line and not line.startswith(" ") else ""),) for line in texts]
